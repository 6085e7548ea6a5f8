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
