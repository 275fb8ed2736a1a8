//! The diffusion stage: from noise to latents.

use super::condition::Conditions;
use super::load::Configs;
use super::preview::{Latents, PreviewMap};
use super::scheduler::Schedule;
use super::watch::{Branch, Watch};
use super::{Preview, Request, Result, Stage};
use crate::models::Probe;
use crate::models::kernels::with_rounded_products;
use crate::models::sana::{BlockCache, SanaTransformer2D};
use crate::recipe::Solver;
use candle_core::{DType, Tensor};
use std::sync::Arc;

/// What a painting begins with.
pub struct Inputs<'a> {
    pub conditions: &'a Conditions,
    /// `(1, C, h, w)` f32.
    pub noise: &'a Tensor,
    /// Scaled latents of the noise's shape, laid beside it.
    pub reference: Option<&'a Tensor>,
    /// What surrounds that which is painted.
    pub surroundings: Option<Surroundings<'a>>,
}

/// Latents that are followed where nothing is painted.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Of the reference, scaled; of the noise's shape.
    pub latents: &'a Tensor,
    /// Where the model paints: `(h, w)`.
    pub free: &'a [bool],
}

/// Runs the steps with guidance, the branches without and with the request side by side.
///
/// `path` becomes the latents after every step, `(1, C, h, w)` f32 each. What is in it, or else what `request.path` brought
/// along, was painted before: the painting goes on behind it. A run that is short of memory has there what is painted.
/// Where the observer has enough before the end, or the recipe was ended there, the last are what was predicted then.
/// Outside of what is free, the latents are the surroundings' own at each level of noise, (1 - sigma) x0 + sigma noise.
/// Keys, values and times are computed once; `plain` computes them at every step.
///
/// # Errors      cancelled, or the device fails
/// # Source      BLIP3o-NEXT `blip3o_qwen_inference.py`, diffusers 0.34 `FlowMatchEulerDiscreteScheduler.step`
pub fn denoise(
    sana: &SanaTransformer2D,
    configs: &Configs,
    inputs: &Inputs,
    map: Option<&Arc<PreviewMap>>,
    request: &Request,
    path: &mut Vec<Tensor>,
    watch: &mut Watch,
) -> Result<()> {
    let Inputs { conditions, noise, reference, surroundings } = *inputs;
    let recipe = &request.recipe;
    let schedule = Schedule::new(recipe.steps, configs.shift);
    let (_, channels, _, width) = noise.dims4()?;
    let dtype = sana.dtype();
    watch.dump("noise", noise)?;
    watch.dump("dit.sigmas", &Tensor::new(schedule.sigmas.as_slice(), noise.device())?)?;
    watch.dump("dit.timesteps", &Tensor::new(schedule.timesteps.as_slice(), noise.device())?)?;
    watch.start(Stage::Denoise, recipe.steps);
    let contexts = |watch: &mut Watch| -> Result<_> {
        let mut branch = Branch::default();
        let null = sana.context(&conditions.null, &mut branch.watching(watch))?;
        let cond = sana.context(&conditions.cond, &mut branch.watching(watch))?;
        branch.dump(watch)?;
        Ok((null, cond))
    };
    let once = contexts(watch)?;
    let times = sana.timesteps(&schedule.timesteps)?;
    if watch.dumps() {
        let both = |t: &Tensor| Tensor::cat(&[t, t], 0);
        watch.dump("dit.0.time", &both(&times.modulation(0)?.flatten_all()?.unsqueeze(0)?)?)?;
        watch.dump("dit.0.time.1", &both(&times.embedding(0)?)?)?;
    }
    let reference = reference.map(|r| r.to_dtype(dtype)).transpose()?;
    let held = surroundings.map(|s| Held::new(s, noise)).transpose()?;
    let hold = |x: Tensor, sigma: f32| held.as_ref().map_or(Ok(x.clone()), |held| held.hold(&x, sigma));
    if path.is_empty() {
        for latents in &request.path {
            path.push(latents.to_tensor(noise.device())?);
        }
    }
    let threshold = recipe.shortcuts.cache;
    let mut cache = (threshold > 0.0).then(|| BlockCache::new(threshold));
    // The velocity with guidance, what the two branches say, and x0 = x - sigma · v.
    let mut predict = |x: &Tensor, step: usize, watch: &mut Watch| -> Result<Said> {
        let sigma = schedule.sigmas[step];
        let guides = (recipe.shortcuts.guided[0]..=recipe.shortcuts.guided[1]).contains(&sigma);
        let current = x.to_dtype(dtype)?;
        let input = match &reference {
            None => current,
            Some(reference) if configs.noise_by_channel() => Tensor::cat(&[&current, reference], 1)?,
            Some(reference) => Tensor::cat(&[&current, reference], 3)?,
        };
        let input = if guides { Tensor::cat(&[&input, &input], 0)? } else { input }; // (2 or 1, C, h, w or 2w)
        let mut places = watch.in_step(step);
        let (again, now);
        let (contexts, times, at) = if request.plain {
            again = contexts(&mut Watch::silent())?;
            now = sana.timesteps(&schedule.timesteps[step..=step])?;
            (&again, &now, 0)
        } else {
            (&once, &times, step)
        };
        let branches = [&contexts.0, &contexts.1];
        let v = with_rounded_products(recipe.shortcuts.rounded, || {
            sana.forward(&input, &branches[usize::from(!guides)..], times, at, cache.as_mut(), &mut places)
        })?;
        let v = v.narrow(1, 0, channels)?.narrow(3, 0, width)?.to_dtype(DType::F32)?;
        let cond = v.narrow(0, usize::from(guides), 1)?;
        let uncond = v.narrow(0, 0, 1)?;
        let guided = if guides { (&uncond + ((&cond - &uncond)? * f64::from(recipe.guidance_at(step)))?)? } else { cond.clone() };
        let x0 = (x - (&guided * f64::from(sigma))?)?;
        Ok(Said { uncond, cond, guided, x0 })
    };
    // What was painted before without surroundings begins in them now.
    let after = |path: &[Tensor], steps: usize| -> Result<Tensor> {
        let x = if steps == 0 { noise } else { &path[steps - 1] };
        hold(x.to_dtype(DType::F32)?, schedule.sigmas[steps])
    };
    let mut x = after(path, path.len())?;
    let looks_back = recipe.shortcuts.solver != Solver::Euler;
    // A run that goes on predicts once more what was predicted before, so that it goes on as it would have gone: the last step,
    // or all of them, since it may be any step's blocks that a cache holds.
    let mut before = None;
    if looks_back || threshold > 0.0 {
        let first = if threshold > 0.0 { 0 } else { path.len().saturating_sub(1) };
        for step in first..path.len() {
            watch.pulse()?;
            let said = predict(&after(path, step)?, step, &mut Watch::silent())?;
            before = looks_back.then_some(said.x0);
        }
    }
    for step in path.len()..recipe.steps {
        watch.pulse()?;
        let Said { uncond, cond, guided, x0 } = predict(&x, step, watch)?;
        let predicted = hold(x0.clone(), 0.0)?;
        // Rounded to the model's type after each step, as the reference does it; nothing happens in f32.
        let moved = match recipe.shortcuts.solver {
            Solver::Euler => (&x + (&guided * f64::from(schedule.delta(step)))?)?,
            Solver::DpmPlusPlus2M => schedule.second_order(step, &x, &x0, before.as_ref())?,
        };
        before = looks_back.then_some(x0);
        x = hold(moved, schedule.sigmas[step + 1])?;
        x = x.to_dtype(dtype)?.to_dtype(DType::F32)?;
        if watch.dumps() {
            for (name, tensor) in [("uncond", &uncond), ("cond", &cond), ("guided", &guided), ("latents", &x)] {
                watch.dump(&format!("dit.{step}.{name}"), tensor)?;
            }
        }
        let enough = watch.is_enough() || recipe.until == Some(step + 1);
        if enough {
            x = predicted.clone();
        }
        if let Some(map) = map {
            let latents = Latents::from_tensor(&predicted)?;
            watch.preview(Preview { step: step + 1, steps: recipe.steps, latents, map: map.clone() });
        }
        watch.latents(step + 1, &x)?;
        path.push(x.clone());
        watch.step(Stage::Denoise, step + 1, recipe.steps);
        if enough {
            break;
        }
    }
    watch.finish(Stage::Denoise);
    Ok(())
}

