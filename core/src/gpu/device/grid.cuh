// One level of a hash grid, as ops/hash_grid has it.
#pragma once
#include "kernel.cuh"

struct GridLevel {
    // Where its table begins, in values.
    uint64_t offset;
    float scale;
    // Vertices an axis, and entries; a power of two where vertices are hashed.
    uint32_t vertices, entries;
    uint32_t dense;
};

// The eight entries around a point and their trilinear weights; corner c lies up x, y, z by its bits 0, 1, 2.
struct Corners {
    uint32_t entry[8];
    float weight[8];
    // The shares of the upper ones, axis by axis.
    float up[3];
};

__device__ inline Corners corners(const GridLevel& level, float x, float y, float z) {
    float at[3] = {x, y, z}, up[3];
    Corners c;
    uint32_t cell[3];
    for (int a = 0; a < 3; a++) {
        // Not a number becomes 0.
        float pos = fmaf(fminf(fmaxf(at[a], 0.0f), 1.0f), level.scale, 0.5f), low = floorf(pos);
        c.up[a] = up[a] = pos - low;
        cell[a] = uint32_t(low);
    }
    uint32_t my = level.dense ? level.vertices : 2654435761u;
    uint32_t mz = level.dense ? level.vertices * level.vertices : 805459861u;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t cx = cell[0] + (i & 1), cy = (cell[1] + (i >> 1 & 1)) * my, cz = (cell[2] + (i >> 2)) * mz;
        c.entry[i] = level.dense ? cx + cy + cz : (cx ^ cy ^ cz) & (level.entries - 1);
        float wx = i & 1 ? up[0] : 1.0f - up[0], wy = i >> 1 & 1 ? up[1] : 1.0f - up[1];
        c.weight[i] = wx * (wy * (i >> 2 ? up[2] : 1.0f - up[2]));
    }
    return c;
}
