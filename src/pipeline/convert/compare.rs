//! What fewer bits cost: each stage of a converted model beside the same stage of the original, given the same inputs.
//!
//! A stage is measured by the original with this one component exchanged, so that everything before it is equal; tokens and
//! noise are the original's throughout.

use super::super::load::{Checkpoint, Part};
use super::super::{Dump, Engine, Error, Observer, Outcome, Request, Result, Settings};
use super::plan::Component;
use crate::imaging::Picture;
use crate::recipe::{ModelId, Recipe, Sampling};
use candle_core::Tensor;
use serde::Serialize;

/// One number of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    pub component: Component,
    /// Name in a dump, or what else was compared.
    pub what: &'static str,
    /// |theirs - original| / |original| in the L2 norm.
    pub error: f64,
}

/// A converted model beside the original.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    pub model: String,
    /// Of all weights, on the disk.
    pub bytes: u64,
    pub measures: Vec<Measure>,
    /// The share of picture tokens that TA-Tok finds as before, 0 to 1; `None` where the model has none.
    pub same_codes: Option<f64>,
    /// Of the picture beside the original's, with all components exchanged; in decibels, none if they are equal.
    pub picture_psnr: Option<f64>,
    /// Pixels' bytes that differ, 0 to 1; `None` where no picture was asked for.
    pub picture_differs: Option<f64>,
}

const PROMPT: &str = "a fox in the snow";
const VISION: [&str; 2] = ["vision.z", "vision.indices"];
/// After the first layer, whose input is equal, and after all of them, which carry errors on.
const LANGUAGE: [&str; 3] = ["ar.layer.0", "ar.logits.2", "cond.hidden"];
const BRANCHES: [&str; 3] = ["dit.0.block.0", "dit.0.uncond", "dit.0.cond"];

