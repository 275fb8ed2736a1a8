// Normalisations of rows and of the channels of a map, what is fused with them, and the softmax of attention.
#include "number.cuh"

const unsigned MOST_THREADS = 256;

// One block per row.
template <typename T>
__device__ void rms_norm(T *out, const T *x, const T *weight, unsigned width, float eps, unsigned then_relu) {
    __shared__ float sums[MOST_THREADS];
    const size_t row = (size_t)blockIdx.x * width;
    float sum = 0.0f;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float v = wide(x[row + i]);
        sum += v * v;
    }
    const float scale = 1.0f / sqrtf(block_sum(sum, sums) / width + eps);
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float v = wide(x[row + i]) * scale * wide(weight[i]);
        put(&out[row + i], then_relu ? fmaxf(v, 0.0f) : v);
    }
}

// Layer norm, · (base + gain) + offset. One block per row.
template <typename T>
__device__ void layer_norm(T *out, const T *x, const T *gain, const T *offset, unsigned width, float base, float eps) {
    __shared__ float sums[MOST_THREADS];
    const size_t row = (size_t)blockIdx.x * width;
    float sum = 0.0f;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) sum += wide(x[row + i]);
    const float mean = block_sum(sum, sums) / width;
    sum = 0.0f;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float v = wide(x[row + i]) - mean;
        sum += v * v;
    }
    const float scale = 1.0f / sqrtf(block_sum(sum, sums) / width + eps);
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        put(&out[row + i], (wide(x[row + i]) - mean) * scale * (base + wide(gain[i])) + wide(offset[i]));
    }
}

// x / max(|x|, 1e-12). One block per row.
template <typename T>
__device__ void l2_normalize(T *out, const T *x, unsigned width) {
    __shared__ float sums[MOST_THREADS];
    const size_t row = (size_t)blockIdx.x * width;
    float sum = 0.0f;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float v = wide(x[row + i]);
        sum += v * v;
    }
    const float scale = 1.0f / fmaxf(sqrtf(block_sum(sum, sums)), 1e-12f);
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) put(&out[row + i], wide(x[row + i]) * scale);
}

// RMS norm over the channels of (B, C, plane) with gain and offset, + residual if there is one, then ReLU if asked.
// Blocks of (pixels, channels at a time); a grid of (runs of pixels, B).
template <typename T>
__device__ void channel_rms_norm(T *out, const T *x, const T *weight, const T *bias, const T *residual, unsigned channels,
                                 unsigned plane, float eps, unsigned then_relu) {
    __shared__ float sums[MOST_THREADS];
    const unsigned pixel = blockIdx.x * blockDim.x + threadIdx.x;
    const bool is_inside = pixel < plane;
    const size_t first = (size_t)blockIdx.y * channels * plane + pixel;
    float sum = 0.0f;
    for (unsigned c = threadIdx.y; is_inside && c < channels; c += blockDim.y) {
        float v = wide(x[first + (size_t)c * plane]);
        sum += v * v;
    }
    sums[threadIdx.y * blockDim.x + threadIdx.x] = sum;
    __syncthreads();
    sum = 0.0f;
    for (unsigned y = 0; y < blockDim.y; ++y) sum += sums[y * blockDim.x + threadIdx.x];
    const float scale = 1.0f / sqrtf(sum / channels + eps);
    for (unsigned c = threadIdx.y; is_inside && c < channels; c += blockDim.y) {
        const size_t at = first + (size_t)c * plane;
        float v = wide(x[at]) * scale * wide(weight[c]) + wide(bias[c]);
        if (residual) v += wide(residual[at]);
        put(&out[at], then_relu ? fmaxf(v, 0.0f) : v);
    }
}

// x + gate · y, one gate per channel of rows `width` wide.
template <typename T>
__device__ void add_scaled(T *out, const T *x, const T *gate, const T *y, unsigned width, unsigned count) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) put(&out[i], wide(x[i]) + wide(gate[i % width]) * wide(y[i]));
}

// silu(gate) · up.
template <typename T>
__device__ void silu_mul(T *out, const T *gate, const T *up, unsigned count) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) put(&out[i], silu_of(wide(gate[i])) * wide(up[i]));
}

// softmax(scale · scores + bias) of rows of `keys` scores. In a causal one the i-th of each `queries` rows sees the keys
// 0 ..= offset + i, and all others are 0; `bias` (f32, one per key) may be missing. One block per row.
template <typename T>
__device__ void softmax(T *out, const T *scores, const float *bias, unsigned queries, unsigned keys, unsigned causal,
                        unsigned offset, float scale) {
    __shared__ float sums[MOST_THREADS];
    const size_t row = (size_t)blockIdx.x * keys;
    const unsigned seen = causal ? min(keys, offset + blockIdx.x % queries + 1) : keys;
    float most = -INFINITY;
    for (unsigned i = threadIdx.x; i < seen; i += blockDim.x) {
        most = fmaxf(most, wide(scores[row + i]) * scale + (bias ? bias[i] : 0.0f));
    }
    most = block_max(most, sums);
    float sum = 0.0f;
    for (unsigned i = threadIdx.x; i < seen; i += blockDim.x) {
        sum += expf(wide(scores[row + i]) * scale + (bias ? bias[i] : 0.0f) - most);
    }
    const float below = 1.0f / block_sum(sum, sums);
    for (unsigned i = threadIdx.x; i < keys; i += blockDim.x) {
        float v = i < seen ? expf(wide(scores[row + i]) * scale + (bias ? bias[i] : 0.0f) - most) * below : 0.0f;
        put(&out[row + i], v);
    }
}

#define DEFINE(T, type)                                                                                                      \
    extern "C" __global__ void rms_norm_##type(T *out, const T *x, const T *weight, unsigned width, float eps,               \
                                               unsigned then_relu) {                                                         \
        rms_norm<T>(out, x, weight, width, eps, then_relu);                                                                  \
    }                                                                                                                        \
    extern "C" __global__ void layer_norm_##type(T *out, const T *x, const T *gain, const T *offset, unsigned width,         \
                                                 float base, float eps) {                                                    \
        layer_norm<T>(out, x, gain, offset, width, base, eps);                                                               \
    }                                                                                                                        \
    extern "C" __global__ void l2_normalize_##type(T *out, const T *x, unsigned width) { l2_normalize<T>(out, x, width); }   \
    extern "C" __global__ void channel_rms_norm_##type(T *out, const T *x, const T *weight, const T *bias,                   \
                                                       const T *residual, unsigned channels, unsigned plane, float eps,      \
                                                       unsigned then_relu) {                                                 \
        channel_rms_norm<T>(out, x, weight, bias, residual, channels, plane, eps, then_relu);                                \
    }                                                                                                                        \
    extern "C" __global__ void add_scaled_##type(T *out, const T *x, const T *gate, const T *y, unsigned width,              \
                                                 unsigned count) {                                                           \
        add_scaled<T>(out, x, gate, y, width, count);                                                                        \
    }                                                                                                                        \
    extern "C" __global__ void silu_mul_##type(T *out, const T *gate, const T *up, unsigned count) {                         \
        silu_mul<T>(out, gate, up, count);                                                                                   \
    }                                                                                                                        \
    extern "C" __global__ void softmax_##type(T *out, const T *scores, const float *bias, unsigned queries, unsigned keys,   \
                                              unsigned causal, unsigned offset, float scale) {                               \
        softmax<T>(out, scores, bias, queries, keys, causal, offset, scale);                                                 \
    }
EACH_TYPE(DEFINE)
#undef DEFINE
