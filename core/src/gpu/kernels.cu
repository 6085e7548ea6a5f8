// All kernels: one unit.
#include "../ops/adam/kernel.cu"
#include "../ops/cast/kernel.cu"
#include "../ops/composite/kernel.cu"
#include "../ops/hash_grid/kernel.cu"
#include "../ops/march/kernel.cu"
#include "../ops/mlp/kernel.cu"
#include "../ops/rigid/kernel.cu"
#include "../ops/saliency/kernel.cu"
