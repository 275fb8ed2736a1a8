// Pixels into channels and back, one thread per value made.
#include "number.cuh"

// y + the mean of each group of consecutive channels of the pixel-unshuffled x: x is (B, c, 2h, 2w), y and out (B, o, h, w).
template <typename T>
__device__ void add_unshuffled_mean(T *out, const T *y, const T *x, unsigned c, unsigned o, unsigned h, unsigned w, unsigned count) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const unsigned column = i % w, row = i / w % h, channel = i / ((size_t)w * h) % o, sample = i / ((size_t)w * h * o);
    const unsigned group = 4 * c / o;
    float sum = 0.0f;
    for (unsigned u = channel * group; u < (channel + 1) * group; ++u) {
        const size_t plane = (size_t)sample * c + u / 4;
        sum += wide(x[(plane * 2 * h + 2 * row + u / 2 % 2) * 2 * w + 2 * column + u % 2]);
    }
    put(&out[i], wide(y[i]) + sum / group);
}

// y + x with every channel repeated in place, pixel-shuffled: x is (B, c, h, w), y and out (B, o, 2h, 2w).
template <typename T>
__device__ void add_repeated_shuffled(T *out, const T *y, const T *x, unsigned c, unsigned o, unsigned h, unsigned w, unsigned count) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const unsigned column = i % (2 * w), row = i / (2 * w) % (2 * h);
    const unsigned channel = i / ((size_t)4 * w * h) % o, sample = i / ((size_t)4 * w * h * o);
    const unsigned repeats = 4 * o / c, source = (channel * 4 + row % 2 * 2 + column % 2) / repeats;
    put(&out[i], wide(y[i]) + wide(x[(((size_t)sample * c + source) * h + row / 2) * w + column / 2]));
}

// Every pixel as a block of 2 x 2: x is (planes, h, w).
template <typename T>
__device__ void double_size(T *out, const T *x, unsigned w, unsigned count) {
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    // Rows of all planes follow each other, so that two of them always have one source.
    const size_t column = i % (2 * w), row = i / (2 * w);
    out[i] = x[row / 2 * w + column / 2];
}

#define DEFINE(T, type)                                                                                                      \
    extern "C" __global__ void add_unshuffled_mean_##type(T *out, const T *y, const T *x, unsigned c, unsigned o,            \
                                                          unsigned h, unsigned w, unsigned count) {                          \
        add_unshuffled_mean<T>(out, y, x, c, o, h, w, count);                                                                \
    }                                                                                                                        \
    extern "C" __global__ void add_repeated_shuffled_##type(T *out, const T *y, const T *x, unsigned c, unsigned o,          \
                                                            unsigned h, unsigned w, unsigned count) {                        \
        add_repeated_shuffled<T>(out, y, x, c, o, h, w, count);                                                              \
    }                                                                                                                        \
    extern "C" __global__ void double_##type(T *out, const T *x, unsigned w, unsigned count) { double_size<T>(out, x, w, count); }
EACH_TYPE(DEFINE)
#undef DEFINE
