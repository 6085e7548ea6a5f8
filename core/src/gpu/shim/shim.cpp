// The threads of a block as fibres. See shim.hpp.
#include "shim.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#if !defined(__x86_64__) || !defined(__GNUC__)
#include <ucontext.h>
#define SHIM_UCONTEXT
#endif

namespace shim {
Index thread_index, block_index, block_size, grid_size;
unsigned char* shared;

namespace {
constexpr uint32_t WARP = 32;
constexpr size_t STACK = 128 * 1024;

enum class State { Ready, AtBlock, AtWarp, Done };

struct Fibre {
    State state;
    uint32_t lanes;
#ifdef SHIM_UCONTEXT
    ucontext_t context;
#else
    void* stack;
#endif
};

std::vector<Fibre> fibres;
std::vector<unsigned char> stacks, room;
std::vector<uint64_t> words, operands;
uint32_t running;
uint32_t order_seed, first_block;
Body body;
const void* params;
std::string trouble;

void finish() {
    body(params);
    fibres[running].state = State::Done;
}

#ifdef SHIM_UCONTEXT
ucontext_t scheduler;
void entry() { finish(); }
void prepare(uint32_t i) {
    Fibre& f = fibres[i];
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = &stacks[i * STACK];
    f.context.uc_stack.ss_size = STACK;
    f.context.uc_link = &scheduler;
    makecontext(&f.context, entry, 0);
}
void resume(uint32_t i) { swapcontext(&scheduler, &fibres[i].context); }
void leave() { swapcontext(&fibres[running].context, &scheduler); }
#else
// Saves what a call must keep, and goes on with another stack.
extern "C" void nerve_shim_switch(void** from, void* to);
asm(R"(
    .text
    .globl nerve_shim_switch
    .type nerve_shim_switch, @function
nerve_shim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
void* scheduler;
void entry() {
    finish();
    nerve_shim_switch(&fibres[running].stack, scheduler);
    abort();
}
void prepare(uint32_t i) {
    // As `switch` leaves a stack: six registers and where to return to; aligned as at a function's first instruction.
    auto top = reinterpret_cast<uintptr_t>(&stacks[(i + 1) * STACK]) & ~uintptr_t(15);
    auto* at = reinterpret_cast<void**>(top) - 2;
    *at = reinterpret_cast<void*>(&entry);
    for (int r = 0; r < 6; r++) *--at = nullptr;
    fibres[i].stack = at;
}
void resume(uint32_t i) { nerve_shim_switch(&scheduler, fibres[i].stack); }
void leave() { nerve_shim_switch(&fibres[running].stack, scheduler); }
#endif

// Lets the lanes of a warp go on, if all that this one waits for wait as well.
bool release_warp(uint32_t lanes) {
    uint32_t first = running / WARP * WARP;
    for (uint32_t l = 0; l < WARP; l++) {
        if (!(lanes >> l & 1) || first + l == running) continue;
        if (first + l >= fibres.size()) return false;
        Fibre& other = fibres[first + l];
        if (other.state != State::AtWarp || other.lanes != lanes) return false;
    }
    for (uint32_t l = 0; l < WARP; l++)
        if (lanes >> l & 1) fibres[first + l].state = State::Ready;
    return true;
}

bool release_block() {
    for (uint32_t i = 0; i < fibres.size(); i++)
        if (i != running && fibres[i].state != State::AtBlock) return false;
    for (auto& fibre : fibres) fibre.state = State::Ready;
    return true;
}

// Waits with those that are there already; the last one lets all go on, and goes on itself.
void wait(State state, uint32_t lanes) {
    uint32_t me = running;
    if (state == State::AtWarp ? release_warp(lanes) : release_block()) return;
    fibres[me].state = state;
    fibres[me].lanes = lanes;
    leave();
    running = me;
    thread_index.x = me;
}

// Who is the i-th to run: first to last, last to first, or mixed.
uint32_t in_order(uint32_t i, uint32_t n) {
    if (order_seed == 0) return i;
    if (order_seed == 1) return n - 1 - i;
    uint32_t odd = 2 * (order_seed * 7919 % n) + 1;  // n is a power of two times 32: odd factors permute it
    return (i * odd + order_seed) % n;
}

}  // namespace

void wait_for_block() { wait(State::AtBlock, 0); }
void wait_for_warp(uint32_t lanes) { wait(State::AtWarp, lanes); }
uint64_t* exchange() { return &words[running / WARP * WARP]; }
uint32_t running_lane() { return running % WARP; }

// The instruction as the PTX ISA lays it out ("Matrix fragments for mma.m16n8k16 with .f16"): with g = lane / 4 and
// t = lane % 4, A's registers are (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8), each with the column to its right;
// B's are (2t, g) and (2t + 8, g), each with the row below.
void mma_m16n8k16(float c[4], const uint32_t a[4], const uint32_t b[2]) {
    uint32_t lane = running_lane(), g = lane / 4, t = lane % 4;
    uint64_t* room = &operands[running / WARP * WARP * 3];
    for (uint32_t r = 0; r < 3; r++)
        room[lane * 3 + r] = r < 2 ? a[2 * r] | uint64_t(a[2 * r + 1]) << 32 : b[0] | uint64_t(b[1]) << 32;
    wait_for_warp(0xffffffffu);
    auto half = [](uint64_t word, uint32_t which) { return __half2float({uint16_t(word >> (16 * which))}); };
    for (uint32_t k = 0; k < 16; k++) {
        // Of A's rows g and g + 8: lane 4 g + k / 2 % 4, its register pair k / 8, the lower or upper half of it.
        uint64_t left = room[(4 * g + k / 2 % 4) * 3 + k / 8];
        float low = half(left, k % 2), high = half(left, 2 + k % 2);
        // Of B's columns 2 t and 2 t + 1: lanes 4 column + k / 2 % 4, register k / 8.
        float first = half(room[(4 * (2 * t) + k / 2 % 4) * 3 + 2], 2 * (k / 8) + k % 2);
        float second = half(room[(4 * (2 * t + 1) + k / 2 % 4) * 3 + 2], 2 * (k / 8) + k % 2);
        c[0] += low * first;
        c[1] += low * second;
        c[2] += high * first;
        c[3] += high * second;
    }
    wait_for_warp(0xffffffffu);
}

bool run(Body kernel, const void* with, uint32_t grid, uint32_t block, uint32_t shared_bytes) {
    body = kernel;
    params = with;
    fibres.resize(block);
    stacks.resize(block * STACK + 16);
    words.assign((block + WARP - 1) / WARP * WARP, 0);
    operands.assign(words.size() * 3, 0);
    room.resize(shared_bytes + 16);
    shared = reinterpret_cast<unsigned char*>((reinterpret_cast<uintptr_t>(room.data()) + 15) & ~uintptr_t(15));
    block_size.x = block;
    grid_size.x = grid;
    for (uint32_t b = first_block; b < grid; b++) {
        block_index.x = b;
        std::memset(shared, 0xff, shared_bytes);
        for (uint32_t i = 0; i < block; i++) {
            fibres[i].state = State::Ready;
            prepare(i);
        }
        for (bool all_done = false; !all_done;) {
            all_done = true;
            bool ran = false;
            for (uint32_t i = 0; i < block; i++) {
                uint32_t at = in_order(i, block);
                if (fibres[at].state == State::Ready) {
                    running = at;
                    thread_index.x = at;
                    resume(at);
                    ran = true;
                }
            }
            for (auto& f : fibres) all_done = all_done && f.state == State::Done;
            if (!all_done && !ran) {
                trouble = "block " + std::to_string(b) + " waits at a barrier that not all of its threads reach";
                return false;
            }
        }
    }
    return true;
}
}  // namespace shim

// In which order the threads of a block run, and with which block the grids of the following launches begin.
extern "C" void nerve_shim_begin(uint32_t order, uint32_t first_block) {
    shim::order_seed = order;
    shim::first_block = first_block;
}
extern "C" const char* nerve_shim_problem() { return shim::trouble.c_str(); }
