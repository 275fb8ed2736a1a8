// Attention in linear time: first the state of each head, v relu(k)ᵀ and the sums of relu(k), then every token's product with it.
#include "number.cuh"

const unsigned WIDEST = 32;

// `state` is (B · h, d + 1, d) f32: row i < d is sum over tokens of v[i] · relu(k[j]), row d the sum of relu(k[j]). `k`, `v` are
// (B, h, d, n) with the strides given, in values. One block of (d, d)
// threads per head, d at most 32.
template <typename T>
__device__ void attention_state(float *state, const T *k, const T *v, unsigned heads, unsigned d, unsigned n, unsigned kb,
                                unsigned kh, unsigned kd, unsigned kn, unsigned vb, unsigned vh, unsigned vd, unsigned vn) {
    __shared__ float keys[WIDEST][WIDEST + 1], values[WIDEST][WIDEST + 1];
    const unsigned sample = blockIdx.x / heads, head = blockIdx.x % heads;
    const T *key = k + (size_t)sample * kb + (size_t)head * kh, *value = v + (size_t)sample * vb + (size_t)head * vh;
    const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x, threads = blockDim.x * blockDim.y;
    float sum = 0.0f, total = 0.0f;
    for (unsigned first = 0; first < n; first += WIDEST) {
        for (unsigned i = thread; i < d * WIDEST; i += threads) {
            // Neighbours read what lies side by side.
            const unsigned channel = kd == 1 ? i % d : i / WIDEST, token = kd == 1 ? i / d : i % WIDEST;
            const bool is_inside = first + token < n;
            keys[channel][token] = is_inside ? fmaxf(wide(key[(size_t)channel * kd + (size_t)(first + token) * kn]), 0.0f) : 0.0f;
            values[channel][token] = is_inside ? wide(value[(size_t)channel * vd + (size_t)(first + token) * vn]) : 0.0f;
        }
        __syncthreads();
        for (unsigned token = 0; token < WIDEST; ++token) {
            sum += values[threadIdx.y][token] * keys[threadIdx.x][token];
            total += keys[threadIdx.x][token];
        }
        __syncthreads();
    }
    float *to = state + (size_t)blockIdx.x * (d + 1) * d;
    to[threadIdx.y * d + threadIdx.x] = sum;
    if (threadIdx.y == 0) to[d * d + threadIdx.x] = total;
}

// out[i] = state[i] · relu(q) / (totals · relu(q) + eps), one thread per token; the grid is (runs of tokens, B · h). `out` is
// (B, h, d, n), or (B, n, h, d) if `token_major`.
template <typename T>
__device__ void attention_apply(T *out, const float *state, const T *q, unsigned heads, unsigned d, unsigned n, unsigned qb,
                                unsigned qh, unsigned qd, unsigned qn, float eps, unsigned token_major) {
    __shared__ float held[(WIDEST + 1) * WIDEST];
    const float *from = state + (size_t)blockIdx.y * (d + 1) * d;
    for (unsigned i = threadIdx.x; i < (d + 1) * WIDEST; i += blockDim.x) {
        const unsigned row = i / WIDEST, column = i % WIDEST;
        held[i] = column < d ? from[row * d + column] : 0.0f;
    }
    __syncthreads();
    const unsigned token = blockIdx.x * blockDim.x + threadIdx.x, sample = blockIdx.y / heads, head = blockIdx.y % heads;
    if (token >= n) return;
    const T *query = q + (size_t)sample * qb + (size_t)head * qh + (size_t)token * qn;
    float x[WIDEST];
#pragma unroll
    for (unsigned j = 0; j < WIDEST; ++j) x[j] = j < d ? fmaxf(wide(query[(size_t)j * qd]), 0.0f) : 0.0f;
    float below = 0.0f;
#pragma unroll
    for (unsigned j = 0; j < WIDEST; ++j) below += held[d * WIDEST + j] * x[j];
    const float scale = 1.0f / (below + eps);
    for (unsigned i = 0; i < d; ++i) {
        float sum = 0.0f;
#pragma unroll
        for (unsigned j = 0; j < WIDEST; ++j) sum += held[i * WIDEST + j] * x[j];
        const size_t at = token_major ? (((size_t)sample * n + token) * heads + head) * d + i : ((size_t)blockIdx.y * d + i) * n + token;
        put(&out[at], sum * scale);
    }
}

#define DEFINE(T, type)                                                                                                      \
    extern "C" __global__ void attention_state_##type(float *state, const T *k, const T *v, unsigned heads, unsigned d,      \
                                                      unsigned n, unsigned kb, unsigned kh, unsigned kd, unsigned kn,        \
                                                      unsigned vb, unsigned vh, unsigned vd, unsigned vn) {                  \
        attention_state<T>(state, k, v, heads, d, n, kb, kh, kd, kn, vb, vh, vd, vn);                                        \
    }                                                                                                                        \
    extern "C" __global__ void attention_apply_##type(T *out, const float *state, const T *q, unsigned heads, unsigned d,    \
                                                      unsigned n, unsigned qb, unsigned qh, unsigned qd, unsigned qn,        \
                                                      float eps, unsigned token_major) {                                     \
        attention_apply<T>(out, state, q, heads, d, n, qb, qh, qd, qn, eps, token_major);                                    \
    }
EACH_TYPE(DEFINE)
#undef DEFINE
