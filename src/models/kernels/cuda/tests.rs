//! The kernels' own text, compiled as C++ and run thread by thread on the CPU, beside the plain twins. That shows what they
//! compute and how they are launched; whether a card does the same is for `card.rs`.

use super::super::testing::{distance, noise};
use super::super::{
    Mask, add_repeated_shuffled_plain, add_scaled_plain, add_unshuffled_mean_plain, attention_plain, channel_rms_norm_plain,
    depthwise_conv2d_plain, double_plain, gated_depthwise_plain, l2_normalize_plain, layer_norm_modulate_plain, layer_norm_plain,
    linear_attention_plain, rms_norm_plain, silu_mul_plain,
};
use super::*;
use candle_core::{CpuStorage, Device, Storage};
use half::bf16;
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The kernels as a library.
struct Emulated {
    library: libloading::Library,
    _folder: tempfile::TempDir,
}

type Run = unsafe extern "C" fn(*const c_char, *const u32, *const u32, u32, *mut *mut c_void, c_int) -> c_int;

/// `None` where there is no compiler for C++.
fn emulated() -> Option<&'static Emulated> {
    static BUILT: OnceLock<Option<Emulated>> = OnceLock::new();
    let build = || {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libkernels.so");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let built = Command::new("c++")
            .args(["-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-I"])
            .arg(root.join("tests/kernels"))
            .arg("-I")
            .arg(root.join("src/models/kernels/cuda"))
            .arg("-o")
            .args([&library, &root.join("tests/kernels/run.cc")])
            .status();
        let Ok(status) = built else {
            eprintln!("skipped: there is no compiler for C++ (c++)");
            return None;
        };
        assert!(status.success(), "the kernels are no C++");
        // SAFETY: the library that was just built has no initialiser.
        Some(Emulated { library: unsafe { libloading::Library::new(&library) }.unwrap(), _folder: folder })
    };
    BUILT.get_or_init(build).as_ref()
}

/// Where the values of a tensor begin.
fn start(tensor: &Tensor) -> *mut c_void {
    let (storage, layout) = tensor.storage_and_layout();
    let at = layout.start_offset();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(v)) => v[at..].as_ptr().cast_mut().cast(),
        Storage::Cpu(CpuStorage::BF16(v)) => v[at..].as_ptr().cast_mut().cast(),
        _ => panic!("{tensor:?} is not for the emulation"),
    }
}

impl Machine for Emulated {
    fn launch(&self, launch: &Launch) -> Result<Tensor> {
        // The fibres' places are global.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap();
        // SAFETY: this is its signature.
        let run = unsafe { self.library.get::<Run>(b"launch\0") }.unwrap();
        let name = CString::new(format!("{}_{}", launch.kernel, launch.dtype.as_str())).unwrap();
        let made = [0, 1].map(|from_the_last| {
            let count = launch.out.0.elem_count();
            // What is not written shows.
            let (mut f32s, mut bf16s) = (vec![f32::NAN; count], vec![bf16::NAN; count]);
            let out: *mut c_void = if launch.out.1 == DType::F32 { f32s.as_mut_ptr().cast() } else { bf16s.as_mut_ptr().cast() };
            let mut pointers = vec![out];
            pointers.extend(launch.arguments.iter().map(|a| match a {
                Values(tensor) => start(tensor),
                _ => std::ptr::null_mut(),
            }));
            let mut arguments: Vec<*mut c_void> = pointers.iter_mut().map(|p| std::ptr::from_mut(p).cast()).collect();
            for (to, argument) in arguments[1..].iter_mut().zip(&launch.arguments) {
                match argument {
                    Size(n) => *to = std::ptr::from_ref(n).cast_mut().cast(),
                    Real(v) => *to = std::ptr::from_ref(v).cast_mut().cast(),
                    Values(_) | Missing => {}
                }
            }
            let (grid, block) = (launch.grid.as_ptr(), launch.block.as_ptr());
            // SAFETY: every pointer is to a value of this call, and the kernel's are those of the launch.
            let done = unsafe { run(name.as_ptr(), grid, block, launch.shared_bytes, arguments.as_mut_ptr(), from_the_last) };
            assert_eq!(done, 0, "{launch:?}");
            if launch.out.1 == DType::F32 {
                Tensor::from_vec(f32s, &launch.out.0, &Device::Cpu).unwrap()
            } else {
                Tensor::from_vec(bf16s, &launch.out.0, &Device::Cpu).unwrap()
            }
        });
        let bits = |t: &Tensor| t.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let equal = bits(&made[0]).iter().zip(bits(&made[1])).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(equal, "{} depends on the order of its threads", launch.kernel);
        Ok(made[0].clone())
    }
}

