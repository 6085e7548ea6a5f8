// Corrections of cameras' poses, as ops/rigid has them: made once a camera in f64, applied to rays in f32.
#pragma once
#include "kernel.cuh"

struct Correction { float rotation[9], shift[3]; };

// sin(a) / a, (1 - cos(a)) / a^2 and (a - sin(a)) / a^3 of a turn by w; their series near zero.
__device__ inline void turn_coefficients(const float* w, double c[3]) {
    double a2 = 0.0;
    for (int i = 0; i < 3; i++) a2 += double(w[i]) * double(w[i]);
    if (a2 < 1e-4) {
        c[0] = 1.0 + a2 * (-1.0 / 6.0 + a2 / 120.0);
        c[1] = 0.5 + a2 * (-1.0 / 24.0 + a2 / 720.0);
        c[2] = 1.0 / 6.0 + a2 * (-1.0 / 120.0 + a2 / 5040.0);
        return;
    }
    double a = sqrt(a2);
    c[0] = sin(a) / a;
    c[1] = (1.0 - cos(a)) / a2;
    c[2] = (a - sin(a)) / (a2 * a);
}

// I + p [w]x + q [w]x^2, rows first.
__device__ inline void turn_series(const float* w, double p, double q, double out[9]) {
    double x = w[0], y = w[1], z = w[2], square = x * x + y * y + z * z;
    double k[9] = {0.0, -z, y, z, 0.0, -x, -y, x, 0.0}, u[3] = {x, y, z};
    // [w]x^2 = w w^T - |w|^2 I.
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            double one = r == c ? 1.0 : 0.0;
            out[3 * r + c] = one + p * k[3 * r + c] + q * (u[r] * u[c] - square * one);
        }
}

// Moves a ray.
__device__ inline void correct(const Correction& c, float origin[3], float direction[3]) {
    float x = direction[0], y = direction[1], z = direction[2];
    for (int r = 0; r < 3; r++) {
        origin[r] += c.shift[r];
        direction[r] = c.rotation[3 * r] * x + c.rotation[3 * r + 1] * y + c.rotation[3 * r + 2] * z;
    }
}
