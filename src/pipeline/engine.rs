//! A checkpoint on a device, and the run of a request through its stages.

use super::blueprint::Written;
use super::device::{DeviceChoice, DtypeChoice};
use super::kept::{Asked, Kept, Sight};
use super::load::{self, Built, Checkpoint, Footprint, Holding, Part};
use super::needs::Task;
use super::plan::{self, Facts, Plan, PlanChoice, Residency, Weights};
use super::preview::{self, Latents, PreviewMap};
use super::prompt::{Prompt, PromptWriter};
use super::rng::{Rng, Stream};
use super::watch::Watch;
use super::{
    Blueprint, Error, Made, Observer, Outcome, Palette, Request, Result, Stage, blueprint, condition, decode, denoise, memory, prepare,
};
use crate::imaging::{ContextBox, Mask, Picture, crop_to_model, mask_to_model};
use crate::models::dc_ae::Strips;
use crate::models::layers::Connector;
use crate::models::{dc_ae, qwen3, sana, ta_tok};
use crate::recipe::{ModelId, Recipe};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// How a model is to be run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub device: DeviceChoice,
    pub dtype: DtypeChoice,
    pub plan: PlanChoice,
    /// The most memory to plan with, in bytes; `None`: what is free, but for a reserve.
    pub memory: Option<u64>,
    /// Where preview maps are kept.
    pub cache: Option<PathBuf>,
    /// For tests: memory runs out after these steps of stages, once each in a run.
    pub fail_at: Vec<(Stage, usize)>,
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

/// The prompt with a reference picture's tokens in place, and its scaled latents.
type Seen = (Vec<u32>, Option<Tensor>);

/// What a run has so far, to go on from where memory was short.
#[derive(Default)]
struct Begun {
    seen: Option<Seen>,
    written: Option<Vec<Written>>,
    /// Of the variation that is being painted.
    path: Vec<Tensor>,
    is_painted: bool,
    reconstruction: Option<Picture>,
}

/// A model ready to run.
pub struct Engine {
    checkpoint: Checkpoint,
    prompts: PromptWriter,
    device: Device,
    dtype: DType,
    settings: Settings,
    footprints: Vec<Footprint>,
    parts: Parts,
    /// How the parts that are loaded are held, and in how many bytes.
    held: BTreeMap<Part, (Holding, u64)>,
    keep_all: bool,
    map: Option<Arc<PreviewMap>>,
    palette: Option<Arc<Palette>>,
    kept: Kept,
}

impl Engine {
    /// Opens a checkpoint and a device. Weights are loaded when a stage first needs them.
    ///
    /// # Errors      the checkpoint cannot be used, or the device is not there
    pub fn open(model: &ModelId, settings: &Settings) -> Result<Self> {
        Self::with(Checkpoint::open(model)?, settings)
    }

    /// [`Self::open`] with a checkpoint that is open already.
    ///
    /// # Errors      the tokenizer does not work, or the device is not there
    pub fn with(checkpoint: Checkpoint, settings: &Settings) -> Result<Self> {
        let prompts = PromptWriter::new(&checkpoint)?;
        let device = settings.device.open()?;
        let footprints = checkpoint.parts().into_iter().map(|part| checkpoint.footprint(part)).collect::<load::Result<_>>()?;
        let mut engine = Self {
            checkpoint,
            prompts,
            device,
            dtype: DType::F32,
            settings: settings.clone(),
            footprints,
            parts: Parts::default(),
            held: BTreeMap::new(),
            keep_all: true,
            map: None,
            palette: None,
            kept: Kept::default(),
        };
        engine.dtype = engine.dtype_of(settings.dtype.weights(&engine.device)[0]);
        Ok(engine)
    }

