//! Our own operations where candle is slow on the CPU, each beside the plain candle twin that defines it.
//!
//! Every public function takes tensors on any device. On the CPU in f32 it runs our kernel, on NVIDIA's cards the one in
//! `cuda` if there is one; anywhere else it runs its `*_plain` twin, which is made of ordinary candle operations. The tests of
//! each file hold the two together. Products and convolutions are cuBLAS' and candle's on a card.
//!
//! The kernels are plain loops: `simd!` compiles them for the best instruction set that the processor has, rayon
//! spreads them over the cores. Matrices are multiplied by our own AMX or AVX-512 where a processor has it, by the `gemm` crate
//! elsewhere; within [`with_rounded_products`] the factors of products with weights are rounded to bf16 first. `unsafe` stands
//! here, in `matrix.rs`, `amx.rs`, `avx512.rs`, `dots.rs` and `cuda` only.

/// Runs a loop compiled for the best instruction set of this processor.
///
/// It is compiled that way only if it is inlined into the function that pulp has for the instruction set. So the parts of the
/// loop are `#[inline(always)]`, as is the closure that is made here, and that is called directly: behind `FnOnce` there
/// would be a function in between.
macro_rules! simd {
    ($work:expr) => {
        $crate::models::kernels::dispatch(
            #[inline(always)]
            || $work,
        )
    };
}

/// Returns what a card makes of it, where a tensor lies on one.
macro_rules! on_card {
    ($x:expr, $kernel:ident($($argument:expr),*)) => {
        #[cfg(feature = "cuda")]
        if $crate::models::kernels::cuda::runs($x) {
            return $crate::models::kernels::cuda::$kernel($crate::models::kernels::cuda::CARD, $($argument),*);
        }
    };
}

mod activation;
#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
mod conv2d;
#[cfg(any(test, feature = "cuda"))]
mod cuda;
mod depthwise;
#[cfg(target_arch = "x86_64")]
mod dots;
mod linear;
mod linear_attention;
mod matrix;
mod norm;
mod rounded;
mod shuffle;
mod upsample;
mod winograd;

pub use activation::{gelu_tanh, gelu_tanh_plain, relu, silu, silu_mul, silu_mul_plain, silu_plain};
pub use attention::{Mask, attention, attention_plain};
pub use blocks::{BlockType, Blocks};
pub use conv2d::{conv2d, conv2d_plain, conv2d_prelu, conv2d_prelu_plain};
pub use depthwise::{depthwise_conv2d, depthwise_conv2d_plain, gated_depthwise, gated_depthwise_plain};
pub use linear::{FEW_ROWS, Matrix, linear, linear_from_map, linear_plain, linear_to_map};
pub use linear_attention::{linear_attention, linear_attention_plain};
pub use norm::{
    add_scaled, add_scaled_plain, channel_rms_norm, channel_rms_norm_plain, l2_normalize, l2_normalize_plain, layer_norm,
    layer_norm_modulate, layer_norm_modulate_plain, layer_norm_plain, rms_norm, rms_norm_plain,
};
pub use rounded::with_rounded_products;
pub use shuffle::{
    add_repeated_shuffled, add_repeated_shuffled_plain, add_shuffled, add_shuffled_plain, add_unshuffled_mean, add_unshuffled_mean_plain,
    double, double_plain,
};
pub use upsample::{upsample, upsample_plain};

use candle_core::{DType, Device, Result, Storage, StorageRef, Tensor, bail};

/// True where our kernels apply.
fn is_fast(x: &Tensor) -> bool {
    matches!(x.device(), Device::Cpu) && x.dtype() == DType::F32
}

/// The function behind [`simd`].
#[inline(always)]
fn dispatch<R>(work: impl FnMut() -> R) -> R {
    struct Work<F>(F);
    impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Work<F> {
        type Output = R;

        #[inline(always)]
        fn call(mut self) -> R {
            (self.0)()
        }
    }
    #[cfg(target_arch = "x86_64")]
    if avx512::is_here() {
        // SAFETY: the processor was asked.
        return unsafe { avx512::wide(work) };
    }
    pulp::Arch::new().dispatch(Work(work))
}

