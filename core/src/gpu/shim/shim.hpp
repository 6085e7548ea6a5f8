// CUDA as kernels here use it, for a C++ compiler: the same source runs on the CPU, in tests.
//
// The blocks of a grid run one after the other, the threads of a block as fibres that change places where the kernel
// waits: at a barrier of the block, at one of a warp, in shuffles. Which thread goes first is the caller's
// choice (`order`), so that a kernel that forgets a barrier gives wrong results in one order or the other. Dynamic shared
// memory is full of NaN when a block starts, and a block that waits for threads that never come is an error.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#define __device__
#define __shared__ static

struct Index { uint32_t x; };
struct float2 { float x, y; };
inline float2 make_float2(float x, float y) { return {x, y}; }

namespace shim {
// Where the running thread is.
extern Index thread_index, block_index, block_size, grid_size;
extern unsigned char* shared;

void wait_for_block();
// Waits for the lanes of the warp; afterwards `exchange()` shows what each has put there before.
void wait_for_warp(uint32_t lanes);
// A word a lane, of the running warp.
uint64_t* exchange();
uint32_t running_lane();
void mma_m16n8k16(float c[4], const uint32_t a[4], const uint32_t b[2]);
// Runs a kernel; false, and `problem()` says why, if it hangs.
typedef void (*Body)(const void* params);
bool run(Body body, const void* params, uint32_t grid, uint32_t block, uint32_t shared_bytes);
}  // namespace shim

#define threadIdx shim::thread_index
#define blockIdx shim::block_index
#define blockDim shim::block_size
#define gridDim shim::grid_size

#define KERNEL(name, Params, threads)                                                                \
    static void name##_body(const Params& p);                                                        \
    extern "C" uint32_t name##_threads() { return threads; }                                         \
    extern "C" uint32_t name##_params() { return sizeof(Params); }                                   \
    extern "C" bool name(const void* params, uint32_t grid, uint32_t shared) {                       \
        return shim::run([](const void* p) { name##_body(*static_cast<const Params*>(p)); }, params, \
                         grid, threads, shared);                                                     \
    }                                                                                                \
    static void name##_body(const Params& p)

#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(shim::shared)

inline void __syncthreads() { shim::wait_for_block(); }
inline void __syncwarp(uint32_t lanes = 0xffffffffu) { shim::wait_for_warp(lanes); }

namespace shim {
template <class T> uint64_t word_of(T v) {
    static_assert(sizeof(T) <= 8, "words are exchanged");
    uint64_t bits = 0;
    std::memcpy(&bits, &v, sizeof(T));
    return bits;
}
template <class T> T of_word(uint64_t bits) {
    T v;
    std::memcpy(&v, &bits, sizeof(T));
    return v;
}
template <class T> uint32_t bits_of(T v) { return uint32_t(word_of(v)); }
template <class T> T of_bits(uint32_t bits) { return of_word<T>(bits); }
template <class T> T take(uint32_t lanes, T v, uint32_t from) {
    exchange()[running_lane()] = word_of(v);
    wait_for_warp(lanes);
    T taken = of_word<T>(exchange()[from]);
    wait_for_warp(lanes);
    return taken;
}
}  // namespace shim

template <class T> T __shfl_sync(uint32_t lanes, T v, uint32_t from) { return shim::take(lanes, v, from % 32); }
template <class T> T __shfl_xor_sync(uint32_t lanes, T v, uint32_t mask) {
    return shim::take(lanes, v, (shim::running_lane() ^ mask) % 32);
}
template <class T> T __shfl_up_sync(uint32_t lanes, T v, uint32_t by) {
    uint32_t lane = shim::running_lane();
    return shim::take(lanes, v, lane >= by ? lane - by : lane);
}

inline int __popcll(uint64_t v) { return __builtin_popcountll(v); }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return uint32_t((uint64_t(a) * b) >> 32); }
inline uint32_t __float_as_uint(float v) { return shim::bits_of(v); }
inline float __uint_as_float(uint32_t v) { return shim::of_bits<float>(v); }
template <class T> T min(T a, T b) { return b < a ? b : a; }
template <class T> T max(T a, T b) { return a < b ? b : a; }
using std::isfinite;

// One thread runs at a time: what CUDA must do atomically is done at once.
template <class T> T atomicAdd(T* at, T v) {
    T old = *at;
    *at = old + v;
    return old;
}
template <class T> T atomicOr(T* at, T v) {
    T old = *at;
    *at = old | v;
    return old;
}

// Half precision, rounded to nearest even.
struct __half { uint16_t bits; };
struct __half2 { __half x, y; };

inline float __half2float(__half h) {
    uint32_t sign = uint32_t(h.bits & 0x8000) << 16, exponent = h.bits >> 10 & 31, mantissa = h.bits & 1023;
    if (exponent == 31) return shim::of_bits<float>(sign | 0x7f800000u | mantissa << 13);
    if (exponent != 0) return shim::of_bits<float>(sign | (exponent + 112) << 23 | mantissa << 13);
    float small = float(mantissa) * 5.9604644775390625e-8f;
    return sign != 0 ? -small : small;
}
inline __half __float2half_rn(float v) {
    uint32_t bits = shim::bits_of(v), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) return {uint16_t(sign | 0x7fff)};
    // 65520 and more round to infinity.
    if (rest >= 0x477ff000u) return {uint16_t(sign | 0x7c00)};
    if (rest < 0x38800000u) {
        // Below the smallest normal half: whole steps of 2^-24, by the addition's own rounding.
        float steps = shim::of_bits<float>(rest) + 0.5f;
        return {uint16_t(sign | (shim::bits_of(steps) - shim::bits_of(0.5f)))};
    }
    uint32_t rounded = rest + 0xfff + (rest >> 13 & 1) - (112u << 23);
    return {uint16_t(sign | rounded >> 13)};
}
inline float2 __half22float2(__half2 v) { return {__half2float(v.x), __half2float(v.y)}; }
inline __half2 __floats2half2_rn(float x, float y) { return {__float2half_rn(x), __float2half_rn(y)}; }
inline __half atomicAdd(__half* at, __half v) {
    __half old = *at;
    *at = __float2half_rn(__half2float(old) + __half2float(v));
    return old;
}
inline __half2 atomicAdd(__half2* at, __half2 v) {
    __half2 old = *at;
    *at = __floats2half2_rn(__half2float(old.x) + __half2float(v.x), __half2float(old.y) + __half2float(v.y));
    return old;
}
