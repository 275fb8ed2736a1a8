//! Cargo's build script: our kernels for NVIDIA's cards as PTX, the code that a driver compiles for its card. Without the feature
//! `cuda` it does nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=packaging/kernels.rs");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo::rerun-if-changed=src/models/kernels/cuda");
    for name in ["NVCC", "CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let home = ["CUDA_HOME", "CUDA_PATH"].iter().find_map(std::env::var_os).map(|home| Path::new(&home).join("bin/nvcc"));
    let nvcc = std::env::var_os("NVCC").map(PathBuf::from).or(home).unwrap_or_else(|| "nvcc".into());
    let capability = std::env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| "80".to_owned());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("kernels.ptx");
    // No fast mathematics: the kernels are held against plain operations.
    let ended = Command::new(&nvcc)
        .args(["-ptx", "-O3", "--std=c++17", &format!("-arch=compute_{capability}"), "-o"])
        .arg(&out)
        .arg("src/models/kernels/cuda/kernels.cu")
        .status();
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{} ended with {status}", nvcc.display())),
        Err(error) => fail(&format!("{} does not start ({error}); packaging/build_cuda.sh brings one", nvcc.display())),
    }
}

fn fail(why: &str) -> ! {
    eprintln!("the kernels for CUDA were not compiled: {why}");
    std::process::exit(1);
}