/// A buffer that `work` fills part by part, several at a time: (number of the part, the part) in any order. What stands in a part
/// before is undefined but initialised, and all of it must be written.
///
/// Small parts are made in a buffer that stays in the nearest cache and copied, so that memory is written once. Larger ones
/// are filled with zeros first, a part at a time: all at once would be a pass over memory of its own, by one thread.
fn built(len: usize, part: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    use rayon::prelude::*;
    const SMALL: usize = 1 << 14;
    const HUGE: usize = 8 << 20; // more than caches hold until it is read
    #[cfg(target_arch = "x86_64")]
    let streams = len >= HUGE && avx512::is_here();
    let mut out = Vec::with_capacity(len);
    out.spare_capacity_mut()[..len].par_chunks_mut(part.max(1)).enumerate().for_each(|(i, out)| {
        if part <= SMALL {
            let mut made = Scratch::new(out.len());
            let made = &mut made.0[..out.len()];
            work(i, made);
            #[cfg(target_arch = "x86_64")]
            if streams {
                // SAFETY: the processor was asked.
                unsafe { avx512::stream(made, out) };
                return;
            }
            out.write_copy_of_slice(made);
        } else {
            out.fill(std::mem::MaybeUninit::new(0.0));
            // SAFETY: all of it was just written.
            work(i, unsafe { out.assume_init_mut() });
        }
    });
    // SAFETY: so many numbers were reserved, and every part of them was written.
    unsafe { out.set_len(len) };
    out
}

/// So many zeros, written by all threads where they are many.
fn zeros(len: usize) -> Vec<f32> {
    const MANY: usize = 1 << 19;
    if len < MANY { vec![0.0; len] } else { built(len, activation::CHUNK, |_, part| part.fill(0.0)) }
}

/// Lets the processor fetch what will be read soon; prefetchers of its own do not go from page to page.
#[inline(always)]
fn fetch(soon: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in soon.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which nothing depends on.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

/// The sum of partial sums, by halves: as quick as vectors are, and more exact than one after the other.
#[inline(always)]
fn fold<const N: usize>(mut part: [f32; N]) -> f32 {
    let mut n = N;
    while n > 1 {
        n /= 2;
        let (low, high) = part.split_at_mut(n);
        low.iter_mut().zip(&high[..n]).for_each(|(l, h)| *l += h);
    }
    part[0]
}

/// The f32 values of a CPU tensor, from its first element on; strides are the tensor's.
struct Values<'a> {
    storage: StorageRef<'a>,
    start: usize,
}

impl<'a> Values<'a> {
    fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        if !matches!(&*storage, Storage::Cpu(_)) || tensor.dtype() != DType::F32 {
            bail!("expected f32 values on the CPU, found {:?} on {:?}", tensor.dtype(), tensor.device());
        }
        let start = layout.start_offset();
        Ok(Self { storage, start })
    }

    fn as_slice(&self) -> Result<&[f32]> {
        match &*self.storage {
            Storage::Cpu(cpu) => Ok(&cpu.as_slice::<f32>()?[self.start..]),
            _ => bail!("expected values on the CPU"),
        }
    }
}

/// A buffer of this thread, lent out and kept for the next time. Its content is undefined but initialised.
#[derive(Default)]
struct Scratch(Vec<f32>);

thread_local! {
    static SPARE: std::cell::RefCell<Vec<Vec<f32>>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl Scratch {
    fn new(len: usize) -> Self {
        let mut made = Self::default();
        made.first(len);
        made
    }

    /// The first so many numbers of it, which is empty where nothing was asked of it before.
    fn first(&mut self, len: usize) -> &mut [f32] {
        if self.0.is_empty() && len > 0 {
            self.0 = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        if self.0.len() < len {
            self.0.resize(len, 0.0);
        }
        &mut self.0[..len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // A few megabytes per thread stay; a rare huge buffer goes back to the system.
        if (1..=8 << 20).contains(&buffer.len()) {
            SPARE.with_borrow_mut(|spare| spare.push(buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_filled_whatever_their_size() {
        for (len, part) in [(0, 5), (1000, 7), (100_000, 50_000), ((8 << 20) + 77, 1001)] {
            let made = built(len, part, |i, out| out.iter_mut().enumerate().for_each(|(j, o)| *o = (i * part + j) as f32));
            assert!(made.len() == len && made.iter().enumerate().all(|(i, v)| *v == i as f32), "{len} in parts of {part}");
            drop(made);
            assert!(zeros(len) == vec![0.0; len]); // also where something else stood
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    /// Values in [-1, 1), the same on every machine.
    pub fn noise(seed: u64, shape: &[usize]) -> Tensor {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    /// |a - b| / |b| in the L2 norm.
    pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.dims(), b.dims());
        let (a, b) = (a.to_dtype(DType::F64).unwrap(), b.to_dtype(DType::F64).unwrap());
        let norm = |t: Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap().sqrt();
        norm((a - &b).unwrap()) / norm(b).max(1e-30)
    }

    #[track_caller]
    pub fn assert_close(fast: &Tensor, plain: &Tensor) {
        let d = distance(fast, plain);
        assert!(d < 2e-6, "relative distance {d:.2e}");
    }
}
