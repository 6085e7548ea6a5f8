// Cells of an occupancy grid, and random ones of those that are set, as core/src/engine/visit.rs picks them.
#pragma once
#include "philox.cuh"

constexpr uint32_t SIDE = 128, CELLS = SIDE * SIDE * SIDE;
// Words of 64 cells of which one number tells how many set cells lie in front.
constexpr uint32_t GROUP = 64;

// Set cells: a bit each, and in front of every group, and behind the last one, how many there are so far.
struct CellSet {
    const uint64_t* words;
    const uint32_t* ranks;
};

// Moves bit i to bit 3 i, for values below 128.
__device__ inline uint32_t spread_bits(uint32_t v) {
    v = (v | v << 8) & 0x0300f00fu;
    v = (v | v << 4) & 0x030c30c3u;
    return (v | v << 2) & 0x09249249u;
}

// Moves bit 3 i to bit i, for i below 7.
__device__ inline uint32_t gather_bits(uint32_t v) {
    v &= 0x00049249u;
    v = (v | v >> 2) & 0x030c30c3u;
    v = (v | v >> 4) & 0x0300f00fu;
    return (v | v >> 8) & 0x7fu;
}

// A uniformly chosen set cell, of so many groups; false if there is none.
__device__ inline bool pick_set(const CellSet& set, uint32_t groups, uint32_t random, uint32_t& cell) {
    uint32_t all = set.ranks[groups];
    if (all == 0) return false;
    uint32_t rank = below(random, all), low = 0, high = groups;
    // The last group that no more than `rank` cells lie in front of.
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (set.ranks[middle] <= rank)
            low = middle;
        else
            high = middle;
    }
    rank -= set.ranks[low];
    uint64_t at = uint64_t(low) * GROUP, word = set.words[at];
    for (uint32_t n = __popcll(word); n <= rank; n = __popcll(word)) {
        rank -= n;
        word = set.words[++at];
    }
    for (; rank > 0; rank--) word &= word - 1;
    cell = uint32_t(at) * 64 + __popcll((word & (0 - word)) - 1);
    return true;
}
