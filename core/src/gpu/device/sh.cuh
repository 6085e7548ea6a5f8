// Spherical harmonics of a unit direction, as in ops/sh.
#pragma once
#include "kernel.cuh"

constexpr uint32_t HARMONICS = 16;

__device__ inline void harmonics(float x, float y, float z, float out[HARMONICS]) {
    float xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
    out[0] = 0.2820948f;
    out[1] = -0.48860252f * y;
    out[2] = 0.48860252f * z;
    out[3] = -0.48860252f * x;
    out[4] = 1.0925485f * xy;
    out[5] = -1.0925485f * yz;
    out[6] = 0.31539157f * (2.0f * zz - xx - yy);
    out[7] = -1.0925485f * xz;
    out[8] = 0.54627424f * (xx - yy);
    out[9] = -0.5900436f * y * (3.0f * xx - yy);
    out[10] = 2.8906114f * xy * z;
    out[11] = -0.4570458f * y * (4.0f * zz - xx - yy);
    out[12] = 0.37317634f * z * (2.0f * zz - 3.0f * xx - 3.0f * yy);
    out[13] = -0.4570458f * x * (4.0f * zz - xx - yy);
    out[14] = 1.4453057f * z * (xx - yy);
    out[15] = -0.5900436f * x * (xx - 3.0f * yy);
}

// Adds to the gradient of the direction what that of its first `count` harmonics says; `g(k)` is the gradient of the k-th.
template <class G>
__device__ inline void harmonics_backward(float x, float y, float z, uint32_t count, G g, float out[3]) {
    float xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
    auto add = [&](uint32_t k, float dx, float dy, float dz) {
        float v = g(k);
        out[0] = fmaf(dx, v, out[0]);
        out[1] = fmaf(dy, v, out[1]);
        out[2] = fmaf(dz, v, out[2]);
    };
    if (count > 1) {
        add(1, 0.0f, -0.48860252f, 0.0f);
        add(2, 0.0f, 0.0f, 0.48860252f);
        add(3, -0.48860252f, 0.0f, 0.0f);
    }
    if (count > 4) {
        add(4, 1.0925485f * y, 1.0925485f * x, 0.0f);
        add(5, 0.0f, -1.0925485f * z, -1.0925485f * y);
        add(6, -0.6307831f * x, -0.6307831f * y, 1.2615663f * z);
        add(7, -1.0925485f * z, 0.0f, -1.0925485f * x);
        add(8, 1.0925485f * x, -1.0925485f * y, 0.0f);
    }
    if (count > 9) {
        add(9, -3.5402615f * xy, -1.7701308f * (xx - yy), 0.0f);
        add(10, 2.8906114f * yz, 2.8906114f * xz, 2.8906114f * xy);
        add(11, 0.9140916f * xy, -0.4570458f * (4.0f * zz - xx - 3.0f * yy), -3.6563664f * yz);
        add(12, -2.239058f * xz, -2.239058f * yz, 0.37317634f * (6.0f * zz - 3.0f * xx - 3.0f * yy));
        add(13, -0.4570458f * (4.0f * zz - 3.0f * xx - yy), 0.9140916f * xy, -3.6563664f * xz);
        add(14, 2.8906114f * xz, -2.8906114f * yz, 1.4453057f * (xx - yy));
        add(15, -1.7701308f * (xx - yy), 3.5402615f * xy, 0.0f);
    }
}
