//! Parity with the PyTorch reference on recorded cases (made by `record.py`), and two canaries that must fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod again;
mod checkpoint;
mod surroundings;
mod torch_random;
mod upscaled;

use candle_core::{DType, Tensor};
use pentimento::imaging;
use pentimento::pipeline::load::Misfits;
use pentimento::pipeline::{self, DeviceChoice, DtypeChoice, Dump, Engine, Made, Observer, Outcome, Request, Settings, load};
use pentimento::recipe::{ModelId, NullAr, NullVae, Quality, Recipe, Sampling, Shortcuts};
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::PathBuf;

/// The tolerances, all of them.
mod tolerance {
    /// |ours - theirs| / |theirs| in the L2 norm, of floats. Rounding gives about 5e-6.
    pub const RELATIVE: f64 = 1e-4;
    /// The largest difference of a byte of the picture, out of 255.
    pub const PICTURE: f64 = 2.0;
    // Integers (ids, tokens, codes) are equal.
}

/// Tensors that every dump must have, besides those of pictures and blocks.
const ALWAYS: [&str; 14] = [
    "prompt.ids",
    "ar.generated",
    "ar.logits.0",
    "ar.layer.0",
    "ar.final",
    "cond.hidden",
    "cond.ar",
    "cond.ar_null",
    "cond.encoder_hidden_states",
    "dit.timesteps",
    "dit.0.block.0",
    "dit.0.latents",
    "vae.input",
    "image",
];
const WITH_PICTURE: [&str; 3] = ["vision.pixels", "vision.selected", "vision.indices"];
const WITH_LATENTS: [&str; 2] = ["ref.pixels", "ref.latents"];

/// Gathers the dump of a run.
#[derive(Default)]
struct Gather(Dump);

impl Observer for Gather {
    fn dump(&mut self) -> Option<&mut Dump> {
        Some(&mut self.0)
    }
}

/// Looked for when it runs, since a test for a graphics card may run elsewhere than where it was built.
fn cases() -> PathBuf {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    root.join("tests/golden/cases")
}

fn read_case(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(cases().join(format!("{name}.json"))).unwrap()).unwrap()
}

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(cases().join(format!("{name}.safetensors"))).unwrap()
}

/// The checkpoint of a case in a folder that goes with the guard.
fn folder(name: &str, case: &Value, change: impl FnOnce(&mut checkpoint::Weights)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut weights = checkpoint::weights(case);
    change(&mut weights);
    let tokenizer = cases().join(format!("{}.tokenizer.json", case["size"].as_str().unwrap()));
    checkpoint::write(case, &weights, &tokenizer, folder.path());
    let pth = cases().join(format!("{name}.ta_tok.pth"));
    if pth.exists() {
        std::fs::copy(pth, folder.path().join("ta_tok.pth")).unwrap();
    }
    folder
}

/// The request that a case was recorded with.
fn request(model: ModelId, case: &Value, reference: &SafeTensors) -> Request {
    let mut recipe = Recipe::new(model, case["prompt"].as_str().unwrap());
    recipe.sampling.greedy = true;
    let mut arguments = case["run"].as_array().unwrap().iter().map(|a| a.as_str().unwrap());
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().unwrap();
        match name {
            "--steps" => recipe.steps = value().parse().unwrap(),
            "--guidance" => recipe.guidance = value().parse().unwrap(),
            "--image-tokens-only" => recipe.sampling.image_tokens_only = true,
            "--ignore-eos" => recipe.sampling.ignore_eos = true,
            "--null-ar" => recipe.null_ar = if value() == "zeros" { NullAr::Zeros } else { NullAr::ConnectorOfZeros },
            "--null-vae" => {
                recipe.null_vae = match value() {
                    "zeros" => NullVae::Zeros,
                    "keep" => NullVae::Keep,
                    _ => NullVae::ConnectorOfZeros,
                }
            }
            other => panic!("the argument {other} is not known to the test"),
        }
    }
    let noise = reference.tensor("noise").unwrap();
    let mut request = Request::new(recipe);
    request.noise = Some(floats(&noise).iter().map(|v| *v as f32).collect());
    request.reference = case["picture"].as_str().map(|name| imaging::open(&cases().join(format!("{name}.png"))).unwrap());
    request
}

