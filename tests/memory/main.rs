//! Runs that have little memory: the same pictures in every way of holding a model, and going on where memory runs out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../golden/checkpoint.rs"]
mod checkpoint;
#[cfg(target_os = "linux")]
mod groups;
#[path = "../golden/torch_random.rs"]
mod torch_random;

use pentimento::imaging;
use pentimento::pipeline::{
    DeviceChoice, DtypeChoice, Engine, Latents, Made, Observer, Outcome, Plan, PlanChoice, Request, Residency, Settings, Stage, Weights,
};
use pentimento::recipe::{ModelId, Recipe};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cases")
}

/// The random checkpoint of a golden case, in a folder that goes with the guard.
fn model(case: &str) -> tempfile::TempDir {
    let case: Value = serde_json::from_slice(&std::fs::read(cases().join(format!("{case}.json"))).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = cases().join(format!("{}.tokenizer.json", case["size"].as_str().unwrap()));
    checkpoint::write(&case, &checkpoint::weights(&case), &tokenizer, folder.path());
    folder
}

fn settings(dtype: DtypeChoice, plan: PlanChoice, fail_at: &[(Stage, usize)]) -> Settings {
    Settings { device: DeviceChoice::Cpu, dtype, plan, fail_at: fail_at.to_vec(), ..Settings::default() }
}

/// What a run told of memory and of what it has made.
#[derive(Default)]
struct Told {
    plans: Vec<Plan>,
    tokens: Vec<Vec<u32>>,
    latents: Vec<(usize, usize, Latents)>,
}

impl Observer for Told {
    fn plan(&mut self, plan: &Plan) {
        self.plans.push(plan.clone());
    }

    fn tokens(&mut self, variation: usize, tokens: &[u32]) {
        assert_eq!(variation, self.tokens.len());
        self.tokens.push(tokens.to_vec());
    }

    fn latents(&mut self, variation: usize, step: usize, latents: &Latents) {
        self.latents.push((variation, step, latents.clone()));
    }
}

fn request(model: &ModelId, edits: bool) -> Request {
    let mut request = Request::new(Recipe { steps: 4, seed: 3, ..Recipe::new(model.clone(), "make it darker") });
    request.recipe.sampling.ignore_eos = true;
    request.variations = 2;
    request.reference = edits.then(|| imaging::open(&cases().join("odd.png")).unwrap());
    request.reconstruct = edits;
    request
}

fn run(model: &ModelId, settings: &Settings, edits: bool) -> (Vec<Made>, Told) {
    let mut told = Told::default();
    let mut engine = Engine::open(model, settings).unwrap();
    let Outcome::Done { made, .. } = engine.run(&request(model, edits), &mut told).unwrap() else { panic!("cancelled") };
    (made, told)
}

#[track_caller]
fn assert_same(one: &[Made], other: &[Made], how: &str) {
    assert_eq!(one.len(), other.len(), "{how}");
    for (a, b) in one.iter().zip(other) {
        assert_eq!((&a.tokens, &a.path), (&b.tokens, &b.path), "{how}");
        assert!(a.picture == b.picture && a.reconstruction == b.reconstruction, "{how}");
    }
}

#[test]
fn a_model_in_pieces_makes_the_same_picture_to_the_last_bit() {
    for edits in [false, true] {
        let (whole, told) = run(&ModelId::Nano, &settings(DtypeChoice::F32, PlanChoice::Auto, &[]), edits);
        assert_eq!((told.plans.len(), told.plans[0].residency), (1, Residency::All));
        for residency in [Residency::StageByStage, Residency::LayerByLayer] {
            let (pieces, told) = run(&ModelId::Nano, &settings(DtypeChoice::F32, PlanChoice::Fixed(residency), &[]), edits);
            assert_eq!(told.plans[0].residency, residency);
            assert_same(&whole, &pieces, &format!("{residency:?}, edits: {edits}"));
        }
        // Whoever watches could have gone on from anywhere.
        assert_eq!(told.tokens, whole.iter().map(|m| m.tokens.clone()).collect::<Vec<_>>());
        let path = |v: usize| told.latents.iter().filter(|l| l.0 == v).map(|l| l.2.clone()).collect::<Vec<_>>();
        assert_eq!((path(0), path(1)), (whole[0].path.clone(), whole[1].path.clone()));
    }
}

#[test]
fn where_memory_runs_out_the_run_goes_on_in_a_smaller_way() {
    let (whole, _) = run(&ModelId::Nano, &settings(DtypeChoice::F32, PlanChoice::Auto, &[]), true);
    let ends: [&[(Stage, usize)]; 7] = [
        &[(Stage::Load, 0)],
        &[(Stage::Vision, 1)],
        &[(Stage::Blueprint, 5)],
        &[(Stage::Denoise, 0)],
        &[(Stage::Denoise, 3)],
        &[(Stage::Decode, 0)],
        &[(Stage::Blueprint, 20), (Stage::Denoise, 2), (Stage::Decode, 0)],
    ];
    for fail_at in ends {
        let (made, told) = run(&ModelId::Nano, &settings(DtypeChoice::F32, PlanChoice::Auto, fail_at), true);
        assert_same(&whole, &made, &format!("{fail_at:?}"));
        assert_eq!(told.plans.len(), 1 + fail_at.len(), "{fail_at:?}");
        let sum = |plan: &Plan| plan.stages.iter().map(pentimento::pipeline::StageNeed::bytes).sum::<u64>();
        assert!(told.plans.windows(2).all(|p| sum(&p[1]) < sum(&p[0]) && p[1].words.starts_with("Memory was short; ")));
        // Nothing is written or painted twice.
        assert_eq!((told.tokens.len(), told.latents.len()), (2, 8), "{fail_at:?}");
    }
    // With nothing smaller left it fails, and says why.
    let all = [(Stage::Load, 0); 9];
    let mut engine = Engine::open(&ModelId::Nano, &settings(DtypeChoice::F32, PlanChoice::Auto, &all)).unwrap();
    let error = engine.run(&request(&ModelId::Nano, false), &mut ()).unwrap_err();
    assert!(error.is_out_of_memory(), "{error}");
}

#[test]
fn weights_as_they_are_stored_make_the_same_picture_as_copies_in_f32() {
    let folder = model("small-cross-untied-bf16");
    let model = ModelId::Folder(folder.path().to_owned());
    let (whole, told) = run(&model, &settings(DtypeChoice::Auto, PlanChoice::Auto, &[]), true);
    assert_eq!(told.plans[0].weights, Weights::F32);
    let (made, told) = run(&model, &settings(DtypeChoice::Auto, PlanChoice::Auto, &[(Stage::Denoise, 2)]), true);
    assert_eq!(told.plans[1].weights, Weights::AsStored);
    assert_same(&whole, &made, "as stored after two steps");
}

#[test]
fn less_memory_makes_a_smaller_plan_until_there_is_none() {
    let folder = model("small-both");
    let model = ModelId::Folder(folder.path().to_owned());
    let plan = |memory: u64| {
        let settings = Settings { memory: Some(memory), ..settings(DtypeChoice::Auto, PlanChoice::Auto, &[]) };
        Engine::open(&model, &settings).unwrap().plan(&request(&model, false), true)
    };
    let (mut seen, mut last, mut memory) = (Vec::new(), u64::MAX, 1u64 << 30);
    let refused = loop {
        match plan(memory) {
            Ok(plan) => {
                assert!(plan.peak_bytes <= memory && plan.peak_bytes <= last, "{}", plan.words);
                last = plan.peak_bytes;
                seen.push(plan.residency);
                memory = memory * 9 / 10;
            }
            Err(error) => break error,
        }
    };
    seen.dedup();
    assert_eq!(seen, [Residency::All, Residency::StageByStage]);
    let text = refused.to_string();
    assert!(refused.is_out_of_memory() && text.contains("of memory at least") && text.contains("what would help"), "{text}");
}
