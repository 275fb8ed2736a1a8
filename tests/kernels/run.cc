// Runs the kernels for NVIDIA's cards on a CPU. Each thread of a block is a fibre that goes on to the next barrier in its turn;
// turns can be taken from the first thread or from the last, and a kernel without races does not know which.
#include "kernels.cu"

#include <ucontext.h>
#include <utility>
#include <vector>

Place threadIdx, blockIdx, blockDim;
thread_local float tiles[1 << 14];

namespace {
struct Fibre {
    ucontext_t context;
    std::vector<char> stack;
    Place place;
    enum { READY, AT_BARRIER, DONE } state;
};
std::vector<Fibre> fibres;
ucontext_t scheduler;
Fibre *current;
void (*body)(void **);
void **values;

void begin() {
    body(values);
    current->state = Fibre::DONE;
}

template <typename... A, size_t... I> void call(void (*kernel)(A...), void **values, std::index_sequence<I...>) {
    kernel(*static_cast<A *>(values[I])...);
}
template <typename... A> void call(void (*kernel)(A...), void **values) { call(kernel, values, std::index_sequence_for<A...>{}); }

struct Entry {
    const char *name;
    void (*run)(void **);
};
#define BOTH(name)                                                                                                           \
    {#name "_f32", [](void **v) { call(name##_f32, v); }}, {#name "_bf16", [](void **v) { call(name##_bf16, v); }}
const Entry ENTRIES[] = {
    BOTH(rms_norm), BOTH(layer_norm), BOTH(l2_normalize), BOTH(channel_rms_norm), BOTH(add_scaled), BOTH(silu_mul),
    BOTH(softmax), BOTH(depthwise), BOTH(attention_state), BOTH(attention_apply), BOTH(add_unshuffled_mean),
    BOTH(add_repeated_shuffled), BOTH(double),
};
} // namespace

void __syncthreads() {
    current->state = Fibre::AT_BARRIER;
    swapcontext(&current->context, &scheduler);
}

// 0: done; 1: no such kernel; 2: more shared memory than there is; 3: some threads ended while others waited for them.
extern "C" int launch(const char *name, const unsigned *grid, const unsigned *block, unsigned shared_bytes, void **arguments,
                      int from_the_last) {
    body = nullptr;
    for (const Entry &entry : ENTRIES) {
        if (!strcmp(entry.name, name)) body = entry.run;
    }
    if (!body) return 1;
    if (shared_bytes > sizeof tiles) return 2;
    values = arguments;
    blockDim = {block[0], block[1], block[2]};
    const size_t threads = (size_t)block[0] * block[1] * block[2];
    fibres.resize(threads);
    for (unsigned z = 0; z < grid[2]; ++z) {
        for (unsigned y = 0; y < grid[1]; ++y) {
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
                // What a block did not write it must not read.
                std::fill(tiles, tiles + sizeof tiles / sizeof *tiles, NAN);
                for (size_t i = 0; i < threads; ++i) {
                    Fibre &fibre = fibres[i];
                    fibre.place = {(unsigned)(i % block[0]), (unsigned)(i / block[0] % block[1]), (unsigned)(i / block[0] / block[1])};
                    fibre.state = Fibre::READY;
                    fibre.stack.resize(1 << 16);
                    getcontext(&fibre.context);
                    fibre.context.uc_stack.ss_sp = fibre.stack.data();
                    fibre.context.uc_stack.ss_size = fibre.stack.size();
                    fibre.context.uc_link = &scheduler;
                    makecontext(&fibre.context, begin, 0);
                }
                for (size_t left = threads; left > 0;) {
                    size_t ended = 0, waits = 0;
                    for (size_t i = 0; i < threads; ++i) {
                        Fibre &fibre = fibres[from_the_last ? threads - 1 - i : i];
                        if (fibre.state == Fibre::DONE) continue;
                        current = &fibre;
                        threadIdx = fibre.place;
                        swapcontext(&scheduler, &fibre.context);
                        ended += fibre.state == Fibre::DONE;
                        waits += fibre.state == Fibre::AT_BARRIER;
                    }
                    if (ended && waits) return 3;
                    left -= ended;
                }
            }
        }
    }
    return 0;
}