/// Compares models with an original, in that order; the original's own sizes come first, with no measures.
///
/// `steps` are those of the painting; `pictures` says whether to develop them, which takes long at full size. `tell` hears
/// what is being done.
///
/// # Errors      a model cannot be used, or they are not of one shape
pub fn compare(
    original: &ModelId,
    others: &[ModelId],
    steps: usize,
    pictures: bool,
    settings: &Settings,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Compared>> {
    let checkpoint = Checkpoint::open(original)?;
    let mut recipe = Recipe { steps, seed: 1, ..Recipe::new(original.clone(), PROMPT) };
    recipe.sampling = Sampling { image_tokens_only: true, ignore_eos: true, ..recipe.sampling };
    let mut request = Request::new(recipe);
    let edit = Request { reference: Some(scene()?), ..request.clone() };
    if checkpoint.can_generate().is_err() {
        request = edit.clone();
    }
    let last_latents = format!("dit.{}.latents", steps.saturating_sub(1));
    let mut names: Vec<&str> = LANGUAGE.into_iter().chain(BRANCHES).chain([last_latents.as_str(), "ar.generated"]).collect();
    names.push("image");

    tell("the original");
    let until = if pictures { "image" } else { &last_latents };
    let reference = run(Checkpoint::open(original)?, &request, &names, until, settings)?;
    let tokens = numbers(&reference, "ar.generated")?;
    request.tokens = Some(tokens.iter().map(|t| *t as u32).collect());
    let sees = checkpoint.can_edit().is_ok().then(|| run(Checkpoint::open(original)?, &edit, &VISION, VISION[1], settings)).transpose()?;

    let mut table = vec![sized(original, &checkpoint)?];
    for id in others {
        let other = Checkpoint::open(id)?;
        let mut row = sized(id, &other)?;
        let mut measure = |row: &mut Compared, component: Component, request: &Request, names: &[&'static str], until: &str, to: &Dump| {
            tell(&format!("{}: {}", row.model, component.name()));
            let parts: Vec<Part> = component.parts().iter().copied().filter(|p| checkpoint.parts().contains(p)).collect();
            let mixed = Checkpoint::open(original)?.with_parts_of(&other, &parts)?;
            let mut wanted = names.to_vec();
            wanted.push(until);
            let found = run(mixed, request, &wanted, until, settings)?;
            for what in names.iter().filter(|n| **n != VISION[1]) {
                row.measures.push(Measure { component, what, error: distance(&numbers(&found, what)?, &numbers(to, what)?) });
            }
            Ok::<Dump, Error>(found)
        };
        if let Some(sees) = &sees {
            let found = measure(&mut row, Component::ImageTokenizer, &edit, &VISION, VISION[1], sees)?;
            let (ours, theirs) = (numbers(&found, VISION[1])?, numbers(sees, VISION[1])?);
            let same = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
            row.same_codes = Some(same as f64 / theirs.len().max(1) as f64);
        }
        measure(&mut row, Component::LanguageModel, &request, &LANGUAGE, LANGUAGE[2], &reference)?;
        let found = measure(&mut row, Component::Transformer, &request, &BRANCHES, &last_latents, &reference)?;
        let error = distance(&numbers(&found, &last_latents)?, &numbers(&reference, &last_latents)?);
        row.measures.push(Measure { component: Component::Transformer, what: "latents after the last step", error });
        for component in [Component::Connectors, Component::Autoencoder] {
            if let Some(error) = weights_distance(&checkpoint, &other, component)? {
                row.measures.push(Measure { component, what: "weights", error });
            }
        }
        if pictures {
            tell(&format!("{}: a picture", row.model));
            let found = run(other, &request, &["image"], "image", settings)?;
            let (ours, theirs) = (numbers(&found, "image")?, numbers(&reference, "image")?);
            let squares = ours.iter().zip(&theirs).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / theirs.len().max(1) as f64;
            row.picture_psnr = (squares > 0.0).then(|| 10.0 * (255.0 * 255.0 / squares).log10());
            row.picture_differs = Some(ours.iter().zip(&theirs).filter(|(a, b)| a != b).count() as f64 / theirs.len().max(1) as f64);
        }
        table.push(row);
    }
    Ok(table)
}

fn sized(id: &ModelId, checkpoint: &Checkpoint) -> Result<Compared> {
    let mut bytes = 0;
    for part in checkpoint.parts() {
        bytes += checkpoint.summary(part)?.bytes;
    }
    Ok(Compared { model: id.name(), bytes, measures: Vec::new(), same_codes: None, picture_psnr: None, picture_differs: None })
}

/// Runs until a tensor is there.
fn run(checkpoint: Checkpoint, request: &Request, names: &[&str], until: &str, settings: &Settings) -> Result<Dump> {
    struct Until {
        dump: Dump,
        last: String,
    }
    impl Observer for Until {
        fn dump(&mut self) -> Option<&mut Dump> {
            Some(&mut self.dump)
        }

        fn is_cancelled(&self) -> bool {
            self.dump.names().any(|name| name == self.last)
        }
    }
    let mut observer = Until { dump: Dump::only(names), last: until.to_owned() };
    match Engine::with(checkpoint, settings)?.run(request, &mut observer)? {
        Outcome::Done { .. } | Outcome::Cancelled { .. } => Ok(observer.dump),
    }
}

fn numbers(dump: &Dump, name: &str) -> Result<Vec<f64>> {
    let missing = || candle_core::Error::Msg(format!("{name} was not computed"));
    let tensor: Tensor = dump.get(name)?.ok_or_else(missing)?;
    Ok(tensor.flatten_all()?.to_dtype(candle_core::DType::F64)?.to_vec1()?)
}

fn distance(ours: &[f64], theirs: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut ours.iter().zip(theirs).map(|(a, b)| a - b)) / norm(&mut theirs.iter().copied()).max(f64::MIN_POSITIVE)
}

/// The relative distance of all weights of a component that is taken as it is; `None` where there is none.
fn weights_distance(a: &Checkpoint, b: &Checkpoint, component: Component) -> Result<Option<f64>> {
    let (mut differs, mut all) = (0.0, 0.0);
    for part in component.parts().iter().filter(|p| a.parts().contains(p)) {
        for name in a.names(*part)? {
            let (Some(ours), Some(theirs)) = (b.tensors.0.get(&name), a.tensors.0.get(&name)) else { continue };
            if ours.raw() == theirs.raw() && ours.stored == theirs.stored {
                all += 1.0;
                continue;
            }
            let (ours, theirs) = (ours.widened(0..ours.values())?, theirs.widened(0..theirs.values())?);
            differs += ours.iter().zip(&theirs).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            all += theirs.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        }
    }
    Ok((all > 0.0).then(|| (differs / all).sqrt()))
}

/// A picture with something in all its parts.
fn scene() -> Result<Picture> {
    const SIDE: u32 = 384;
    let wave = |x: u32, y: u32, c: f64| (f64::from(x) / (17.0 + 9.0 * c)).sin() * (f64::from(y) / (29.0 - 8.0 * c)).cos() * 0.5 + 0.5;
    let disc = |x: u32, y: u32| (f64::from(x) - 200.0).hypot(f64::from(y) - 150.0) < 90.0;
    let mut rgb = Vec::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let colour = [0.0, 1.0, 2.0].map(|c| if disc(x, y) { wave(y, x, 2.0 - c) } else { wave(x, y, c) });
            rgb.extend(colour.map(|v| (v * 255.0) as u8));
        }
    }
    Picture::from_rgb8(SIDE, SIDE, &rgb).map_err(|e| Error::Picture(e.to_string()))
}
