// What every kernel stands on. One source, two compilers: NVRTC makes PTX of it; a C++ compiler makes a library of it for
// tests, in which shim.hpp stands for CUDA (see gpu/shim).
//
// A kernel takes one struct of plain values by value, the same struct as in Rust. Its threads a block are part of it.
#pragma once

#ifdef NERVE_SHIM
#include "shim.hpp"
#else
#include <cuda_fp16.h>
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#define INFINITY __int_as_float(0x7f800000)

#define KERNEL(name, Params, threads) \
    extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ Params p)

// Dynamic shared memory, as elements of `type`.
#define DYNAMIC_SHARED(type, name)                               \
    extern __shared__ __align__(16) unsigned char shared_room[]; \
    type* name = reinterpret_cast<type*>(shared_room)
#endif

#ifdef NERVE_SHIM
#define UNROLL
#define DO_NOT_UNROLL
#else
#define UNROLL _Pragma("unroll")
#define DO_NOT_UNROLL _Pragma("unroll 1")
#endif

// Threads of a warp.
constexpr uint32_t WARP = 32;
constexpr uint32_t ALL = 0xffffffffu;

__device__ inline uint32_t lane() { return threadIdx.x % WARP; }
__device__ inline uint32_t warp() { return threadIdx.x / WARP; }
// This thread's number in the grid, and how many there are.
__device__ inline uint64_t thread_index() { return uint64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline uint64_t thread_count() { return uint64_t(gridDim.x) * blockDim.x; }

__device__ inline float to_float(float v) { return v; }
__device__ inline float to_float(__half v) { return __half2float(v); }
template <class T> __device__ inline T from_float(float v);
template <> __device__ inline float from_float<float>(float v) { return v; }
template <> __device__ inline __half from_float<__half>(float v) { return __float2half_rn(v); }

__device__ inline float2 load_pair(const float* at) { return *reinterpret_cast<const float2*>(at); }
__device__ inline float2 load_pair(const __half* at) {
    return __half22float2(*reinterpret_cast<const __half2*>(at));
}
__device__ inline void store_pair(float* at, float x, float y) {
    *reinterpret_cast<float2*>(at) = make_float2(x, y);
}
__device__ inline void store_pair(__half* at, float x, float y) {
    *reinterpret_cast<__half2*>(at) = __floats2half2_rn(x, y);
}

// Adds to a pair that other threads add to as well.
__device__ inline void add_pair(float* at, float x, float y) {
    atomicAdd(at, x);
    atomicAdd(at + 1, y);
}
__device__ inline void add_pair(__half* at, float x, float y) {
    atomicAdd(reinterpret_cast<__half2*>(at), __floats2half2_rn(x, y));
}

// The same of a single value.
__device__ inline void add_one(float* at, float v) { atomicAdd(at, v); }
__device__ inline void add_one(__half* at, float v) { atomicAdd(at, __float2half_rn(v)); }

// The sum over a warp, in all of its lanes.
__device__ inline float warp_sum(float v) {
    for (uint32_t step = WARP / 2; step > 0; step /= 2) v += __shfl_xor_sync(ALL, v, step);
    return v;
}

// The sum of `v` over the lanes in front of this one; `total` becomes that over all lanes.
__device__ inline uint32_t warp_scan(uint32_t v, uint32_t& total) {
    uint32_t sum = v;
    for (uint32_t step = 1; step < WARP; step *= 2) {
        uint32_t below = __shfl_up_sync(ALL, sum, step);
        if (lane() >= step) sum += below;
    }
    total = __shfl_sync(ALL, sum, WARP - 1);
    return sum - v;
}

__device__ inline double warp_sum(double v) {
    for (uint32_t step = WARP / 2; step > 0; step /= 2) v += __shfl_xor_sync(ALL, v, step);
    return v;
}

// Takes `want` places of a counter for each lane of a warp, the lanes' one behind the other. All lanes must call it.
__device__ inline uint32_t warp_take(uint32_t* counter, uint32_t want) {
    uint32_t total, ahead = warp_scan(want, total), start = 0;
    if (lane() == 0 && total > 0) start = atomicAdd(counter, total);
    return __shfl_sync(ALL, start, 0) + ahead;
}

// Adds to a counter what the lanes of a warp have. All lanes must call it.
__device__ inline void count(uint32_t* counter, uint32_t v) {
    uint32_t total;
    warp_scan(v, total);
    if (lane() == 0 && total > 0) atomicAdd(counter, total);
}
