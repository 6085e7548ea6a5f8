// Cameras and lenses, inverted, as ops/cast has them: in f64, by Newton's method.
#pragma once
#include "kernel.cuh"

enum LensKind : uint32_t { LENS_PINHOLE = 0, LENS_RADIAL = 1, LENS_PLANAR = 2, LENS_FISHEYE = 3, LENS_FISHEYE_PLANAR = 4 };

struct Camera {
    // From OpenCV's axes to the frame's, rows first.
    double axes[9];
    double focal[2], principal[2];
    // Of planar lenses n1 to n4, d1 to d3, p1, p2, s1, s2; of a fisheye k1 to k4.
    double terms[11];
    // Up to where it is one-to-one.
    double limit;
    float origin[3];
    uint32_t lens;
    // The optical axis.
    float forward[3];
    uint32_t reserved;
};

// A planar lens at a point: where it is seen, and the Jacobian.
struct Bent { double u, v, a, b, c, d; };

__device__ inline Bent bend(const double* k, double x, double y) {
    double r2 = x * x + y * y;
    double above = 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * (k[2] + r2 * k[3])));
    double below = 1.0 + r2 * (k[4] + r2 * (k[5] + r2 * k[6]));
    double above_slope = k[0] + r2 * (2.0 * k[1] + r2 * (3.0 * k[2] + r2 * 4.0 * k[3]));
    double below_slope = k[4] + r2 * (2.0 * k[5] + r2 * 3.0 * k[6]);
    double gain = above / below, slope = (above_slope - gain * below_slope) / below;
    double p1 = k[7], p2 = k[8], sx = k[9], sy = k[10];
    double cross = 2.0 * (x * y * slope + p1 * x + p2 * y);
    return Bent{x * gain + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + sx * r2,
                y * gain + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + sy * r2,
                gain + 2.0 * x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x + 2.0 * sx * x,
                cross + 2.0 * sx * y,
                cross + 2.0 * sy * x,
                gain + 2.0 * y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x + 2.0 * sy * y};
}

// The ideal point of an observed one; false beyond the limit, or past a fold.
__device__ inline bool invert_planar(const double* k, double limit, double u, double v, double& x, double& y) {
    double radius = sqrt(u * u + v * v), enough = 1e-12 * fmax(radius, 1.0);
    double pull = radius > 0.9 * limit ? 0.9 * limit / radius : 1.0;
    x = u * pull;
    y = v * pull;
    Bent here = bend(k, x, y);
    double error = sqrt((here.u - u) * (here.u - u) + (here.v - v) * (here.v - v));
    for (int i = 0; i < 50; i++) {
        double det = here.a * here.d - here.b * here.c;
        if (error <= enough) return det > 0.0;
        double eu = here.u - u, ev = here.v - v;
        double dx = (here.d * eu - here.b * ev) / det, dy = (here.a * ev - here.c * eu) / det, step = 1.0;
        for (;;) {
            double nx = x - step * dx, ny = y - step * dy;
            Bent next = bend(k, nx, ny);
            double next_error = sqrt((next.u - u) * (next.u - u) + (next.v - v) * (next.v - v));
            if (next_error < error && sqrt(nx * nx + ny * ny) <= limit) {
                x = nx;
                y = ny;
                here = next;
                error = next_error;
                break;
            }
            step *= 0.5;
            if (step < 1e-4) return false;
        }
    }
    return false;
}

__device__ inline double fisheye_radius(const double* k, double t, double& slope) {
    double s = t * t;
    slope = 1.0 + s * (3.0 * k[0] + s * (5.0 * k[1] + s * (7.0 * k[2] + s * 9.0 * k[3])));
    return t * (1.0 + s * (k[0] + s * (k[1] + s * (k[2] + s * k[3]))));
}

// The angle of an observed radius; the limit beyond it.
__device__ inline double invert_fisheye(const double* k, double limit, double radius) {
    double slope, low = 0.0, high = limit;
    if (!(radius <= fisheye_radius(k, high, slope))) return limit;
    double angle = fmin(radius, limit);
    for (int i = 0; i < 100; i++) {
        double error = fisheye_radius(k, angle, slope) - radius;
        if (fabs(error) <= 1e-12 * fmin(radius, 1.0)) break;
        if (error > 0.0)
            high = angle;
        else
            low = angle;
        double newton = angle - error / slope;
        angle = newton > low && newton < high ? newton : 0.5 * (low + high);
    }
    return angle;
}

// The direction at an angle from the axis, on the side of a point of that radius.
__device__ inline void at_angle(double u, double v, double radius, double angle, double d[3]) {
    double side = radius == 0.0 ? 0.0 : sin(angle) / radius;
    d[0] = u * side;
    d[1] = v * side;
    d[2] = radius == 0.0 ? 1.0 : cos(angle);
}

// The unit direction of the ray through an image point in pixels; a pixel's centre is at + 0.5.
__device__ inline void cast(const Camera& c, double px, double py, float direction[3]) {
    double u = (px - c.principal[0]) / c.focal[0], v = (py - c.principal[1]) / c.focal[1];
    double radius = sqrt(u * u + v * v), x, y, d[3] = {u, v, 1.0};
    if (c.lens == LENS_RADIAL || c.lens == LENS_PLANAR) {
        bool found = invert_planar(c.terms, c.limit, u, v, x, y);
        d[0] = found ? x : u * c.limit / radius;
        d[1] = found ? y : v * c.limit / radius;
    } else if (c.lens == LENS_FISHEYE) {
        at_angle(u, v, radius, invert_fisheye(c.terms, c.limit, radius), d);
    } else if (c.lens == LENS_FISHEYE_PLANAR) {
        if (invert_planar(c.terms, c.limit, u, v, x, y)) {
            double angle = sqrt(x * x + y * y);
            at_angle(x, y, angle, angle, d);
        } else {
            at_angle(u, v, radius, c.limit, d);
        }
    }
    double shrink = 1.0 / sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    for (int r = 0; r < 3; r++)
        direction[r] = float((c.axes[3 * r] * d[0] + c.axes[3 * r + 1] * d[1] + c.axes[3 * r + 2] * d[2]) * shrink);
}