/// The size that the noise of a case asks for.
fn with_size(mut request: Request, engine: &Engine, reference: &SafeTensors) -> Request {
    let noise = reference.tensor("noise").unwrap();
    let f = engine.checkpoint().configs.vae.compression() as u32;
    let side = |i: usize| noise.shape()[i] as u32 * f;
    request.recipe.size = Some(pentimento::recipe::Size { width: side(3), height: side(2) });
    request
}

fn floats(view: &safetensors::tensor::TensorView) -> Vec<f64> {
    let data = view.data();
    match view.dtype() {
        safetensors::Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect(),
        safetensors::Dtype::I64 => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        safetensors::Dtype::U8 => data.iter().map(|b| f64::from(*b)).collect(),
        other => panic!("{other:?} in a recorded dump"),
    }
}

/// Our values at the places that were recorded.
fn thinned(ours: &Tensor, recorded: usize, case: &Value) -> Vec<f64> {
    let all: Vec<f64> = ours.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap();
    if all.len() == recorded {
        return all;
    }
    let stride = case["stride"].as_u64().unwrap() as usize;
    (0..recorded).map(|i| all[i * stride % all.len()]).collect()
}

/// What is out of tolerance: a line each. Prints the worst of every case.
fn compare(name: &str, case: &Value, reference: &SafeTensors, dump: &Dump) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut worst = (0.0, String::new());
    let mut compared = 0;
    for (tensor, view) in reference.tensors() {
        let Some(ours) = dump.get(&tensor).unwrap() else { continue };
        let shape: Vec<u64> = case["dumped"][&tensor].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect();
        if ours.elem_count() as u64 != shape.iter().product::<u64>() {
            wrong.push(format!("{tensor}: shape {:?} instead of {shape:?}", ours.dims()));
            continue;
        }
        let theirs = floats(&view);
        let ours = thinned(&ours, theirs.len(), case);
        compared += 1;
        let norm = theirs.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-30);
        let distance = theirs.iter().zip(&ours).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / norm;
        let (at, largest) = theirs.iter().zip(&ours).map(|(a, b)| (a - b).abs()).enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let ok = match view.dtype() {
            safetensors::Dtype::F32 => distance <= tolerance::RELATIVE && ours.iter().all(|v| v.is_finite()),
            safetensors::Dtype::U8 => largest <= tolerance::PICTURE,
            _ => largest == 0.0,
        };
        if view.dtype() == safetensors::Dtype::F32 && distance > worst.0 {
            worst = (distance, format!("{tensor}, max |Δ| {largest:.1e} at {at}"));
        }
        if !ok {
            wrong.push(format!("{tensor}: relative {distance:.2e}, max |Δ| {largest:.2e} at {at}"));
        }
    }
    println!("{name:28} {compared} tensors, worst relative {:.1e} ({})", worst.0, worst.1);
    let configs =
        [(true, &ALWAYS[..]), (case["picture"].is_string(), &WITH_PICTURE), (case["dumped"].get("ref.latents").is_some(), &WITH_LATENTS)];
    for required in configs.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, names)| names.iter()) {
        if dump.get(required).unwrap().is_none() || case["dumped"].get(required).is_none() {
            wrong.push(format!("{required}: not in the dump"));
        }
    }
    wrong
}

fn run(engine: &mut Engine, request: &Request) -> (Made, Dump) {
    let mut gather = Gather::default();
    let Outcome::Done { mut made, .. } = engine.run(request, &mut gather).unwrap() else { panic!("cancelled") };
    (made.remove(0), gather.0)
}

/// On the CPU; on a graphics card in f32 with `PENTIMENTO_DEVICE=cuda`, where the same tolerances hold.
fn settings() -> Settings {
    match std::env::var("PENTIMENTO_DEVICE").as_deref() {
        Ok("cuda") => Settings { device: DeviceChoice::Cuda, dtype: DtypeChoice::F32, ..Settings::default() },
        _ => Settings { device: DeviceChoice::Cpu, ..Settings::default() },
    }
}

