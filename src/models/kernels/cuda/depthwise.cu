// Depthwise convolution, plain and gated. A block makes one tile of one channel: the part of the plane under it is read once
// into shared memory, with its frame.
#include "number.cuh"

extern __shared__ float tiles[];

// The tile at (x0, y0) with a frame of kernel / 2 around it, through SiLU if asked; zero outside of the plane.
template <typename T>
__device__ __forceinline__ void read_tile(float *tile, const T *plane, unsigned h, unsigned w, unsigned kernel, unsigned activate) {
    const unsigned pitch = blockDim.x + kernel - 1, rows = blockDim.y + kernel - 1;
    const int x0 = (int)(blockIdx.x * blockDim.x) - (int)(kernel / 2), y0 = (int)(blockIdx.y * blockDim.y) - (int)(kernel / 2);
    for (unsigned i = threadIdx.y * blockDim.x + threadIdx.x; i < pitch * rows; i += blockDim.x * blockDim.y) {
        const int x = x0 + (int)(i % pitch), y = y0 + (int)(i / pitch);
        float v = 0.0f;
        if (x >= 0 && y >= 0 && x < (int)w && y < (int)h) {
            v = wide(plane[(size_t)y * w + x]);
            if (activate) v = silu_of(v);
        }
        tile[i] = v;
    }
}

template <typename T>
__device__ __forceinline__ float filtered(const float *tile, const T *taps, float sum, unsigned kernel) {
    const unsigned pitch = blockDim.x + kernel - 1;
    for (unsigned dy = 0; dy < kernel; ++dy) {
        for (unsigned dx = 0; dx < kernel; ++dx) {
            sum += wide(taps[dy * kernel + dx]) * tile[(threadIdx.y + dy) * pitch + threadIdx.x + dx];
        }
    }
    return sum;
}

// `x` is (B, C, h, w); the grid is (tiles across, tiles down, B · channels made). Gated: the channels made are C / 2, SiLU is
// first, and channel C / 2 + c is the gate of channel c.
template <typename T>
__device__ void depthwise(T *out, const T *x, const T *weight, const T *bias, unsigned channels, unsigned h, unsigned w,
                          unsigned kernel, unsigned gated) {
    const unsigned made = gated ? channels / 2 : channels;
    const unsigned sample = blockIdx.z / made, channel = blockIdx.z % made;
    const size_t plane = (size_t)h * w, taps = (size_t)kernel * kernel;
    float *gates = tiles + (blockDim.x + kernel - 1) * (blockDim.y + kernel - 1);
    read_tile(tiles, x + ((size_t)sample * channels + channel) * plane, h, w, kernel, gated);
    if (gated) read_tile(gates, x + ((size_t)sample * channels + made + channel) * plane, h, w, kernel, 1);
    __syncthreads();
    const unsigned px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
    if (px >= w || py >= h) return;
    float v = filtered(tiles, weight + channel * taps, bias ? wide(bias[channel]) : 0.0f, kernel);
    if (gated) {
        const unsigned gate = made + channel;
        v *= silu_of(filtered(gates, weight + gate * taps, bias ? wide(bias[gate]) : 0.0f, kernel));
    }
    put(&out[(size_t)blockIdx.z * plane + (size_t)py * w + px], v);
}

#define DEFINE(T, type)                                                                                                      \
    extern "C" __global__ void depthwise_##type(T *out, const T *x, const T *weight, const T *bias, unsigned channels,       \
                                                unsigned h, unsigned w, unsigned kernel, unsigned gated) {                   \
        depthwise<T>(out, x, weight, bias, channels, h, w, kernel, gated);                                                   \
    }
EACH_TYPE(DEFINE)
#undef DEFINE
