// Philox4x32-10, as core/src/rng.rs has it: the same counter, key and streams, the same values.
#pragma once
#include "kernel.cuh"

enum Stream : uint32_t { STREAM_PIXELS = 1, STREAM_JITTER = 2, STREAM_BACKGROUND = 3, STREAM_OCCUPANCY = 4 };

struct Words { uint32_t w[4]; };

__device__ inline Words philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        uint32_t hi0 = __umulhi(0xD2511F53u, c0), lo0 = 0xD2511F53u * c0;
        uint32_t hi1 = __umulhi(0xCD9E8D57u, c2), lo1 = 0xCD9E8D57u * c2;
        c0 = hi1 ^ c1 ^ k0;
        c1 = lo1;
        c2 = hi0 ^ c3 ^ k1;
        c3 = lo0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return Words{{c0, c1, c2, c3}};
}

// The words of (stream, step, index) for a seed.
__device__ inline Words random_words(uint64_t seed, uint32_t stream, uint64_t step, uint32_t index) {
    return philox(index, uint32_t(step), uint32_t(step >> 32), stream, uint32_t(seed), uint32_t(seed >> 32));
}

// In [0, 1), from the upper 24 bits.
__device__ inline float uniform(uint32_t bits) { return float(bits >> 8) * (1.0f / 16777216.0f); }

// In 0 .. n, by multiply-high.
__device__ inline uint32_t below(uint32_t bits, uint32_t n) { return __umulhi(bits, n); }