/// Holds a kernel against its plain twin in both types. In bf16 the twin gets the rounded values and computes in f32: a kernel
/// rounds once, at its end.
#[track_caller]
fn check(inputs: &[&Tensor], ours: impl Fn(&dyn Machine, &[Tensor]) -> Tensor, plain: impl Fn(&[Tensor]) -> Tensor) {
    let Some(machine) = emulated() else { return };
    for (dtype, most) in [(DType::F32, 2e-6), (DType::BF16, 3e-3)] {
        let narrow = |t: &&Tensor| t.to_dtype(dtype).unwrap();
        let narrow: Vec<Tensor> = inputs.iter().map(narrow).collect();
        let wide: Vec<Tensor> = narrow.iter().map(|t| t.to_dtype(DType::F32).unwrap()).collect();
        let ours = ours(machine, &narrow);
        assert_eq!(ours.dtype(), dtype);
        let error = distance(&ours, &plain(&wide));
        assert!(error < most, "{error:.2e} in {dtype:?}");
    }
}

#[test]
fn norms_of_rows() {
    for width in [3, 33, 192, 2240] {
        let (x, w, b) = ((noise(1, &[2, 5, width]) * 3.0).unwrap(), noise(2, &[width]), noise(3, &[width]));
        let y = noise(4, &[2, 5, width]);
        let ins = [&x, &w, &b, &y];
        for relu in [false, true] {
            check(&ins, |on, t| rms_norm(on, &t[0], &t[1], 1e-5, relu).unwrap(), |t| rms_norm_plain(&t[0], &t[1], 1e-5, relu).unwrap());
        }
        check(&ins, |on, t| l2_normalize(on, &t[0]).unwrap(), |t| l2_normalize_plain(&t[0]).unwrap());
        let ours = |base: f32| move |on: &dyn Machine, t: &[Tensor]| layer_norm(on, &t[0], &t[1], &t[2], base, 1e-6).unwrap();
        check(&ins, ours(0.0), |t| layer_norm_plain(&t[0], &t[1], &t[2], 1e-6).unwrap());
        check(&ins, ours(1.0), |t| layer_norm_modulate_plain(&t[0], &t[1], &t[2], 1e-6).unwrap());
        check(&ins, |on, t| add_scaled(on, &t[0], &t[1], &t[3]).unwrap(), |t| add_scaled_plain(&t[0], &t[1], &t[3]).unwrap());
        check(&ins, |on, t| silu_mul(on, &t[0], &t[3]).unwrap(), |t| silu_mul_plain(&t[0], &t[3]).unwrap());
    }
}

#[test]
fn norms_of_channels() {
    for shape in [[1, 5, 3, 7], [2, 40, 8, 33]] {
        let (x, r, w, b) = (noise(5, &shape), noise(6, &shape), noise(7, &shape[1..2]), noise(8, &shape[1..2]));
        for (has_residual, relu) in [(false, false), (false, true), (true, false), (true, true)] {
            let residual = |t: &[Tensor]| has_residual.then(|| t[3].clone());
            check(
                &[&x, &w, &b, &r],
                |on, t| channel_rms_norm(on, &t[0], &t[1], &t[2], 1e-5, residual(t).as_ref(), relu).unwrap(),
                |t| channel_rms_norm_plain(&t[0], &t[1], &t[2], 1e-5, residual(t).as_ref(), relu).unwrap(),
            );
        }
    }
}

