// Activations, as ops/activation and ops/gate have them.
#pragma once
#include "kernel.cuh"

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
// The density of a raw value where the gate is open.
__device__ inline float density_of(float raw) { return expf(fminf(raw, 15.0f)); }
// d density / d raw, of a density that a gate has been applied to.
__device__ inline float density_slope(float raw, float gate) { return gate * expf(fminf(fmaxf(raw, -15.0f), 15.0f)); }
