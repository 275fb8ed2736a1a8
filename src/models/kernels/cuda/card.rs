//! Kernels on a card: loaded from the code that nvcc made of them when the program was built.

use super::super::attention::attention_with;
use super::super::{
    Mask, add_repeated_shuffled_plain, add_scaled_plain, add_unshuffled_mean_plain, attention_plain, channel_rms_norm_plain,
    depthwise_conv2d_plain, double_plain, gated_depthwise_plain, l2_normalize_plain, layer_norm_plain, linear_attention_plain,
    rms_norm_plain, silu_mul_plain,
};
use super::{Argument, Launch, Machine};
use candle_core::cuda_backend::cudarc::driver::{CudaView, DeviceRepr, LaunchConfig, PushKernelArg as _};
use candle_core::cuda_backend::{CudaDType, CudaStorage, WrapErr as _};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Result, Storage, Tensor, bail};
use half::{bf16, f16};
use std::sync::OnceLock;

/// Code of the virtual machine that drivers compile for their card.
const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// The card that tensors lie on.
pub struct Card;

pub const CARD: &Card = &Card;

/// Whether our kernels run where a tensor lies. They are held against their plain twins when that is first asked; a driver
/// that cannot load them, or a card on which they compute something else, gets the plain twins, and the log says so.
pub fn runs(x: &Tensor) -> bool {
    static TRUSTED: OnceLock<bool> = OnceLock::new();
    let knows = matches!(x.dtype(), DType::F32 | DType::BF16 | DType::F16);
    let Device::Cuda(_) = x.device() else { return false };
    let trusted = || match proved(x.device()) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!("our kernels are not used on this card: {error}");
            false
        }
    };
    knows && *TRUSTED.get_or_init(trusted)
}

/// Runs every kernel once beside its plain twin, which gets the same values in f32.
///
/// # Errors      a kernel does not run, or computes something else
pub fn proved(device: &Device) -> Result<()> {
    let bias: Vec<f32> = (0..300).map(|i| i as f32 / 300.0).collect();
    for (dtype, most) in [(DType::F32, 1e-5), (DType::BF16, 2e-2), (DType::F16, 4e-3)] {
        let narrow = Inputs::new(|shape, step| {
            let count = shape.iter().product::<usize>();
            let values = (0..count).map(|i| (i as f64 * step).sin() as f32).collect::<Vec<_>>();
            Tensor::from_vec(values, shape, device)?.to_dtype(dtype)
        })?;
        let wide = narrow.wide()?;
        for ((name, ours), plain) in ours(&narrow, &bias)?.into_iter().zip(plain(&wide, &bias)?) {
            let norm = |t: Tensor| t.sqr()?.sum_all()?.to_scalar::<f32>().map(f32::sqrt);
            let error = norm((ours.to_dtype(DType::F32)? - &plain)?)? / norm(plain)?.max(1e-30);
            tracing::debug!("{name} in {dtype:?}: {error:.2e} from its plain twin");
            if error.is_nan() || error > most {
                bail!("{name} in {dtype:?} is {error:.2e} from its plain twin");
            }
        }
    }
    Ok(())
}

/// What kernels are tried with.
struct Inputs {
    /// Two maps `(2, 8, 12, 34)`, and one with twice the channels and half the sides.
    x: Tensor,
    y: Tensor,
    small: Tensor,
    /// For rows of 34, and for 8 channels.
    rows: [Tensor; 2],
    channels: [Tensor; 2],
    filters: Tensor,
    /// Queries, keys and values `(2, 3, 32, 300)`.
    heads: [Tensor; 3],
}

