// All kernels of our own as one module.
#include "depthwise.cu"
#include "linear_attention.cu"
#include "norm.cu"
#include "shuffle.cu"
