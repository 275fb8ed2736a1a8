//! Runs one after the other make what each makes alone, to the last bit, and are spared what the last one has left.

use super::settings;
use pentimento::imaging::{self, Picture};
use pentimento::pipeline::{Engine, Made, Observer, Outcome, Progress, Request, Stage};
use pentimento::recipe::{ModelId, Recipe, Sampling};
use std::cell::Cell;

/// Notes which stages there are, and how much is computed before the first token.
#[derive(Default)]
struct Stages {
    gone_through: Vec<Stage>,
    asked: Cell<usize>,
    /// Layers that the blueprint took until there was a token.
    until_token: Option<usize>,
    /// Stops the run when so many tokens are written.
    stops_at: Option<usize>,
    stops: bool,
}

impl Observer for Stages {
    fn progress(&mut self, progress: &Progress) {
        let Progress { stage, done, .. } = *progress;
        if stage != Stage::Load && self.gone_through.last() != Some(&stage) {
            self.gone_through.push(stage);
        }
        if stage == Stage::Blueprint {
            if done == 0 {
                self.asked.set(0);
            }
            if done == 1 && self.until_token.is_none() {
                self.until_token = Some(self.asked.get());
            }
            self.stops |= self.stops_at == Some(done);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.stops
    }
}

fn made(outcome: Outcome) -> Vec<Made> {
    if let Outcome::Done { made, .. } = outcome { made } else { panic!("cancelled") }
}

fn alone(request: &Request) -> Vec<Made> {
    made(Engine::open(&ModelId::Nano, &settings()).unwrap().run(request, &mut ()).unwrap())
}

#[track_caller]
fn assert_same(made: &[Made], alone: &[Made]) {
    assert_eq!(made.len(), alone.len());
    for (one, other) in made.iter().zip(alone) {
        assert!(one.tokens == other.tokens && one.path == other.path);
        assert!(one.picture == other.picture && one.reconstruction == other.reconstruction);
    }
}

fn words(prompt: &str, seed: u64) -> Request {
    let sampling = Sampling::for_pictures(&ModelId::Nano);
    Request::new(Recipe { steps: 3, seed, sampling, ..Recipe::new(ModelId::Nano, prompt) })
}

fn edit(picture: &Picture, prompt: &str, seed: u64) -> Request {
    Request { reference: Some(picture.clone()), reconstruct: true, ..words(prompt, seed) }
}

#[test]
fn what_the_last_run_has_left_changes_nothing() {
    use Stage::{Blueprint, Decode, Denoise, Vision};
    let fox = imaging::decode(include_bytes!("../../assets/examples/fox.png")).unwrap();
    let welcome = imaging::decode(include_bytes!("../../assets/welcome.png")).unwrap();
    let mut engine = Engine::open(&ModelId::Nano, &settings()).unwrap();
    let mut run = |request: &Request, stages: &[Stage]| {
        let mut seen = Stages::default();
        let made = made(engine.run(request, &mut seen).unwrap());
        assert_eq!(seen.gone_through, stages);
        assert_same(&made, &alone(request));
        (made, seen.until_token)
    };
    let (all, known) = ([Vision, Blueprint, Denoise, Decode], [Blueprint, Denoise, Decode]);
    let (_, read) = run(&edit(&fox, "make it night", 1), &all);
    // The same words with another seed: the picture is known, and the prompt is read.
    let (other, spared) = run(&edit(&fox, "make it night", 2), &known);
    assert!(spared.unwrap() < read.unwrap(), "{spared:?} of {read:?}");
    // The same blueprint, painted in another way; given, it is the same as drawn.
    let mut request = edit(&fox, "make it night", 2);
    request.recipe.guidance = 3.5;
    run(&request, &[Denoise, Decode]);
    let given = Request { tokens: Some(other[0].tokens.clone()), ..edit(&fox, "make it night", 3) };
    run(&given, &[Denoise, Decode]);
    let other_tokens = Request { tokens: Some(vec![other[0].tokens[0]; 64]), ..given };
    run(&other_tokens, &known);
    // Fewer tokens are another blueprint, and more may have no room.
    for n in [16, 64, 80] {
        request.recipe.sampling.max_new_tokens = Some(n);
        run(&request, &known);
    }
    // Other words, another picture, none.
    assert_eq!(run(&edit(&fox, "make it darker", 2), &known).1, read);
    run(&edit(&welcome, "make it darker", 2), &all);
    let (one, _) = run(&words("a fox in the snow", 5), &known);
    let two = Request { variations: 2, ..words("a fox in the snow", 4) };
    let twice = [Blueprint, Denoise, Decode, Denoise, Decode];
    let (both, spared) = run(&two, &twice);
    assert!(spared < read);
    run(&Request { variations: 2, ..words("a fox in the snow", 8) }, &twice);
    // Variations share the prompt and are written together, and each is what it is alone.
    assert_same(&both[1..], &one);
    // A wish to stop leaves the prompt, not what is written behind it.
    let mut stopped = Stages { stops_at: Some(7), ..Stages::default() };
    let outcome = engine.run(&words("a fox in the snow", 6), &mut stopped).unwrap();
    assert!(matches!(outcome, Outcome::Cancelled { .. }));
    let mut seen = Stages::default();
    let request = words("a fox in the snow", 7);
    assert_same(&made(engine.run(&request, &mut seen).unwrap()), &alone(&request));
    assert_eq!((seen.until_token, &seen.gone_through[..]), (spared, &known[..]));
    // Nothing is left where the model was let go.
    engine.forget();
    let mut seen = Stages::default();
    assert_same(&made(engine.run(&request, &mut seen).unwrap()), &alone(&request));
    assert!(seen.until_token > spared);
}