/// What the model says at a step, `(1, C, h, w)` each.
struct Said {
    uncond: Tensor,
    cond: Tensor,
    guided: Tensor,
    x0: Tensor,
}

/// [`Surroundings`] as tensors on the device.
struct Held {
    /// 1 where the model paints; of the noise's shape.
    free: Tensor,
    latents: Tensor,
    noise: Tensor,
}

impl Held {
    fn new(surroundings: Surroundings, noise: &Tensor) -> Result<Self> {
        let (_, _, height, width) = noise.dims4()?;
        let free: Vec<u8> = surroundings.free.iter().map(|free| u8::from(*free)).collect();
        let free = Tensor::from_vec(free, (1, 1, height, width), noise.device())?.broadcast_as(noise.shape())?.contiguous()?;
        let noise = noise.to_dtype(DType::F32)?;
        Ok(Self { free, latents: surroundings.latents.to_dtype(DType::F32)?, noise })
    }

    /// What is painted stays; the rest is what surrounds it, under so much noise.
    fn hold(&self, x: &Tensor, sigma: f32) -> Result<Tensor> {
        let around = ((&self.latents * f64::from(1.0 - sigma))? + (&self.noise * f64::from(sigma))?)?;
        Ok(self.free.where_cond(x, &around)?)
    }
}
