//! Painting a part of a picture: what is not free follows the reference at every level of noise.

use crate::{Enough, Gather, checkpoint, folder, read_case, settings};
use candle_core::DType;
use pentimento::imaging::{self, Picture};
use pentimento::pipeline::{Dump, Engine, Error, Latents, Made, Observer, Outcome, Request, Rng, Schedule, Stream};
use pentimento::recipe::{ModelId, Recipe};

const STEPS: usize = 5;

/// The very small model and an edit for it, with tokens so that only the painting takes time.
fn edit() -> (Engine, Request) {
    let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
    let reference = imaging::decode(include_bytes!("../../assets/welcome.png")).unwrap();
    let recipe = Recipe { steps: STEPS, seed: 6, ..Recipe::new(ModelId::Nano, "make it night") };
    let mut request = Request { reference: Some(reference), reconstruct: true, ..Request::new(recipe) };
    let configs = &engine.checkpoint().configs;
    let across = configs.side() / configs.vae.compression();
    request.noise = Some(Rng::new(11, Stream::Noise).noise(configs.vae.latent_channels * across * across));
    request.tokens = Some(made(&mut engine, &request, &mut ()).tokens);
    (engine, request)
}

fn all(engine: &mut Engine, request: &Request, observer: &mut dyn Observer) -> Vec<Made> {
    let Outcome::Done { made, .. } = engine.run(request, observer).unwrap() else { panic!("cancelled") };
    made
}

fn made(engine: &mut Engine, request: &Request, observer: &mut dyn Observer) -> Made {
    all(engine, request, observer).remove(0)
}

fn values(dump: &Dump, name: &str) -> Vec<f32> {
    dump.get(name).unwrap().unwrap().flatten_all().unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap()
}

/// Free where a pixel of the latents, of so many across and as many down, satisfies `is_free`.
fn free(engine: &Engine, is_free: impl Fn(usize, usize) -> bool) -> Vec<bool> {
    let configs = &engine.checkpoint().configs;
    let across = configs.side() / configs.vae.compression();
    (0..across * across).map(|i| is_free(i % across, i / across)).collect()
}

/// The values of latents where they are held, or where they are free.
fn part(latents: &[f32], free: &[bool], wanted: bool) -> Vec<f32> {
    latents.chunks_exact(free.len()).flat_map(|plane| plane.iter().zip(free).filter(|(_, f)| **f == wanted).map(|(v, _)| *v)).collect()
}

/// The left half and one pixel more.
fn half(engine: &Engine) -> Vec<bool> {
    let across = free(engine, |_, _| true).len().isqrt();
    free(engine, |x, y| x < across / 2 || (x, y) == (across - 1, across - 1))
}

#[test]
fn where_all_is_free_nothing_is_held() {
    let (mut engine, request) = edit();
    let without = made(&mut engine, &request, &mut ());
    let everywhere = Some(free(&engine, |_, _| true));
    let with = made(&mut engine, &Request { free: everywhere, ..request.clone() }, &mut ());
    assert_eq!((with.picture, with.path), (without.picture, without.path));
}

#[test]
fn where_nothing_is_free_the_reference_comes_back() {
    let (mut engine, request) = edit();
    let mut gather = Gather::default();
    let nowhere = Some(free(&engine, |_, _| false));
    let held = made(&mut engine, &Request { free: nowhere, ..request }, &mut gather);
    assert_eq!(held.path.last().unwrap().values, values(&gather.0, "ref.latents"));
    assert_eq!(Some(held.picture), held.reconstruction);
}

#[test]
fn what_is_held_has_the_noise_of_each_step() {
    let (mut engine, request) = edit();
    let free = half(&engine);
    let whole = made(&mut engine, &request, &mut ());
    let mut gather = Gather::default();
    let request = Request { free: Some(free.clone()), ..request };
    let painted = made(&mut engine, &request, &mut gather);
    let (x0, noise) = (values(&gather.0, "ref.latents"), values(&gather.0, "noise"));
    assert_eq!(Some(&noise), request.noise.as_ref());
    let sigmas = Schedule::new(STEPS, engine.checkpoint().configs.shift).sigmas;
    assert_eq!((painted.path.len(), sigmas[STEPS]), (STEPS, 0.0));
    for (latents, sigma) in painted.path.iter().zip(&sigmas[1..]) {
        let want: Vec<f32> = x0.iter().zip(&noise).map(|(x0, noise)| x0 * (1.0 - sigma) + noise * sigma).collect();
        assert_eq!(part(&latents.values, &free, false), part(&want, &free, false), "at {sigma}");
        assert_ne!(part(&latents.values, &free, true), part(&want, &free, true), "at {sigma}");
    }
    let last = &painted.path[STEPS - 1].values;
    assert_eq!(part(last, &free, false), part(&x0, &free, false));
    assert_ne!(part(last, &free, true), part(&whole.path[STEPS - 1].values, &free, true), "what surrounds it is seen");
    // Each variation has a noise of its own, and the same surroundings.
    let several = all(&mut engine, &Request { noise: None, tokens: None, variations: 2, ..request }, &mut ());
    let ends: Vec<&[f32]> = several.iter().map(|m| m.path[STEPS - 1].values.as_slice()).collect();
    assert_eq!(ends.len(), 2);
    assert_eq!(part(ends[0], &free, false), part(ends[1], &free, false));
    assert_ne!(part(ends[0], &free, true), part(ends[1], &free, true));
    let starts: Vec<&[f32]> = several.iter().map(|m| m.path[0].values.as_slice()).collect();
    assert_ne!(part(starts[0], &free, false), part(starts[1], &free, false));
}