/// Runs a case as recorded; returns what is wrong.
fn check(name: &str, change: impl FnOnce(&mut checkpoint::Weights)) -> Vec<String> {
    let case = read_case(name);
    let bytes = recorded(name);
    let reference = SafeTensors::deserialize(&bytes).unwrap();
    let guard = folder(name, &case, change);
    let model = ModelId::Folder(guard.path().to_owned());
    let mut engine = Engine::open(&model, &settings()).unwrap();
    let request = with_size(request(model, &case, &reference), &engine, &reference);
    let (made, dump) = run(&mut engine, &request);
    let mut wrong = compare(name, &case, &reference, &dump);

    // The long way gives the same: every exact saving is held to its plain twin.
    let plain = Request { plain: true, ..request.clone() };
    let (other, dump) = run(&mut engine, &plain);
    wrong.extend(compare(&format!("{name}, plain"), &case, &reference, &dump).into_iter().map(|w| format!("plain: {w}")));
    assert_eq!(made.tokens, other.tokens);

    // Without a dump the numbers are the same to the bit.
    let Outcome::Done { made: quiet, .. } = engine.run(&request, &mut ()).unwrap() else { panic!("cancelled") };
    assert_eq!(quiet[0].picture, made.picture);
    assert_eq!(quiet[0].path.last(), made.path.last());
    wrong
}

macro_rules! parity {
    ($($test:ident: $name:literal)*) => {
        $(#[test]
        fn $test() {
            let wrong = check($name, |_| {});
            assert!(wrong.is_empty(), "{}:\n  {}", $name, wrong.join("\n  "));
        })*
    };
}

parity! {
    words: "tiny-words"
    words_with_an_untied_head: "tiny-words-untied"
    words_in_a_tall_size: "tiny-words-tall"
    words_in_a_wide_size_with_sines: "tiny-words-wide-sines"
    edit_by_tokens_alone: "tiny-tokens"
    edit_by_cross_attention: "tiny-cross"
    edit_by_latents_beside_the_noise: "tiny-noise"
    edit_by_both: "tiny-both"
    edit_with_other_null_settings: "tiny-both-null"
    edit_with_the_trained_null: "tiny-both-zeros"
    edit_that_keeps_the_reference_in_the_null: "tiny-both-keep-sines"
    edit_by_more_channels: "tiny-channel"
    words_on_an_edit_model: "tiny-both-without-picture"
    bf16_weights_and_a_pickled_tokenizer: "tiny-both-bf16-pth"
    small_words: "small-words"
    small_edit: "small-both"
    small_bf16_edit_with_an_untied_head: "small-cross-untied-bf16"
    f16_weights: "tiny-cross-f16"
    weights_of_all_types_in_three_files: "tiny-both-mixed"
    edit_by_more_channels_with_an_untied_head: "tiny-channel-untied"
    small_edit_by_tokens_alone: "small-tokens"
    small_edit_by_latents_beside_the_noise: "small-noise-untied"
    small_edit_by_more_channels: "small-channel"
    small_f16_edit_with_other_null_settings: "small-both-null-f16"
    small_words_in_a_wide_size_with_weights_of_all_types: "small-words-wide-mixed"
}

#[test]
fn the_embedded_model_makes_the_same_pictures() {
    for name in ["nano-words", "nano-edit"] {
        let case = read_case(name);
        let bytes = recorded(name);
        let reference = SafeTensors::deserialize(&bytes).unwrap();
        let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
        let mut request = request(ModelId::Nano, &case, &reference);
        let tokens = reference.tensor("ar.generated").unwrap();
        request.tokens = Some(floats(&tokens).iter().map(|v| *v as u32).collect());
        let (_, dump) = run(&mut engine, &request);
        let wrong = compare(name, &case, &reference, &dump);
        assert!(wrong.is_empty(), "{name}:\n  {}", wrong.join("\n  "));
        // Greedy decoding finds these tokens by itself.
        request.tokens = None;
        let (made, _) = run(&mut engine, &request);
        assert_eq!(made.tokens, floats(&tokens).iter().map(|v| *v as u32).collect::<Vec<_>>());
    }
}

#[test]
fn a_painting_goes_on_from_any_step() {
    let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
    let made = |outcome: Outcome| if let Outcome::Done { mut made, .. } = outcome { made.remove(0) } else { panic!("cancelled") };
    // With shortcuts it also needs what was predicted at the step before, or what a cache then held.
    let cached = Shortcuts { cache: 0.2, ..Shortcuts::default() };
    for shortcuts in [Shortcuts::default(), Quality::Balanced.shortcuts(), cached] {
        let recipe = Recipe { steps: 6, seed: 4, shortcuts, ..Recipe::new(ModelId::Nano, "a fox in the snow") };
        let mut request = Request::new(recipe);
        let whole = made(engine.run(&request, &mut ()).unwrap());
        request.tokens = Some(whole.tokens.clone());
        for done in [1, 3, 5] {
            request.path = whole.path[..done].to_vec();
            let again = made(engine.run(&request, &mut ()).unwrap());
            assert_eq!((again.path, again.picture), (whole.path.clone(), whole.picture.clone()), "from step {done}");
        }
        request.path.clone_from(&whole.path);
        assert!(engine.run(&request, &mut ()).is_err(), "nothing is left to paint");
    }
}