impl Inputs {
    fn new(mut wave: impl FnMut(&[usize], f64) -> Result<Tensor>) -> Result<Self> {
        let head = [2, 3, 32, 300];
        Ok(Self {
            x: wave(&[2, 8, 12, 34], 0.7)?,
            y: wave(&[2, 8, 12, 34], 1.3)?,
            small: wave(&[2, 16, 6, 17], 0.3)?,
            rows: [wave(&[34], 0.9)?, wave(&[34], 0.4)?],
            channels: [wave(&[8], 0.9)?, wave(&[8], 0.4)?],
            filters: wave(&[8, 1, 3, 3], 1.1)?,
            heads: [wave(&head, 0.7)?, wave(&head, 1.9)?, wave(&head, 0.31)?],
        })
    }

    fn wide(&self) -> Result<Self> {
        let wide = |t: &Tensor| t.to_dtype(DType::F32);
        Ok(Self {
            x: wide(&self.x)?,
            y: wide(&self.y)?,
            small: wide(&self.small)?,
            rows: [wide(&self.rows[0])?, wide(&self.rows[1])?],
            channels: [wide(&self.channels[0])?, wide(&self.channels[1])?],
            filters: wide(&self.filters)?,
            heads: [wide(&self.heads[0])?, wide(&self.heads[1])?, wide(&self.heads[2])?],
        })
    }

    /// Queries, keys and values `(2, 3, 300, 32)`.
    fn token_major(&self) -> Result<[Tensor; 3]> {
        let turned = |t: &Tensor| t.transpose(2, 3)?.contiguous();
        Ok([turned(&self.heads[0])?, turned(&self.heads[1])?, turned(&self.heads[2])?])
    }
}

fn ours(with: &Inputs, bias: &[f32]) -> Result<Vec<(&'static str, Tensor)>> {
    let Inputs { x, y, small, rows: [row, other], channels: [channel, more], filters, heads: [q, k, v] } = with;
    let turned = with.token_major()?;
    let attend = |mask| attention_with(CARD, &turned[0], &turned[1], &turned[2], mask);
    Ok(vec![
        ("rms_norm", super::rms_norm(CARD, x, row, 1e-6, true)?),
        ("layer_norm", super::layer_norm(CARD, x, row, other, 0.0, 1e-6)?),
        ("l2_normalize", super::l2_normalize(CARD, x)?),
        ("channel_rms_norm", super::channel_rms_norm(CARD, x, channel, more, 1e-5, Some(y), true)?),
        ("add_scaled", super::add_scaled(CARD, x, row, y)?),
        ("silu_mul", super::silu_mul(CARD, x, y)?),
        ("depthwise", super::depthwise(CARD, x, filters, Some(channel), false)?),
        ("gated depthwise", super::depthwise(CARD, x, filters, None, true)?),
        ("linear_attention", super::linear_attention(CARD, q, k, v, 1e-15, true)?),
        ("add_unshuffled_mean", super::add_unshuffled_mean(CARD, small, x)?),
        ("add_repeated_shuffled", super::add_repeated_shuffled(CARD, x, small)?),
        ("double", super::double(CARD, x)?),
        ("causal attention", attend(Mask::Causal { offset: 0 })?),
        ("attention with biases", attend(Mask::KeyBias(bias))?),
    ])
}

/// The same in the same order.
fn plain(with: &Inputs, bias: &[f32]) -> Result<Vec<Tensor>> {
    let Inputs { x, y, small, rows: [row, other], channels: [channel, more], filters, heads: [q, k, v] } = with;
    let turned = with.token_major()?;
    let attend = |mask| attention_plain(&turned[0], &turned[1], &turned[2], mask);
    Ok(vec![
        rms_norm_plain(x, row, 1e-6, true)?,
        layer_norm_plain(x, row, other, 1e-6)?,
        l2_normalize_plain(x)?,
        channel_rms_norm_plain(x, channel, more, 1e-5, Some(y), true)?,
        add_scaled_plain(x, row, y)?,
        silu_mul_plain(x, y)?,
        depthwise_conv2d_plain(x, filters, Some(channel))?,
        gated_depthwise_plain(x, filters, None)?,
        linear_attention_plain(q, k, v, 1e-15, true)?,
        add_unshuffled_mean_plain(small, x)?,
        add_repeated_shuffled_plain(x, small)?,
        double_plain(x)?,
        attend(Mask::Causal { offset: 0 })?,
        attend(Mask::KeyBias(bias))?,
    ])
}