#[test]
fn a_part_is_painted_on_from_any_step() {
    let (mut engine, request) = edit();
    let free = half(&engine);
    let unheld = made(&mut engine, &request, &mut ());
    let request = Request { free: Some(free.clone()), ..request };
    let whole = made(&mut engine, &request, &mut ());
    for done in [1, STEPS - 1] {
        let again = made(&mut engine, &Request { path: whole.path[..done].to_vec(), ..request.clone() }, &mut ());
        assert_eq!((&again.path, &again.picture), (&whole.path, &whole.picture), "from step {done}");
    }
    // Steps that were made without surroundings are brought into them before the first of the new ones.
    let mut brought = unheld.path[..2].to_vec();
    let plane = free.len();
    for (i, value) in brought[1].values.iter_mut().enumerate().filter(|(i, _)| !free[i % plane]) {
        *value = whole.path[1].values[i];
    }
    let run = |engine: &mut Engine, path: Vec<Latents>| made(engine, &Request { path, ..request.clone() }, &mut ());
    let (ours, theirs) = (run(&mut engine, unheld.path[..2].to_vec()), run(&mut engine, brought));
    assert_eq!((&ours.path[2..], ours.picture), (&theirs.path[2..], theirs.picture));
}

#[test]
fn what_is_enough_has_its_surroundings_too() {
    let (mut engine, request) = edit();
    let x0 = {
        let mut gather = Gather::default();
        made(&mut engine, &request, &mut gather);
        values(&gather.0, "ref.latents")
    };
    let free = half(&engine);
    let mut enough = Enough::default();
    let painted = made(&mut engine, &Request { free: Some(free.clone()), ..request.clone() }, &mut enough);
    assert_eq!((painted.path.len(), enough.0.len()), (4, 4), "one step more than was seen, and not the last");
    for seen in &enough.0 {
        assert_eq!(part(&seen.latents.values, &free, false), part(&x0, &free, false), "step {}", seen.step);
    }
    assert_eq!(painted.path[3], enough.0[3].latents);
    let nothing = Request { free: Some(vec![false; free.len()]), ..request };
    let held = made(&mut engine, &nothing, &mut Enough::default());
    assert_eq!((held.path.len(), Some(held.picture)), (4, held.reconstruction));
}

#[track_caller]
fn refused(engine: &mut Engine, request: &Request) -> String {
    let error = engine.run(request, &mut ()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Setting(_) | Error::CannotEdit(_)), "{text}");
    assert!(text.contains(' ') && !text.contains('\n') && !text.ends_with('.'), "{text}");
    text
}

#[test]
fn what_does_not_fit_is_told_in_a_sentence() {
    let (mut engine, request) = edit();
    let right = free(&engine, |x, _| x == 0);
    for wrong in [vec![], right[1..].to_vec(), [&right[..], &[true]].concat()] {
        let text = refused(&mut engine, &Request { free: Some(wrong), ..request.clone() });
        assert!(text.contains("does not fit"), "{text}");
    }
    refused(&mut engine, &Request { reference: None, free: Some(right), ..request });
    // A model that reads a picture as tokens alone, and has no encoder to know what surrounds an edit.
    let case = read_case("tiny-tokens");
    let guard =
        folder("tiny-tokens", &case, |weights: &mut checkpoint::Weights| weights.retain(|name, _| !name.contains("sana_vae.encoder")));
    let model = ModelId::Folder(guard.path().to_owned());
    let mut engine = Engine::open(&model, &settings()).unwrap();
    let picture = Picture::from_rgb8(2, 2, &[9; 12]).unwrap();
    let request = Request { reference: Some(picture), ..Request::new(Recipe { steps: 2, ..Recipe::new(model, "x") }) };
    let across = free(&engine, |_, _| true).len();
    for request in [Request { free: Some(vec![true; across]), ..request.clone() }, Request { reconstruct: true, ..request.clone() }] {
        let text = refused(&mut engine, &request);
        assert!(text.contains("encoder"), "{text}");
    }
    assert!(made(&mut engine, &request, &mut ()).reconstruction.is_none());
}