    /// The type of the language model's matrices.
    fn dtype_of(&self, weights: Weights) -> DType {
        let stored = || {
            let bytes = self
                .footprints
                .iter()
                .find(|f| f.part == Part::LanguageModel)
                .map_or((4, 1), |f| (f.rest.matrix_bytes, f.rest.matrix_values));
            let types = self.checkpoint.summary(Part::LanguageModel).map(|s| s.dtypes).unwrap_or_default();
            if bytes.1 > 0 && bytes.0 >= 4 * bytes.1 {
                DType::F32
            } else if types.contains(&"bf16") {
                DType::BF16
            } else {
                DType::F16
            }
        };
        weights.dtype().unwrap_or_else(stored)
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

    /// How a request would use memory now. `edits`: a picture is to be edited, whether it is there yet or not.
    ///
    /// # Errors      the request contradicts itself or the model, or not even the smallest plan fits
    pub fn plan(&self, request: &Request, edits: bool) -> Result<Plan> {
        let size = self.check(request, edits)?;
        let prompt = self.prompts.write(&request.recipe.prompt, edits)?;
        self.plan_for(request, size, edits, prompt.text_ids.len())
    }

    fn plan_for(&self, request: &Request, (width, height): (usize, usize), edits: bool, prompt: usize) -> Result<Plan> {
        memory::give_back();
        let configs = self.checkpoint.configs.clone();
        let weights = self.settings.dtype.weights(&self.device);
        let (is_cpu, threads) = (self.device.is_cpu(), rayon::current_num_threads());
        // Elsewhere the plain operations make copies that the kernels for the CPU do without.
        let (value, exact) = if is_cpu { (4, 4) } else { (2 * self.dtype.size_in_bytes(), self.dtype.size_in_bytes() as u64) };
        let tokens = blueprint::tokens_of(&configs, request);
        let is_used = |part: Part| match part {
            Part::VisionTower | Part::VaeConnector => edits,
            _ => true,
        };
        let (parts, others): (Vec<_>, Vec<_>) = self.footprints.iter().cloned().partition(|f| is_used(f.part));
        let loaded = |part: Part| self.held.get(&part).map_or(0, |(_, bytes)| *bytes);
        // What is loaded or kept can be let go, so that it counts as free.
        let mut memory = memory::of_device(&self.device);
        if memory.free > 0 {
            memory.free += self.held.values().map(|(_, bytes)| bytes).sum::<u64>() + self.kept.prompt_bytes();
        }
        Plan::choose(Facts {
            task: Task { configs, width, height, edits, prompt, tokens, variations: request.variations, value, threads },
            parts,
            weights,
            exact,
            others: others.iter().map(|f| loaded(f.part)).sum(),
            usable: plan::usable_bytes(memory, self.settings.memory),
            choice: self.settings.plan,
        })
    }

    /// Runs a request.
    ///
    /// # Errors      the request contradicts itself or the model, or a stage fails
    pub fn run(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Outcome> {
        let mut made = Vec::new();
        let mut watch = Watch::new(observer, &self.settings.fail_at);
        let ended = self.planned(request, &mut watch, &mut made);
        let (cancelled, seconds) = (watch.is_cancelled(), watch.timings().to_vec());
        match ended {
            Ok(()) => Ok(Outcome::Done { made, seconds }),
            Err(_) if cancelled => Ok(Outcome::Cancelled { made }),
            Err(error) => Err(error),
        }
    }

    /// The stages under the fastest plan that fits. Where memory is short all the same, everything is freed and the run goes
    /// on from what it has under the next smaller plan.
    fn planned(&mut self, request: &Request, watch: &mut Watch, made: &mut Vec<Made>) -> Result<()> {
        let size = self.check(request, request.reference.is_some())?;
        // 1. The prompt in tokens.
        let prompt = self.prompts.write(&request.recipe.prompt, request.reference.is_some())?;
        let mut plan = self.plan_for(request, size, request.reference.is_some(), prompt.text_ids.len())?;
        let mut begun = Begun::default();
        loop {
            self.follow(&plan);
            // The long way is for comparing, and a dump shows everything.
            self.kept.follow(&plan, !request.plain && !watch.dumps());
            watch.plan(&plan);
            let Err(error) = self.stages(request, &prompt, size, &plan, &mut begun, watch, made) else { return Ok(()) };
            if watch.is_cancelled() || !error.is_out_of_memory() {
                return Err(error);
            }
            let Some(next) = plan.step_down() else { return Err(error) };
            tracing::warn!("{error}; {}", next.words);
            self.unload();
            plan = next;
        }
    }

    /// Lets go of what a plan holds in another way.
    fn follow(&mut self, plan: &Plan) {
        self.dtype = self.dtype_of(plan.weights);
        self.keep_all = plan.residency == Residency::All;
        let held: Vec<(Part, Holding)> = self.held.iter().map(|(part, (holding, _))| (*part, *holding)).collect();
        let others: Vec<Part> =
            held.iter().filter(|(part, h)| !self.keep_all || *h != plan.holding(*part)).map(|(part, _)| *part).collect();
        self.drop_parts(&others);
    }

    #[expect(clippy::too_many_arguments, reason = "what a run is made of")]
    fn stages(
        &mut self,
        request: &Request,
        prompt: &Prompt,
        size: (usize, usize),
        plan: &Plan,
        begun: &mut Begun,
        watch: &mut Watch,
        made: &mut Vec<Made>,
    ) -> Result<()> {
        let configs = self.checkpoint.configs.clone();
        let strips = if request.plain { Strips::Whole } else { plan.strips() };
        // 2. The reference picture: tokens for the language model, latents for the transformer.
        let (prompt_ids, reference) = match &begun.seen {
            Some(seen) => seen.clone(),
            None => {
                let (ids, sight) = self.look(request, prompt, plan, watch)?;
                begun.reconstruction = sight.reconstruction.filter(|_| request.reconstruct);
                begun.seen.insert((ids, sight.latents)).clone()
            }
        };
        // 3. Maps for previews, while the encoder may still be there.
        let map = if watch.wants_previews() { self.preview_map(plan, watch)? } else { None };
        self.release(&[Part::VisionTower, Part::Encoder]);
        // 4. The blueprint, and the hidden states behind it.
        let written = match &begun.written {
            Some(written) => written.clone(),
            None => {
                let written = self.write(&prompt_ids, request, plan, watch)?;
                self.kept.settle();
                written.iter().enumerate().for_each(|(v, written)| watch.tokens(v, &written.tokens));
                begun.written.insert(written).clone()
            }
        };
        self.release(&[Part::LanguageModel]);
        let variations = written.len();
        for (v, Written { tokens, hidden }) in written.into_iter().enumerate().skip(made.len()) {
            watch.variation = (v, variations);
            let recipe = request.recipe.variation(v as u64);
            if !begun.is_painted {
                // 5. What the transformer is told.
                let reference_latents = reference.as_ref().filter(|_| configs.cross || configs.noise);
                let conditions = {
                    let joins = reference_latents.filter(|_| configs.cross);
                    self.load(
                        if joins.is_some() { &[Part::DiffusionConnector, Part::VaeConnector] } else { &[Part::DiffusionConnector] },
                        plan,
                        watch,
                    )?;
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
                self.load(&[Part::Transformer], plan, watch)?;
                let beside = reference_latents.filter(|_| configs.noise);
                let transformer = loaded(&self.parts.transformer)?;
                let surroundings = request.free.as_deref().zip(reference.as_ref());
                let surroundings = surroundings.map(|(free, latents)| denoise::Surroundings { latents, free });
                let inputs = denoise::Inputs { conditions: &conditions, noise: &noise, reference: beside, surroundings };
                denoise::denoise(transformer, &configs, &inputs, map.as_ref(), request, &mut begun.path, watch)?;
                begun.is_painted = true;
            }
            self.release(&[Part::DiffusionConnector, Part::VaeConnector, Part::Transformer]);
            // 7. The picture.
            self.load(&[Part::Decoder], plan, watch)?;
            let last = &begun.path[begun.path.len() - 1];
            let decoder = loaded(&self.parts.decoder)?;
            let picture = decode::decode(decoder, &configs, last, self.arithmetic(), strips, watch)?;
            if let (true, None, Some(latents)) = (request.reconstruct, &begun.reconstruction, &reference) {
                let again = decode::decode(decoder, &configs, latents, self.arithmetic(), strips, watch)?;
                self.kept.keep_reconstruction(&again);
                begun.reconstruction = Some(again);
            }
            let path = begun.path.iter().map(Latents::from_tensor).collect::<candle_core::Result<_>>()?;
            let until = (begun.path.len() < recipe.steps).then_some(begun.path.len());
            let recipe = Recipe { until, ..recipe };
            made.push(Made { picture, recipe, tokens, path, reconstruction: begun.reconstruction.clone() });
            (begun.path, begun.is_painted) = (Vec::new(), false);
            self.release(&[Part::Decoder]);
            watch.made(&made[made.len() - 1]);
            if watch.is_enough() {
                break;
            }
        }
        Ok(())
    }

    /// The size of the latents (width, height), if the request makes sense.
    fn check(&self, request: &Request, edits: bool) -> Result<(usize, usize)> {
        let (configs, recipe) = (&self.checkpoint.configs, &request.recipe);
        let setting = |what: String| Err(Error::Setting(what));
        if edits {
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
        if recipe.earlier.iter().any(|stretch| !stretch.guidance.is_finite()) {
            return setting("the guidance of an earlier step is no number".to_owned());
        }
        if recipe.until.is_some_and(|until| until == 0 || until > recipe.steps) {
            return setting(format!("a painting of {} steps cannot be ended after {}", recipe.steps, recipe.until.unwrap_or(0)));
        }
        if recipe.shortcuts.guided.iter().any(|sigma| !sigma.is_finite()) {
            return setting("guidance is at work between two levels of noise, which are numbers from 0 to 1".to_owned());
        }
        if !(recipe.shortcuts.cache >= 0.0 && recipe.shortcuts.cache.is_finite()) {
            return setting(format!("{} is not how much a block may say otherwise: a share, 0 or more", recipe.shortcuts.cache));
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
        if edits && (width, height) != (side, side) {
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
            if request.path.len() >= recipe.until.unwrap_or(recipe.steps) || request.variations != 1 || !request.path.iter().all(fits) {
                return setting("the steps that were made before do not fit this run".to_owned());
            }
        }
        Ok(size)
    }

    /// Stage 2: the prompt with the picture's tokens in place, and the picture itself.
    fn look(&mut self, request: &Request, prompt: &Prompt, plan: &Plan, watch: &mut Watch) -> Result<(Vec<u32>, Sight)> {
        let ids = |ids: &[u32]| Tensor::from_slice(ids, ids.len(), &Device::Cpu);
        watch.dump("prompt.text_ids", &ids(&prompt.text_ids)?)?;
        let Some(picture) = &request.reference else {
            watch.dump("prompt.ids", &ids(&prompt.text_ids)?)?;
            return Ok((prompt.text_ids.clone(), Sight::default()));
        };
        let configs = self.checkpoint.configs.clone();
        let dtype = self.arithmetic();
        let encodes = configs.cross || configs.noise || request.reconstruct || request.free.is_some();
        let fingerprint = Kept::fingerprint(picture);
        if let Some(sight) = self.kept.sight(fingerprint, encodes) {
            let sight = Sight { latents: sight.latents.clone().filter(|_| encodes), ..sight.clone() };
            return Ok((prompt.with_reference(&sight.tokens)?, sight));
        }
        self.load(&[Part::VisionTower], plan, watch)?;
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
        self.release(&[Part::VisionTower]);
        let latents = if encodes {
            self.load(&[Part::Encoder], plan, watch)?;
            watch.step(Stage::Vision, 1, 2);
            let strips = if request.plain { Strips::Whole } else { plan.strips() };
            let pixels = prepare::reference_pixels(picture, configs.side())?.to_device(&self.device)?;
            watch.dump("ref.pixels", &pixels)?;
            let raw = loaded(&self.parts.encoder)?.forward(&pixels.to_dtype(dtype)?, strips, watch)?;
            watch.dump("ref.latents_raw", &raw)?;
            let latents = ((raw - configs.vae.shift_factor.unwrap_or(0.0))? * configs.vae.scaling_factor)?;
            watch.dump("ref.latents", &latents)?;
            Some(latents)
        } else {
            None
        };
        watch.finish(Stage::Vision);
        let sight = Sight { tokens, latents, reconstruction: None };
        self.kept.keep_sight(fingerprint, &sight);
        Ok((prompt_ids, sight))
    }

    /// Stage 4.
    fn write(&mut self, prompt_ids: &[u32], request: &Request, plan: &Plan, watch: &mut Watch) -> Result<Vec<Written>> {
        let asked = Asked::new(prompt_ids, request);
        let is_shown = self.palette.is_some() || !watch.wants_previews();
        if let Some(written) = self.kept.written(&asked).filter(|_| is_shown) {
            if let Some(palette) = &self.palette {
                watch.palette(palette);
            }
            let ids = self.checkpoint.configs.ids;
            let image = (ids.image_start_token_id, ids.image_end_token_id);
            let total = blueprint::tokens_of(&self.checkpoint.configs, request);
            watch.blueprint(|| Blueprint { tokens: written.iter().map(|w| blueprint::codes(&w.tokens, image)).collect(), total });
            return Ok(written.to_vec());
        }
        self.load(&[Part::LanguageModel], plan, watch)?;
        let lm = loaded(&self.parts.language_model)?;
        if watch.wants_previews() {
            let palette = match &self.palette {
                Some(palette) => palette.clone(),
                None => {
                    let ids = self.checkpoint.configs.ids;
                    let codes = (ids.image_end_token_id - ids.image_start_token_id) as usize + 1;
                    Arc::new(Palette::of(codes, self.checkpoint.configs.lm.hidden_size, |from, len| {
                        lm.embeddings(ids.image_start_token_id as usize + from, len)
                    })?)
                }
            };
            watch.palette(&palette);
            self.palette = Some(palette);
        }
        let weights = self.footprints.iter().find(|f| f.part == Part::LanguageModel).map_or(0, Footprint::bytes);
        let mut at_hand = blueprint::AtHand { prefix: &mut self.kept.prefix, weights };
        let written = blueprint::write(lm, &self.checkpoint.configs, &self.device, prompt_ids, request, &mut at_hand, watch)?;
        self.kept.keep_written(asked, &written);
        Ok(written)
    }

    /// The map for previews; `None` where the autoencoder has no encoder to fit it on.
    fn preview_map(&mut self, plan: &Plan, watch: &mut Watch) -> Result<Option<Arc<PreviewMap>>> {
        if self.map.is_none() && self.checkpoint.parts().contains(&Part::Encoder) {
            let cached = PreviewMap::cached(&self.checkpoint, self.settings.cache.as_deref());
            let map = match cached {
                Some(map) => map,
                None => {
                    self.load(&preview::PARTS, plan, watch)?;
                    let encoder = loaded(&self.parts.encoder)?;
                    PreviewMap::fit(&self.checkpoint, encoder, self.settings.cache.as_deref(), &self.device, self.arithmetic(), watch)?
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

    fn load(&mut self, parts: &[Part], plan: &Plan, watch: &mut Watch) -> Result<()> {
        let missing: Vec<Part> = parts.iter().copied().filter(|p| !self.held.contains_key(p)).collect();
        self.make_room(parts, &missing, plan)?;
        if missing.is_empty() {
            return Ok(());
        }
        watch.start(Stage::Load, missing.len());
        for (i, part) in missing.iter().enumerate() {
            crate::models::Probe::pulse(watch)?;
            let holding = plan.holding(*part);
            match self.checkpoint.load(*part, holding, &self.device)? {
                Built::VisionTower(p) => self.parts.vision_tower = Some(p),
                Built::LanguageModel(p) => self.parts.language_model = Some(p),
                Built::DiffusionConnector(p) => self.parts.diffusion_connector = Some(p),
                Built::VaeConnector(p) => self.parts.vae_connector = Some(p),
                Built::Transformer(p) => self.parts.transformer = Some(p),
                Built::Encoder(p) => self.parts.encoder = Some(p),
                Built::Decoder(p) => self.parts.decoder = Some(p),
            }
            self.held.insert(*part, (holding, plan.held_bytes(*part)));
            watch.step(Stage::Load, i + 1, missing.len());
        }
        watch.finish(Stage::Load);
        Ok(())
    }

    /// On the CPU the system kills who asks for too much, so that what is free is looked at before.
    ///
    /// # Errors      what comes next has no room
    fn make_room(&mut self, parts: &[Part], missing: &[Part], plan: &Plan) -> Result<()> {
        let weights: u64 = missing.iter().map(|part| plan.held_bytes(*part)).sum();
        let need = weights + parts.iter().map(|part| plan.working_bytes(*part)).max().unwrap_or(0);
        let device = self.device.clone();
        let free = || match memory::of_device(&device).free {
            0 => u64::MAX, // the system does not tell
            free => free,
        };
        if free() < need {
            self.kept.prefix = None;
            memory::give_back();
            let free = free();
            if free < need {
                return Err(Error::Short { need: plan::size(need), free: plan::size(free) });
            }
        }
        Ok(())
    }

    /// Lets parts go, unless all may stay.
    fn release(&mut self, parts: &[Part]) {
        if !self.keep_all {
            self.drop_parts(parts);
        }
    }

    fn drop_parts(&mut self, parts: &[Part]) {
        for part in parts {
            self.held.remove(part);
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

    /// Lets go of what the runs so far have left, but for the model itself.
    pub fn forget(&mut self) {
        self.kept = Kept::default();
    }

    /// Lets everything go.
    pub fn unload(&mut self) {
        self.forget();
        self.drop_parts(&Part::ALL);
    }
}

fn loaded<T>(part: &Option<T>) -> Result<&T> {
    part.as_ref().ok_or_else(|| Error::Device(candle_core::Error::Msg("a part is not loaded".to_owned())))
}