/// What is behind a pointer that a kernel reads.
enum Read<'a> {
    F32(CudaView<'a, f32>),
    Bf16(CudaView<'a, bf16>),
    F16(CudaView<'a, f16>),
    Nothing(u64),
    Size(u32),
    Real(f32),
}

impl Machine for Card {
    fn launch(&self, launch: &Launch) -> Result<Tensor> {
        match launch.out.1 {
            DType::F32 => run::<f32>(launch),
            DType::BF16 => run::<bf16>(launch),
            DType::F16 => run::<f16>(launch),
            other => bail!("no kernel makes values of type {other:?}"),
        }
    }
}

fn run<T: CudaDType + DeviceRepr>(launch: &Launch) -> Result<Tensor> {
    let first = launch.arguments.iter().find_map(|a| if let Argument::Values(t) = a { Some(*t) } else { None });
    let Some(Device::Cuda(device)) = first.map(Tensor::device) else { bail!("{} runs on a card only", launch.kernel) };
    let shape = launch.out.0.clone();
    if shape.elem_count() == 0 {
        return Tensor::zeros(shape, launch.out.1, &Device::Cuda(device.clone()));
    }
    let kernel = format!("{}_{}", launch.kernel, launch.dtype.as_str());
    let function = device.get_or_load_custom_func(&kernel, "pentimento", PTX)?;
    let storages: Vec<_> =
        launch.arguments.iter().map(|a| if let Argument::Values(t) = a { Some(t.storage_and_layout()) } else { None }).collect();
    let mut read = Vec::new();
    for (argument, held) in launch.arguments.iter().zip(&storages) {
        read.push(match (argument, held) {
            (Argument::Values(tensor), Some((storage, layout))) => {
                let (Storage::Cuda(storage), at) = (&**storage, layout.start_offset()..) else { bail!("values on two devices") };
                match tensor.dtype() {
                    DType::F32 => Read::F32(storage.as_cuda_slice::<f32>()?.slice(at)),
                    DType::BF16 => Read::Bf16(storage.as_cuda_slice::<bf16>()?.slice(at)),
                    DType::F16 => Read::F16(storage.as_cuda_slice::<f16>()?.slice(at)),
                    other => bail!("no kernel reads values of type {other:?}"),
                }
            }
            (Argument::Size(n), _) => Read::Size(*n),
            (Argument::Real(v), _) => Read::Real(*v),
            _ => Read::Nothing(0),
        });
    }
    // SAFETY: every kernel writes each value of its output.
    let mut out = unsafe { device.alloc::<T>(shape.elem_count())? };
    let mut builder = function.builder();
    builder.arg(&mut out);
    for read in &read {
        match read {
            Read::F32(view) => builder.arg(view),
            Read::Bf16(view) => builder.arg(view),
            Read::F16(view) => builder.arg(view),
            Read::Nothing(null) => builder.arg(null),
            Read::Size(n) => builder.arg(n),
            Read::Real(v) => builder.arg(v),
        };
    }
    let [grid, block] = [launch.grid, launch.block].map(|[x, y, z]| (x, y, z));
    // SAFETY: `mod.rs` gives each kernel the arguments that it is declared with, of shapes that were compared; the tests
    // run the same launches.
    unsafe { builder.launch(LaunchConfig { grid_dim: grid, block_dim: block, shared_mem_bytes: launch.shared_bytes }) }.w()?;
    drop(builder);
    let storage = CudaStorage::wrap_cuda_slice(out, device.clone());
    Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_equal_their_plain_twins_on_this_card() {
        match Device::new_cuda(0) {
            Ok(device) => proved(&device).unwrap(),
            Err(error) => eprintln!("skipped: there is no card ({error})"),
        }
    }
}
