//! Which device computes, and in which type.

use super::{Error, Result, Weights};
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// What a person asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// A graphics card if this build can use one and there is one, else the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda,
    Metal,
}

/// The type of weights (on the CPU, where arithmetic is f32 whatever is stored) or of everything (elsewhere).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtypeChoice {
    /// On the CPU f32 where the memory allows it and as stored where not; elsewhere bf16.
    #[default]
    Auto,
    F32,
    Bf16,
    F16,
}

impl DeviceChoice {
    /// # Errors      the device asked for is not there, or this build cannot use it
    pub fn open(self) -> Result<Device> {
        let unavailable = |name: &'static str, built: bool, source: candle_core::Error| {
            // What candle says goes on with a trace.
            let said = source.to_string();
            let why = if built {
                said.lines().next().unwrap_or_default().to_owned()
            } else {
                format!("this build was made without it (cargo feature {name:?})")
            };
            Error::NoDevice { name, why }
        };
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => Device::new_cuda(0).map_err(|e| unavailable("cuda", cfg!(feature = "cuda"), e)),
            Self::Metal => Device::new_metal(0).map_err(|e| unavailable("metal", cfg!(feature = "metal"), e)),
            Self::Auto if cfg!(feature = "cuda") => Ok(Device::new_cuda(0).unwrap_or(Device::Cpu)),
            Self::Auto if cfg!(feature = "metal") => Ok(Device::new_metal(0).unwrap_or(Device::Cpu)),
            Self::Auto => Ok(Device::Cpu),
        }
    }
}

/// A name for a person.
pub fn name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "CPU",
        Device::Cuda(_) => "CUDA",
        Device::Metal(_) => "Metal",
    }
}

impl DtypeChoice {
    /// The types that a plan may hold weights in, the fastest first.
    pub fn weights(self, device: &Device) -> Vec<Weights> {
        match self {
            Self::F32 => vec![Weights::F32],
            Self::Bf16 => vec![Weights::Bf16],
            Self::F16 => vec![Weights::F16],
            Self::Auto if device.is_cpu() => vec![Weights::F32, Weights::AsStored],
            Self::Auto => vec![Weights::Bf16],
        }
    }
}