#[test]
fn depthwise_filters() {
    for (shape, kernel) in [([1, 4, 6, 6], 3), ([2, 6, 9, 37], 5), ([1, 2, 1, 1], 3), ([1, 2, 20, 4], 7)] {
        let (x, w, b) = (noise(1, &shape), noise(2, &[shape[1], 1, kernel, kernel]), noise(3, &shape[1..2]));
        for has_bias in [false, true] {
            let bias = |t: &[Tensor]| has_bias.then(|| t[2].clone());
            check(
                &[&x, &w, &b],
                |on, t| depthwise(on, &t[0], &t[1], bias(t).as_ref(), false).unwrap(),
                |t| depthwise_conv2d_plain(&t[0], &t[1], bias(t).as_ref()).unwrap(),
            );
            check(
                &[&x, &w, &b],
                |on, t| depthwise(on, &t[0], &t[1], bias(t).as_ref(), true).unwrap(),
                |t| gated_depthwise_plain(&t[0], &t[1], bias(t).as_ref()).unwrap(),
            );
        }
    }
}

#[test]
fn attention_in_linear_time() {
    for (b, h, d, n) in [(1, 2, 8, 36), (2, 3, 32, 300), (1, 1, 5, 1)] {
        let [q, k, v] = [1, 2, 3].map(|seed| noise(seed, &[b, h, d, n]));
        let views = [&q, &k, &v].map(|t| t.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap().permute((0, 2, 3, 1)).unwrap());
        for inputs in [[&q, &k, &v], [&views[0], &views[1], &views[2]]] {
            for token_major in [false, true] {
                check(
                    &inputs,
                    |on, t| linear_attention(on, &t[0], &t[1], &t[2], 1e-15, token_major).unwrap(),
                    |t| linear_attention_plain(&t[0], &t[1], &t[2], 1e-15, false).unwrap(),
                );
            }
        }
    }
}

#[test]
fn attention_with_softmax() {
    let Some(machine) = emulated() else { return };
    for (b, h, hk, l, m, d) in [(1, 2, 1, 1, 7, 16), (2, 4, 2, 13, 150, 32), (1, 3, 3, 64, 64, 8)] {
        let (q, k, v) = ((noise(1, &[b, h, l, d]) * 4.0).unwrap(), noise(2, &[b, hk, m, d]), noise(3, &[b, hk, m, d]));
        let bias: Vec<f32> = (0..m).map(|i| (1.0 + i as f32).ln()).collect();
        for mask in [Mask::None, Mask::Causal { offset: m - l }, Mask::Causal { offset: 0 }, Mask::KeyBias(&bias)] {
            let ours = super::super::attention::attention_with(machine, &q, &k, &v, mask).unwrap();
            let error = distance(&ours, &attention_plain(&q, &k, &v, mask).unwrap());
            assert!(error < 2e-6, "{error:.2e}");
        }
    }
}

#[test]
fn shuffles() {
    for (c, o) in [(8, 8), (8, 16), (16, 8), (4, 16), (16, 4)] {
        let (large, small) = (noise(1, &[2, c, 6, 10]), noise(2, &[2, o, 3, 5]));
        check(
            &[&small, &large],
            |on, t| add_unshuffled_mean(on, &t[0], &t[1]).unwrap(),
            |t| add_unshuffled_mean_plain(&t[0], &t[1]).unwrap(),
        );
        let (small, large) = (noise(3, &[2, c, 3, 5]), noise(4, &[2, o, 6, 10]));
        check(
            &[&large, &small],
            |on, t| add_repeated_shuffled(on, &t[0], &t[1]).unwrap(),
            |t| add_repeated_shuffled_plain(&t[0], &t[1]).unwrap(),
        );
        check(&[&small], |on, t| double(on, &t[0]).unwrap(), |t| double_plain(&t[0]).unwrap());
    }
}
