//! From hidden states and reference latents to what the transformer is told, with and without the request.

use super::load::Configs;
use super::watch::Watch;
use super::{Request, Result};
use crate::models::layers::Connector;
use crate::models::sana::Condition;
use crate::recipe::{NullAr, NullVae};
use candle_core::Tensor;

/// The two branches of guidance.
pub struct Conditions {
    pub null: Condition,
    pub cond: Condition,
}

/// Builds both branches.
///
/// # Shapes
/// - `hidden`: `(1, n, hidden)`; `reference`: the scaled latents `(1, C, h, w)`, with the connector that reads them
/// # Errors      the device fails
/// # Source      BLIP3o-NEXT `blip3o_qwen_inference.py`; the null settings are those of section 8 of the specification:
///   official inference differs from what training dropped to, and both can be chosen
pub fn conditions(
    configs: &Configs,
    diffusion_connector: &Connector,
    reference: Option<(&Connector, &Tensor)>,
    hidden: &Tensor,
    request: &Request,
    watch: &mut Watch,
) -> Result<Conditions> {
    let n = hidden.dim(1)?;
    let ar = diffusion_connector.forward(hidden)?; // (1, n, width)
    let zero_hidden = hidden.narrow(1, 0, 1)?.zeros_like()?;
    let ar_null = match request.recipe.null_ar {
        NullAr::ConnectorOfZeros => diffusion_connector.forward(&zero_hidden)?, // (1, 1, width)
        NullAr::Zeros => ar.narrow(1, 0, 1)?.zeros_like()?,
    };
    watch.dump("cond.ar", &ar)?;
    watch.dump("cond.ar_null", &Condition::repeated(ar_null.clone(), vec![n]).plain()?.tokens)?;
    let (cond, null) = match reference {
        None => (Condition::new(ar), Condition::repeated(ar_null, vec![n])),
        Some((connector, latents)) => {
            // Channels last, row by row: (1, h · w, C)
            let flat = latents.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
            let m = flat.dim(1)?;
            let vae = connector.forward(&flat)?; // (1, h · w, width)
            let (vae_null, counts) = match request.recipe.null_vae {
                NullVae::Zeros => (vae.narrow(1, 0, 1)?.zeros_like()?, vec![m]),
                NullVae::ConnectorOfZeros => (connector.forward(&flat.narrow(1, 0, 1)?.zeros_like()?)?, vec![m]),
                NullVae::Keep => (vae.clone(), vec![1; m]),
            };
            watch.dump("cond.vae", &vae)?;
            watch.dump("cond.vae_null", &Condition::repeated(vae_null.clone(), counts.clone()).plain()?.tokens)?;
            let null = if request.recipe.null_ar == NullAr::Zeros && request.recipe.null_vae == NullVae::Zeros {
                Condition::repeated(ar_null, vec![n + m])
            } else {
                let counts = std::iter::once(n).chain(counts).collect();
                Condition::repeated(Tensor::cat(&[&ar_null, &vae_null], 1)?, counts)
            };
            (Condition::new(Tensor::cat(&[&ar, &vae], 1)?), null)
        }
    };
    if watch.dumps() {
        watch.dump("cond.encoder_hidden_states", &Tensor::cat(&[&null.plain()?.tokens, &cond.tokens], 0)?)?;
    }
    debug_assert_eq!(cond.tokens.dim(2)?, configs.sana.caption_channels);
    Ok(Conditions { null: if request.plain { null.plain()? } else { null }, cond })
}
