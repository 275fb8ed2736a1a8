//! A checkpoint on a device, and the run of a request through its stages.

use super::blueprint::Written;
use super::device::{DeviceChoice, DtypeChoice};
use super::load::{Built, Checkpoint, Part};
use super::preview::{self, Latents, PreviewMap};
use super::prompt::PromptWriter;
use super::rng::{Rng, Stream};
use super::watch::Watch;
use super::{Error, Made, Observer, Outcome, Palette, Request, Result, Stage, blueprint, condition, decode, denoise, memory, prepare};
use crate::imaging::{ContextBox, Mask, Picture, crop_to_model, mask_to_model};
use crate::models::layers::Connector;
use crate::models::{dc_ae, qwen3, sana, ta_tok};
use crate::recipe::ModelId;
use candle_core::{DType, Device, Tensor};
use std::path::PathBuf;
use std::sync::Arc;

/// What stays in memory between the stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Residency {
    /// Everything where it fits twice, else stage by stage.
    #[default]
    Auto,
    All,
    /// Each stage loads what it needs and lets it go.
    StageByStage,
}

/// How a model is to be run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub device: DeviceChoice,
    pub dtype: DtypeChoice,
    pub residency: Residency,
    /// Where preview maps are kept.
    pub cache: Option<PathBuf>,
}

/// The parts that are loaded.
#[derive(Default)]
struct Parts {
    vision_tower: Option<ta_tok::TaTok>,
    language_model: Option<qwen3::Qwen3>,
    diffusion_connector: Option<Connector>,
    vae_connector: Option<Connector>,
    transformer: Option<sana::SanaTransformer2D>,
    encoder: Option<dc_ae::Encoder>,
    decoder: Option<dc_ae::Decoder>,
}

/// A model ready to run.
pub struct Engine {
    checkpoint: Checkpoint,
    prompts: PromptWriter,
    device: Device,
    dtype: DType,
    keep_all: bool,
    cache: Option<PathBuf>,
    parts: Parts,
    map: Option<Arc<PreviewMap>>,
    palette: Option<Arc<Palette>>,
}

impl Engine {
    /// Opens a checkpoint and a device. Weights are loaded when a stage first needs them.
    ///
    /// # Errors      the checkpoint cannot be used, or the device is not there
    pub fn open(model: &ModelId, settings: &Settings) -> Result<Self> {
        let checkpoint = Checkpoint::open(model)?;
        let prompts = PromptWriter::new(&checkpoint)?;
        let device = settings.device.open()?;
        let available = memory::available_bytes();
        let (mut values, mut stored) = (0, DType::F32);
        for part in checkpoint.parts() {
            let summary = checkpoint.summary(part)?;
            values += summary.values;
            if part == Part::LanguageModel && summary.bytes < summary.values * 4 {
                stored = if summary.dtypes.contains(&"bf16") { DType::BF16 } else { DType::F16 };
            }
        }
        let dtype = settings.dtype.resolve(&device, values, stored, available);
        let keep_all = match settings.residency {
            Residency::All => true,
            Residency::StageByStage => false,
            Residency::Auto => values * dtype.size_in_bytes() as u64 <= available / 2,
        };
        let (parts, cache) = (Parts::default(), settings.cache.clone());
        Ok(Self { checkpoint, prompts, device, dtype, keep_all, cache, parts, map: None, palette: None })
    }

    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type that weights are held in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Has a request edit the part `seen` of a picture: that is what the model is shown.
    ///
    /// With a selection the model paints within it, and what surrounds it follows the picture; without one the part is also
    /// developed as the autoencoder knows it, if that is wanted, to tell its own error from the edit. A model that cannot
    /// encode does neither: it paints all of the part.
    ///
    /// # Errors      none for a box that is in order
    pub fn edit_part(
        &self,
        request: &mut Request,
        picture: &Picture,
        seen: ContextBox,
        within: Option<&Mask>,
        reconstruct: bool,
    ) -> Result<()> {
        let configs = &self.checkpoint.configs;
        let side = configs.side();
        let shown = crop_to_model(picture, seen, [side as u32; 2]).map_err(|e| Error::Picture(e.to_string()))?;
        request.reference = Some(shown);
        if self.checkpoint.parts().contains(&Part::Encoder) {
            request.free = within.map(|mask| {
                // Every latent pixel that the selection touches.
                let (covered, block) = (mask_to_model(mask, seen, [side as u32; 2]), configs.vae.compression());
                let across = side / block;
                let touched = |i: usize| {
                    let (x, y) = (i % across * block, i / across * block);
                    (y..y + block).any(|y| covered[y * side + x..][..block].iter().any(|v| *v > 0))
                };
                (0..across * across).map(touched).collect()
            });
            request.reconstruct = reconstruct;
        }
        Ok(())
    }

