// Products of small matrices in shared memory, by a warp.
//
// C is a tile of 16 x 8 in f32. Every lane holds four of its values, as the tensor cores lay them out:
// (row, column) = (lane / 4, 2 (lane % 4)), the column to its right, and the same eight rows below.
//
// In half precision the factors go through `mma.sync.m16n8k16` (compute_80 and later); in f32, which exists to compare
// with, each lane computes its own four values. On the CPU the instruction is emulated with its operands' layout as PTX
// documents it, so that the loads below are tested, too.
#pragma once
#include "kernel.cuh"

constexpr uint32_t TILE_ROWS = 16, TILE_COLUMNS = 8, TILE_DEPTH = 16;

// Row and column of value `i` (0 to 3) of this lane in a tile.
__device__ inline uint32_t tile_row(uint32_t i) { return lane() / 4 + 8 * (i / 2); }
__device__ inline uint32_t tile_column(uint32_t i) { return 2 * (lane() % 4) + i % 2; }

#ifdef NERVE_SHIM
__device__ inline void mma_half(float c[4], const uint32_t a[4], const uint32_t b[2]) { shim::mma_m16n8k16(c, a, b); }
#else
__device__ inline void mma_half(float c[4], const uint32_t a[4], const uint32_t b[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

__device__ inline uint32_t word_at(const __half* at) { return *reinterpret_cast<const uint32_t*>(at); }
// Two halves that do not lie side by side, the first in the lower half.
__device__ inline uint32_t word_of(const __half* low, const __half* high) {
    return uint32_t(*reinterpret_cast<const uint16_t*>(low)) | uint32_t(*reinterpret_cast<const uint16_t*>(high)) << 16;
}

// c += A B^T: A is 16 x depth, B is 8 x depth, both with rows along the depth, `lda` and `ldb` values apart (even). The
// depth is a multiple of 16.
__device__ inline void gemm_nt(float c[4], const __half* a, uint32_t lda, const __half* b, uint32_t ldb, uint32_t depth) {
    uint32_t g = lane() / 4, k = 2 * (lane() % 4);
    const __half *a0 = a + g * lda + k, *a1 = a0 + 8 * lda, *b0 = b + g * ldb + k;
    DO_NOT_UNROLL
    for (uint32_t at = 0; at < depth; at += TILE_DEPTH) {
        uint32_t ra[4] = {word_at(a0 + at), word_at(a1 + at), word_at(a0 + at + 8), word_at(a1 + at + 8)};
        uint32_t rb[2] = {word_at(b0 + at), word_at(b0 + at + 8)};
        mma_half(c, ra, rb);
    }
}

__device__ inline void gemm_nt(float c[4], const float* a, uint32_t lda, const float* b, uint32_t ldb, uint32_t depth) {
    for (uint32_t i = 0; i < 4; i++) {
        const float *row = a + tile_row(i) * lda, *column = b + tile_column(i) * ldb;
        DO_NOT_UNROLL
        for (uint32_t k = 0; k < depth; k++) c[i] = fmaf(row[k], column[k], c[i]);
    }
}

// c += A^T B: A is depth x 16, B is depth x 8, `lda` and `ldb` values from one step of the depth to the next. The depth is
// a multiple of 16.
__device__ inline void gemm_tn(float c[4], const __half* a, uint32_t lda, const __half* b, uint32_t ldb, uint32_t depth) {
    uint32_t g = lane() / 4, k = 2 * (lane() % 4);
    DO_NOT_UNROLL
    for (uint32_t at = 0; at < depth; at += TILE_DEPTH) {
        const __half *a0 = a + (at + k) * lda + g, *a1 = a0 + lda, *a8 = a0 + 8 * lda, *a9 = a8 + lda;
        const __half *b0 = b + (at + k) * ldb + g, *b8 = b0 + 8 * ldb;
        uint32_t ra[4] = {word_of(a0, a1), word_of(a0 + 8, a1 + 8), word_of(a8, a9), word_of(a8 + 8, a9 + 8)};
        uint32_t rb[2] = {word_of(b0, b0 + ldb), word_of(b8, b8 + ldb)};
        mma_half(c, ra, rb);
    }
}

__device__ inline void gemm_tn(float c[4], const float* a, uint32_t lda, const float* b, uint32_t ldb, uint32_t depth) {
    for (uint32_t i = 0; i < 4; i++) {
        const float *left = a + tile_row(i), *right = b + tile_column(i);
        DO_NOT_UNROLL
        for (uint32_t k = 0; k < depth; k++) c[i] = fmaf(left[k * lda], right[k * ldb], c[i]);
    }
}
