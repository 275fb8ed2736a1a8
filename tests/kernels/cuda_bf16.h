// CUDA's words for a CPU, so that the text of a kernel can be compiled as C++ and run thread by thread (run.cc).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

struct Place {
    unsigned x, y, z;
};
extern Place threadIdx, blockIdx, blockDim;
void __syncthreads();
using std::min;

#define __device__
#define __global__
#define __forceinline__ inline
// One thread of the system runs all threads of a block, so that its own variables are theirs together.
#define __shared__ thread_local

struct __nv_bfloat16 {
    uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 v) {
    uint32_t bits = (uint32_t)v.bits << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

inline __nv_bfloat16 __float2bfloat16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    // To the nearest, and to even in the middle.
    return {(uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}