/// Peak signal to noise.
fn decibels(made: &[u8], best: &[u8]) -> f64 {
    let squares: f64 = made.iter().zip(best).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * best.len() as f64 / squares).log10()
}

/// Counts the places between layers.
#[derive(Default)]
struct Places {
    seen: std::cell::Cell<usize>,
    /// Up to the end of each step.
    steps: Vec<usize>,
}

impl Observer for Places {
    fn is_cancelled(&self) -> bool {
        self.seen.set(self.seen.get() + 1);
        false
    }

    fn latents(&mut self, _: usize, _: usize, _: &pipeline::Latents) {
        self.steps.push(self.seen.get());
    }
}

/// What the first-block cache spares and costs on the embedded model, beside the same steps without it and the official ones.
#[test]
fn a_cache_that_takes_nothing_over_changes_nothing_and_one_that_does_spares_blocks() {
    let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
    let sampling = Sampling::for_pictures(&ModelId::Nano);
    let prompts = ["a fox in the snow", "a castle at night", "two red apples on a table"];
    let mut picture = |seed: usize, steps: usize, shortcuts: Shortcuts| {
        let recipe = Recipe { steps, seed: seed as u64 + 1, shortcuts, sampling, ..Recipe::new(ModelId::Nano, prompts[seed]) };
        let mut places = Places::default();
        let Outcome::Done { made, .. } = engine.run(&Request::new(recipe), &mut places).unwrap() else { panic!("cancelled") };
        // A step that takes over is told by how seldom it looks up.
        let looks: Vec<usize> = places.steps.windows(2).map(|w| w[1] - w[0]).collect();
        let most = looks.iter().max().copied().unwrap_or(0);
        (made[0].picture.to_rgb8(), looks.iter().filter(|n| **n < most).count())
    };
    let best: Vec<_> = (0..prompts.len()).map(|seed| picture(seed, 30, Shortcuts::default()).0).collect();
    for (steps, shortcuts) in [(30, Shortcuts::default()), (8, Quality::Balanced.shortcuts()), (6, Quality::Balanced.shortcuts())] {
        for cache in [0.0, 1e-9, 0.1, 0.2, 0.3] {
            let (mut spared, mut decibel) = (0, f64::INFINITY);
            for (seed, best) in best.iter().enumerate() {
                let (made, count) = picture(seed, steps, Shortcuts { cache, ..shortcuts });
                spared += count;
                decibel = decibel.min(decibels(&made, best));
                if cache == 1e-9 {
                    assert!(made == picture(seed, steps, Shortcuts { cache: 0.0, ..shortcuts }).0, "nothing was taken over");
                }
            }
            let mean = spared as f64 / prompts.len() as f64;
            println!("{:?}, {steps} steps, threshold {cache}: {mean:.1} steps spared, {decibel:.1} dB at least", shortcuts.solver);
            assert!(if cache < 0.01 { spared == 0 } else { steps < 30 || spared > 0 && decibel > 35.0 }, "{spared} spared, {decibel} dB");
        }
    }
}

/// What a quality costs in closeness, on the embedded model: peak signal to noise beside the best picture.
#[test]
fn each_quality_is_as_close_to_the_best_as_it_says() {
    let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
    let sampling = Sampling::for_pictures(&ModelId::Nano);
    for (seed, prompt) in [(1, "a fox in the snow"), (2, "a castle at night")] {
        let mut picture = |quality: Quality| {
            let (steps, shortcuts) = (quality.steps(20), quality.shortcuts());
            let recipe = Recipe { steps, seed, shortcuts, sampling, ..Recipe::new(ModelId::Nano, prompt) };
            let Outcome::Done { made, .. } = engine.run(&Request::new(recipe), &mut ()).unwrap() else { panic!("cancelled") };
            made[0].picture.to_rgb8()
        };
        let best = picture(Quality::Best);
        let [draft, balanced] = [Quality::Draft, Quality::Balanced].map(|quality| {
            let made = picture(quality);
            decibels(&made, &best)
        });
        println!("{prompt}: draft {draft:.1} dB, balanced {balanced:.1} dB");
        assert!(draft.is_finite() && draft > 23.0 && balanced > 30.0 && balanced > draft, "{prompt}: {draft:.1} and {balanced:.1} dB");
    }
}