    /// Runs a request.
    ///
    /// # Errors      the request contradicts itself or the model, or a stage fails
    pub fn run(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Outcome> {
        let mut made = Vec::new();
        let mut watch = Watch::new(observer);
        let ended = self.stages(request, &mut watch, &mut made);
        let (cancelled, seconds) = (watch.is_cancelled(), watch.timings().to_vec());
        match ended {
            Ok(()) => Ok(Outcome::Done { made, seconds }),
            Err(_) if cancelled => Ok(Outcome::Cancelled { made }),
            Err(error) => Err(error),
        }
    }

    fn stages(&mut self, request: &Request, watch: &mut Watch, made: &mut Vec<Made>) -> Result<()> {
        let size = self.check(request)?;
        let configs = self.checkpoint.configs.clone();
        // 1. The prompt in tokens.
        let prompt = self.prompts.write(&request.recipe.prompt, request.reference.is_some())?;
        // 2. The reference picture: tokens for the language model, latents for the transformer.
        let (prompt_ids, reference) = self.look(request, &prompt, watch)?;
        // 3. Maps for previews, while the encoder may still be there.
        let map = if watch.wants_previews() { self.preview_map(watch)? } else { None };
        self.release(&[Part::VisionTower, Part::Encoder]);
        // 4. The blueprint, and the hidden states behind it.
        let written = self.write(&prompt_ids, request, watch)?;
        self.release(&[Part::LanguageModel]);
        written.iter().enumerate().for_each(|(v, written)| watch.tokens(v, &written.tokens));
        let variations = written.len();
        let mut reconstruction = None;
        for (v, Written { tokens, hidden }) in written.into_iter().enumerate() {
            watch.variation = (v, variations);
            let recipe = request.recipe.variation(v as u64);
            // 5. What the transformer is told.
            let reference_latents = reference.as_ref().filter(|_| configs.cross || configs.noise);
            let conditions = {
                let joins = reference_latents.filter(|_| configs.cross);
                self.load(&[Part::DiffusionConnector], watch)?;
                if joins.is_some() {
                    self.load(&[Part::VaeConnector], watch)?;
                }
                let diffusion = loaded(&self.parts.diffusion_connector)?;
                let joined = joins.map(|latents| Ok::<_, Error>((loaded(&self.parts.vae_connector)?, latents))).transpose()?;
                condition::conditions(&configs, diffusion, joined, &hidden, request, watch)?
            };
            // 6. The painting.
            let noise = match &request.noise {
                Some(noise) => noise.clone(),
                None => Rng::new(recipe.noise_seed(), Stream::Noise).noise(configs.vae.latent_channels * size.0 * size.1),
            };
            let noise = Tensor::from_vec(noise, (1, configs.vae.latent_channels, size.1, size.0), &self.device)?;
            self.load(&[Part::Transformer], watch)?;
            let beside = reference_latents.filter(|_| configs.noise);
            let transformer = loaded(&self.parts.transformer)?;
            let surroundings = request.free.as_deref().zip(reference.as_ref());
            let surroundings = surroundings.map(|(free, latents)| denoise::Surroundings { latents, free });
            let inputs = denoise::Inputs { conditions: &conditions, noise: &noise, reference: beside, surroundings };
            let path = denoise::denoise(transformer, &configs, &inputs, map.as_ref(), request, watch)?;
            self.release(&[Part::DiffusionConnector, Part::VaeConnector, Part::Transformer]);
            // 7. The picture.
            self.load(&[Part::Decoder], watch)?;
            let last = &path[path.len() - 1];
            let decoder = loaded(&self.parts.decoder)?;
            let picture = decode::decode(decoder, &configs, last, self.arithmetic(), request, watch)?;
            if let (true, None, Some(latents)) = (request.reconstruct, &reconstruction, &reference) {
                reconstruction = Some(decode::decode(decoder, &configs, latents, self.arithmetic(), request, watch)?);
            }
            let path = path.iter().map(Latents::from_tensor).collect::<candle_core::Result<_>>()?;
            made.push(Made { picture, recipe, tokens, path, reconstruction: reconstruction.clone() });
            self.release(&[Part::Decoder]);
            watch.made(&made[made.len() - 1]);
            if watch.is_enough() {
                break;
            }
        }
        Ok(())
    }

    /// The size of the latents (width, height), if the request makes sense.
    fn check(&self, request: &Request) -> Result<(usize, usize)> {
        let (configs, recipe) = (&self.checkpoint.configs, &request.recipe);
        let setting = |what: String| Err(Error::Setting(what));
        if request.reference.is_some() {
            self.checkpoint.can_edit().map_err(Error::CannotEdit)?;
            if (request.free.is_some() || request.reconstruct) && !self.checkpoint.parts().contains(&Part::Encoder) {
                return Err(Error::CannotEdit("its autoencoder's encoder is missing, which an edit of a part needs"));
            }
        } else {
            self.checkpoint.can_generate().map_err(Error::CannotGenerate)?;
        }
        if !(1..=1000).contains(&recipe.steps) {
            return setting(format!("{} steps cannot be made; 1 to 1000 can", recipe.steps));
        }
        if !(1..=16).contains(&request.variations) {
            return setting(format!("{} variations cannot be made at once; 1 to 16 can", request.variations));
        }
        if !recipe.guidance.is_finite() {
            return setting(format!("the guidance {} is no number", recipe.guidance));
        }
        let s = recipe.sampling;
        if !(s.greedy || (s.temperature > 0.0 && s.temperature.is_finite())) {
            return setting(format!("the temperature {} is not above 0; for the likeliest tokens choose greedy", s.temperature));
        }
        if !s.greedy && !(0.0..=1.0).contains(&s.top_p) {
            return setting(format!("top-p {} is not between 0 and 1", s.top_p));
        }
        if s.max_new_tokens.is_some_and(|n| n == 0 || n > 16_384)
            || request.tokens.as_ref().is_some_and(|t| t.is_empty() || t.len() > 16_384)
        {
            return setting("a blueprint has 1 to 16384 tokens".to_owned());
        }
        let f = configs.vae.compression();
        let side = configs.side();
        let (width, height) = recipe.size.map_or((side, side), |s| (s.width as usize, s.height as usize));
        if request.reference.is_some() && (width, height) != (side, side) {
            return setting(format!("this model edits at {side} x {side} pixels, not at {width} x {height}"));
        }
        if width == 0 || height == 0 || width % f != 0 || height % f != 0 || width > 8192 || height > 8192 {
            return setting(format!("{width} x {height} pixels cannot be made; sides are multiples of {f} up to 8192"));
        }
        let size = (width / f, height / f);
        let values = configs.vae.latent_channels * size.0 * size.1;
        if let Some(noise) = request.noise.as_ref().filter(|n| n.len() != values || n.iter().any(|v| !v.is_finite())) {
            return Err(Error::Noise(format!(
                "{} values for latents of {} x {} x {}",
                noise.len(),
                configs.vae.latent_channels,
                size.1,
                size.0
            )));
        }
        if request.free.as_ref().is_some_and(|free| request.reference.is_none() || free.len() != size.0 * size.1) {
            return setting("what may be painted does not fit the picture".to_owned());
        }
        if !request.path.is_empty() {
            let fits = |l: &Latents| {
                (l.channels, l.width, l.height) == (configs.vae.latent_channels, size.0, size.1)
                    && l.values.len() == values
                    && l.values.iter().all(|v| v.is_finite())
            };
            if request.path.len() >= recipe.steps || request.variations != 1 || !request.path.iter().all(fits) {
                return setting("the steps that were made before do not fit this run".to_owned());
            }
        }
        Ok(size)
    }

    /// Stage 2: the prompt with the picture's tokens in place, and the picture's scaled latents.
    fn look(&mut self, request: &Request, prompt: &super::prompt::Prompt, watch: &mut Watch) -> Result<(Vec<u32>, Option<Tensor>)> {
        let ids = |ids: &[u32]| Tensor::from_slice(ids, ids.len(), &Device::Cpu);
        watch.dump("prompt.text_ids", &ids(&prompt.text_ids)?)?;
        let Some(picture) = &request.reference else {
            watch.dump("prompt.ids", &ids(&prompt.text_ids)?)?;
            return Ok((prompt.text_ids.clone(), None));
        };
        let configs = self.checkpoint.configs.clone();
        let dtype = self.arithmetic();
        let encodes = configs.cross || configs.noise || request.reconstruct || request.free.is_some();
        self.load(if encodes { &[Part::VisionTower, Part::Encoder] } else { &[Part::VisionTower] }, watch)?;
        watch.start(Stage::Vision, 2);
        let pixels = prepare::vision_pixels(picture, configs.input_size)?.to_device(&self.device)?;
        watch.dump("vision.pixels", &pixels)?;
        let seen = loaded(&self.parts.vision_tower)?.forward(&pixels.to_dtype(dtype)?, watch)?;
        watch.dump("vision.indices", &seen.indices)?;
        watch.step(Stage::Vision, 1, 2);
        let start = configs.ids.image_start_token_id;
        let tokens: Vec<u32> = seen.indices.flatten_all()?.to_vec1::<u32>()?.into_iter().map(|i| i + start).collect();
        let prompt_ids = prompt.with_reference(&tokens)?;
        watch.dump("prompt.ids", &ids(&prompt_ids)?)?;
        let latents = if encodes {
            let pixels = prepare::reference_pixels(picture, configs.side())?.to_device(&self.device)?;
            watch.dump("ref.pixels", &pixels)?;
            let raw = loaded(&self.parts.encoder)?.forward(&pixels.to_dtype(dtype)?, watch)?;
            watch.dump("ref.latents_raw", &raw)?;
            let latents = ((raw - configs.vae.shift_factor.unwrap_or(0.0))? * configs.vae.scaling_factor)?;
            watch.dump("ref.latents", &latents)?;
            Some(latents)
        } else {
            None
        };
        watch.finish(Stage::Vision);
        Ok((prompt_ids, latents))
    }

    /// Stage 4.
    fn write(&mut self, prompt_ids: &[u32], request: &Request, watch: &mut Watch) -> Result<Vec<Written>> {
        self.load(&[Part::LanguageModel], watch)?;
        let lm = loaded(&self.parts.language_model)?;
        if watch.wants_previews() {
            let palette = match &self.palette {
                Some(palette) => palette.clone(),
                None => {
                    let ids = self.checkpoint.configs.ids;
                    let codes = (ids.image_end_token_id - ids.image_start_token_id) as usize + 1;
                    Arc::new(Palette::of(&lm.embeddings(ids.image_start_token_id as usize, codes)?)?)
                }
            };
            watch.palette(&palette);
            self.palette = Some(palette);
        }
        blueprint::write(lm, &self.checkpoint.configs, &self.device, prompt_ids, request, watch)
    }

    /// The map for previews; `None` where the autoencoder has no encoder to fit it on.
    fn preview_map(&mut self, watch: &mut Watch) -> Result<Option<Arc<PreviewMap>>> {
        if self.map.is_none() && self.checkpoint.parts().contains(&Part::Encoder) {
            let cached = PreviewMap::cached(&self.checkpoint, self.cache.as_deref());
            let map = match cached {
                Some(map) => map,
                None => {
                    self.load(&preview::PARTS, watch)?;
                    let encoder = loaded(&self.parts.encoder)?;
                    PreviewMap::fit(&self.checkpoint, encoder, self.cache.as_deref(), &self.device, self.arithmetic(), watch)?
                }
            };
            self.map = Some(Arc::new(map));
        }
        Ok(self.map.clone())
    }

    /// The type that tensors between the parts have.
    fn arithmetic(&self) -> DType {
        if self.device.is_cpu() { DType::F32 } else { self.dtype }
    }

    fn load(&mut self, parts: &[Part], watch: &mut Watch) -> Result<()> {
        let missing: Vec<Part> = parts.iter().copied().filter(|p| !self.has(*p)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        watch.start(Stage::Load, missing.len());
        for (i, part) in missing.iter().enumerate() {
            crate::models::Probe::pulse(watch)?;
            match self.checkpoint.load(*part, self.dtype, &self.device)? {
                Built::VisionTower(p) => self.parts.vision_tower = Some(p),
                Built::LanguageModel(p) => self.parts.language_model = Some(p),
                Built::DiffusionConnector(p) => self.parts.diffusion_connector = Some(p),
                Built::VaeConnector(p) => self.parts.vae_connector = Some(p),
                Built::Transformer(p) => self.parts.transformer = Some(p),
                Built::Encoder(p) => self.parts.encoder = Some(p),
                Built::Decoder(p) => self.parts.decoder = Some(p),
            }
            watch.step(Stage::Load, i + 1, missing.len());
        }
        watch.finish(Stage::Load);
        Ok(())
    }

    fn has(&self, part: Part) -> bool {
        match part {
            Part::VisionTower => self.parts.vision_tower.is_some(),
            Part::LanguageModel => self.parts.language_model.is_some(),
            Part::DiffusionConnector => self.parts.diffusion_connector.is_some(),
            Part::VaeConnector => self.parts.vae_connector.is_some(),
            Part::Transformer => self.parts.transformer.is_some(),
            Part::Encoder => self.parts.encoder.is_some(),
            Part::Decoder => self.parts.decoder.is_some(),
        }
    }

    /// Lets parts go, unless all may stay.
    fn release(&mut self, parts: &[Part]) {
        if self.keep_all {
            return;
        }
        for part in parts {
            match part {
                Part::VisionTower => self.parts.vision_tower = None,
                Part::LanguageModel => self.parts.language_model = None,
                Part::DiffusionConnector => self.parts.diffusion_connector = None,
                Part::VaeConnector => self.parts.vae_connector = None,
                Part::Transformer => self.parts.transformer = None,
                Part::Encoder => self.parts.encoder = None,
                Part::Decoder => self.parts.decoder = None,
            }
        }
        memory::give_back();
    }

    /// Lets everything go.
    pub fn unload(&mut self) {
        self.parts = Parts::default();
        memory::give_back();
    }
}

fn loaded<T>(part: &Option<T>) -> Result<&T> {
    part.as_ref().ok_or_else(|| Error::Device(candle_core::Error::Msg("a part is not loaded".to_owned())))
}
