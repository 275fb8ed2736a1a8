// What all kernels share: values of any type read as f32 and written back, and sums over a block.
//
// Every kernel writes to its first argument and is named after its Rust twin and the type of its values: rms_norm_bf16.
// No warp intrinsics and no fixed sizes of a warp: the tests run the same text on a CPU, thread by thread.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

__device__ __forceinline__ float wide(float v) { return v; }
__device__ __forceinline__ float wide(__nv_bfloat16 v) { return __bfloat162float(v); }
__device__ __forceinline__ float wide(__half v) { return __half2float(v); }

__device__ __forceinline__ void put(float *to, float v) { *to = v; }
__device__ __forceinline__ void put(__nv_bfloat16 *to, float v) { *to = __float2bfloat16(v); }
__device__ __forceinline__ void put(__half *to, float v) { *to = __float2half(v); }

// DEFINE(type, suffix) for every type of values.
#define EACH_TYPE(DEFINE) DEFINE(float, f32) DEFINE(__nv_bfloat16, bf16) DEFINE(__half, f16)

__device__ __forceinline__ float silu_of(float v) { return v / (1.0f + expf(-v)); }

// The sum of `v` over the threads of a block of one dimension, a power of two wide; every thread gets it.
__device__ __forceinline__ float block_sum(float v, float *shared) {
    shared[threadIdx.x] = v;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    float sum = shared[0];
    __syncthreads();
    return sum;
}

// The largest `v` instead.
__device__ __forceinline__ float block_max(float v, float *shared) {
    shared[threadIdx.x] = v;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] = fmaxf(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    float most = shared[0];
    __syncthreads();
    return most;
}