#[test]
fn the_reference_is_developed_again_and_nothing_else_changes() {
    let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
    let reference = imaging::decode(include_bytes!("../../assets/welcome.png")).unwrap();
    let recipe = Recipe { steps: 3, ..Recipe::new(ModelId::Nano, "make it darker") };
    let request = Request { reference: Some(reference), reconstruct: true, variations: 2, ..Request::new(recipe) };
    let made = |outcome: Outcome| if let Outcome::Done { made, .. } = outcome { made } else { panic!("cancelled") };
    let with = made(engine.run(&request, &mut ()).unwrap());
    let without = made(engine.run(&Request { reconstruct: false, ..request.clone() }, &mut ()).unwrap());
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with.picture, without.picture);
        assert!(without.reconstruction.is_none());
    }
    // It is the picture that went in, as well as this autoencoder can: 20 dB and more.
    let back = with[1].reconstruction.as_ref().unwrap().to_rgb8();
    let rgb = request.reference.as_ref().unwrap().to_rgb8();
    let seen = imaging::resize_rgb(&rgb, (640, 640), (256, 256), imaging::Filter::Bilinear);
    let error = back.iter().zip(&seen).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>() / seen.len() as f64;
    assert!(10.0 * (255.0 * 255.0 / error).log10() > 20.0, "{error}");
}

/// Has enough after some steps, and keeps what it was shown.
#[derive(Default)]
struct Enough(Vec<pipeline::Preview>);

impl Observer for Enough {
    fn preview(&mut self, preview: pipeline::Preview) {
        self.0.push(preview);
    }

    fn wants_previews(&self) -> bool {
        true
    }

    fn is_enough(&self) -> bool {
        self.0.len() >= 3
    }
}

#[test]
fn what_is_enough_is_the_picture_as_it_was_predicted() {
    let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
    let request = Request { variations: 2, ..Request::new(Recipe { steps: 8, ..Recipe::new(ModelId::Nano, "a castle at night") }) };
    let mut observer = Enough::default();
    let Outcome::Done { made, .. } = engine.run(&request, &mut observer).unwrap() else { panic!("cancelled") };
    assert_eq!((made.len(), made[0].path.len()), (1, 4), "one step more than was seen, and no second picture");
    assert_eq!(made[0].path[3], observer.0[3].latents);
    // The predictions that were shown follow from the latents alone.
    let path = &made[0].path;
    for step in 1..3 {
        let sigma = |after: usize| 1.0 - after as f32 / 8.0;
        let told = path[step - 1].predicted(&path[step], sigma(step), sigma(step + 1));
        let shown = &observer.0[step].latents;
        let worst = told.values.iter().zip(&shown.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "step {step}: {worst}");
    }
}

#[test]
fn canary_one_nudged_weight_is_noticed() {
    let wrong = check("tiny-words", |weights| {
        let values = &mut weights.get_mut("model.sana.transformer_blocks.1.attn1.to_v.weight").unwrap().1;
        values[17] += 0.05;
    });
    assert!(wrong.iter().any(|w| w.starts_with("dit.0.block.1")), "{wrong:?}");
    assert!(!wrong.iter().any(|w| w.starts_with("dit.0.block.0:") || w.starts_with("ar.")), "{wrong:?}");
}

#[test]
fn canary_missing_surplus_and_misshapen_tensors_are_listed_together() {
    let case = read_case("tiny-both");
    let guard = folder("tiny-both", &case, |weights| {
        weights.remove("model.layers.1.mlp.up_proj.weight").unwrap();
        weights.remove("model.sana_vae.decoder.conv_out.bias").unwrap();
        weights.insert("model.sana.transformer_blocks.7.extra".to_owned(), (vec![2], vec![0.0; 2]));
        weights.insert("model.norm.weight".to_owned(), (vec![3], vec![1.0; 3]));
    });
    let error = Engine::open(&ModelId::Folder(guard.path().to_owned()), &settings()).err().unwrap();
    let text = error.to_string();
    let pipeline::Error::Load(load::Error::Misfits(Misfits { missing, misshapen, surplus })) = error else { panic!("{text}") };
    assert_eq!((missing.len(), misshapen.len(), surplus.len()), (2, 1, 1), "{text}");
    for part in
        ["up_proj.weight [160, 64]", "conv_out.bias [3]", "surplus    model.sana.transformer_blocks.7.extra", "expected [64], found [3]"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}
