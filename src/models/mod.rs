//! Networks only: tensors in, tensors out. No file, thread, prompt, seed, clock or window is known here.
//!
//! One folder per network, struct fields named as the checkpoint's keys, so that `vb.pp(…)` spells the path of a
//! tensor. Sizes come from the configuration structs, which mirror the checkpoint's configuration files.
//!
//! Architecture Invariant: nothing above `candle` is used.

pub mod dc_ae;
pub mod kernels;
pub mod layers;
pub mod qwen3;
pub mod sana;
pub mod siglip;
pub mod srvgg;
pub mod ta_tok;

use candle_core::{Result, Tensor};
use std::fmt::Arguments;

/// Sees tensors as they pass: for dumps, and as a place to stop. An error ends the forward pass.
pub trait Probe {
    /// Called with the name of a place in the network and the tensor there.
    ///
    /// # Errors      whatever the watcher wants the forward pass to end with
    fn see(&mut self, name: Arguments<'_>, tensor: &Tensor) -> Result<()>;

    /// Called where there is nothing to see but a place to stop.
    ///
    /// # Errors      as for [`Self::see`]
    fn pulse(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether tensors are worth making that only a dump needs.
    fn keeps(&mut self) -> bool {
        false
    }
}

/// Watches nothing.
impl Probe for () {
    fn see(&mut self, _: Arguments<'_>, _: &Tensor) -> Result<()> {
        Ok(())
    }
}
