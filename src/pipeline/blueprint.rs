//! The autoregressive stage: from a prompt to the tokens of a picture and the hidden states behind them.

use super::sampler::Sampler;
use super::watch::Watch;
use super::{Blueprint, Error, Request, Result, Stage};
use crate::models::Probe;
use crate::models::qwen3::{KvCache, Qwen3};
use crate::pipeline::load::Configs;
use candle_core::{DType, Device, IndexOp, Tensor};

/// A prompt that was read, for everything that is written behind it.
pub struct Prefix {
    ids: Vec<u32>,
    cache: KvCache,
    /// Its last hidden state, `(1, 1, hidden)`.
    last: Tensor,
}

impl Prefix {
    /// Reads a prompt, with room for so many tokens behind it.
    fn read(lm: &Qwen3, device: &Device, ids: &[u32], room: usize, watch: &mut Watch) -> Result<Self> {
        let mut cache = KvCache::new(ids.len() + room);
        let prefilled = lm.forward(&Tensor::from_slice(ids, (1, ids.len()), device)?, &mut cache, watch)?;
        let last = prefilled.narrow(1, ids.len() - 1, 1)?.force_contiguous()?;
        Ok(Self { ids: ids.to_vec(), cache, last })
    }

    fn serves(&self, ids: &[u32], room: usize) -> bool {
        self.ids == ids && self.cache.capacity() >= ids.len() + room
    }

    pub fn bytes(&self) -> u64 {
        self.cache.bytes() as u64
    }
}

/// What the engine has at hand for a blueprint.
pub struct AtHand<'a> {
    pub prefix: &'a mut Option<Prefix>,
    /// The bytes of weights that a pass reads.
    pub weights: u64,
}

/// What one picture goes on with.
#[derive(Clone)]
pub struct Written {
    /// The new tokens, as ids of the vocabulary.
    pub tokens: Vec<u32>,
    /// Hidden states of the scale token and of every new one, `(1, n + 1, hidden)`.
    pub hidden: Tensor,
}

/// Weights of so many bytes are guessed with: no cache keeps them from one pass to the next, so that a pass is as long as reading
/// them takes, and a few tokens more cost little.
const GUESSED: u64 = 64 << 20;

/// Tokens of a pass that draws: four cost 1.5 to 2 times what one costs, eight 2 to 4 times, their inputs being more than the
/// nearest cache holds.
const WINDOW: usize = 4;

/// Tokens that a pass must bring to be worth that.
const FEW: f64 = 1.5;

/// Writes the blueprints of all variations: one prefill, then token by token in a batch, or one picture's tokens several in a
/// pass ([`ahead`]).
///
/// The hidden states are kept while the tokens are made. The reference runs the whole sequence a second time instead;
/// `plain` does that too. The prefix at hand is the prompt that was read last, and becomes this one.
///
/// # Errors      cancelled, a replayed token is outside the vocabulary, or the device fails
pub fn write(
    lm: &Qwen3,
    configs: &Configs,
    device: &Device,
    prompt: &[u32],
    request: &Request,
    at_hand: &mut AtHand,
    watch: &mut Watch,
) -> Result<Vec<Written>> {
    let n = tokens_of(configs, request);
    if let Some(id) = request.tokens.iter().flatten().find(|id| **id as usize >= configs.lm.vocab_size) {
        return Err(Error::Tokens(format!("the token {id} is outside the vocabulary of {}", configs.lm.vocab_size)));
    }
    watch.start(Stage::Blueprint, n);
    // One that does not serve is let go before there is another.
    let known = at_hand.prefix.take().filter(|prefix| prefix.serves(prompt, n));
    let mut prefix = known.map_or_else(|| Prefix::read(lm, device, prompt, n, watch), Ok)?;
    let written = go_on(lm, configs, at_hand.weights, &mut prefix, n, request, watch);
    prefix.cache.truncate(prompt.len());
    *at_hand.prefix = Some(prefix);
    written
}

/// Tokens that a request asks for.
pub fn tokens_of(configs: &Configs, request: &Request) -> usize {
    let asked = request.recipe.sampling.max_new_tokens.unwrap_or(configs.image_tokens);
    request.tokens.as_ref().map_or(asked, Vec::len).max(1)
}

/// Writes `n` tokens behind a prompt; `weights` are the bytes that a pass reads.
fn go_on(
    lm: &Qwen3,
    configs: &Configs,
    weights: u64,
    prefix: &mut Prefix,
    n: usize,
    request: &Request,
    watch: &mut Watch,
) -> Result<Vec<Written>> {
    let Prefix { ids: prompt, cache, last: scale } = prefix;
    let together = !request.plain && !watch.dumps() && lm.exact_window() > 1;
    let written = match &request.tokens {
        Some(_) if together => vec![ahead(lm, configs, scale, n, cache, request, watch)?.0; request.variations],
        None if together && weights >= GUESSED && request.variations == 1 => vec![ahead(lm, configs, scale, n, cache, request, watch)?.0],
        _ => one_by_one(lm, configs, scale, n, cache, request, watch)?,
    };
    watch.finish(Stage::Blueprint);

    let mut whole = Vec::with_capacity(written.len());
    for (v, Written { tokens, hidden }) in written.into_iter().enumerate() {
        let all: Vec<u32> = prompt.iter().chain(&tokens).copied().collect();
        let hidden = if request.plain {
            let ids = Tensor::from_slice(&all, (1, all.len()), scale.device())?;
            let whole = lm.forward(&ids, &mut KvCache::new(all.len()), &mut ())?;
            whole.narrow(1, prompt.len() - 1, tokens.len() + 1)?.contiguous()?
        } else {
            hidden
        };
        if v == 0 && watch.dumps() {
            let int = |ids: &[u32]| Tensor::from_slice(ids, ids.len(), &Device::Cpu);
            watch.dump("ar.generated", &int(&tokens)?)?;
            watch.dump("ar.ids", &int(&all)?)?;
            watch.dump("cond.hidden", &hidden)?;
        }
        whole.push(Written { tokens, hidden });
    }
    watch.pulse()?;
    Ok(whole)
}

/// How tokens are drawn from logits, for one picture.
struct Drawer {
    sampler: Sampler,
    /// The tokens that may be drawn: the first, and how many.
    allowed: Option<(usize, usize)>,
    /// Rows of the head that are computed; the plain way computes all and draws from the allowed ones.
    rows: Option<(usize, usize)>,
    ends: Vec<u32>,
}

impl Drawer {
    fn new(configs: &Configs, request: &Request, variation: u64, watch: &mut Watch) -> Self {
        let sampling = request.recipe.sampling;
        let (first, last) = (configs.ids.image_start_token_id as usize, configs.ids.image_end_token_id as usize);
        let allowed = sampling.image_tokens_only.then_some((first, last - first + 1));
        Self {
            sampler: Sampler::new(sampling, request.recipe.variation(variation).seed),
            allowed,
            rows: allowed.filter(|_| !request.plain && !watch.dumps()),
            ends: if sampling.ignore_eos || request.tokens.is_some() { Vec::new() } else { configs.eos.clone() },
        }
    }

    fn token(&mut self, position: usize, logits: &[f32]) -> u32 {
        let (first, logits) = match (self.rows, self.allowed) {
            (None, Some((first, len))) => (first, &logits[first..first + len]),
            (rows, _) => (rows.map_or(0, |(first, _)| first), logits),
        };
        (first + self.sampler.pick(position, logits)) as u32
    }
}

/// All variations in a batch, one token of each in a pass.
fn one_by_one(
    lm: &Qwen3,
    configs: &Configs,
    scale: &Tensor,
    n: usize,
    cache: &mut KvCache,
    request: &Request,
    watch: &mut Watch,
) -> Result<Vec<Written>> {
    let batch = request.variations;
    let mut repeated = if batch == 1 { None } else { Some(cache.repeat(batch)?) };
    let cache = repeated.as_mut().unwrap_or(cache);
    let mut last = scale.repeat((batch, 1, 1))?; // (B, 1, hidden)
    let mut hidden = vec![last.clone()];
    let mut tokens: Vec<Vec<u32>> = vec![Vec::with_capacity(n); batch];
    let mut ended = vec![false; batch];
    let mut drawers: Vec<Drawer> = (0..batch as u64).map(|v| Drawer::new(configs, request, v, watch)).collect();
    for i in 0..n {
        let shown = watch.dumps() && (i < 3 || i + 1 == n);
        if request.tokens.is_none() || shown {
            let logits = lm.logits(&last, drawers[0].rows)?.to_dtype(DType::F32)?; // (B, rows)
            if shown {
                watch.dump(&format!("ar.logits.{i}"), &logits.i(0)?)?;
            }
            if request.tokens.is_none() {
                for (v, logits) in logits.to_vec2::<f32>()?.iter().enumerate().filter(|(v, _)| !ended[*v]) {
                    tokens[v].push(drawers[v].token(i, logits));
                }
            }
        }
        if let Some(given) = &request.tokens {
            tokens.iter_mut().for_each(|t| t.push(given[i]));
        }
        for (v, tokens) in tokens.iter().enumerate() {
            ended[v] = drawers[v].ends.contains(&tokens[tokens.len() - 1]);
        }
        watch.blueprint(|| shown_as(&tokens, configs, n));
        // A picture that has ended goes along on its last token; what that adds is cut off below.
        let next: Vec<u32> = tokens.iter().map(|t| t[t.len() - 1]).collect();
        last = lm.forward(&Tensor::from_vec(next, (batch, 1), scale.device())?, cache, watch)?;
        hidden.push(last.clone());
        watch.step(Stage::Blueprint, i + 1, n);
        if ended.iter().all(|e| *e) {
            break;
        }
    }
    let hidden = Tensor::cat(&hidden, 1)?; // (B, made + 1, hidden)
    let of = |(v, tokens): (usize, Vec<u32>)| {
        let hidden = hidden.narrow(0, v, 1)?.narrow(1, 0, tokens.len() + 1)?.contiguous()?;
        Ok(Written { tokens, hidden })
    };
    tokens.into_iter().enumerate().map(of).collect()
}

/// One picture with several tokens in a pass, the same to the last bit as one by one. Also returns the number of passes.
///
/// The chance of each position is fixed, so that its token follows from the tokens before it. A pass runs the next token, which
/// is certain, and guesses behind it; then every position is drawn again from what the pass says. As long as a guess is what is
/// drawn, everything before it was final, and so is what the pass says there; what is drawn behind the first wrong guess is the
/// next guess. Where nothing was drawn yet, the guess is the token before it. Where passes bring little more than a token each,
/// they make one guess alone, until that is right more often. Where the tokens are given, all guesses are right.
///
/// # Source      Jacobi decoding: Santilli et al., "Accelerating Transformer Inference for Translation via Parallel Decoding", 2023.
/// Differs: draws with fixed chances instead of the likeliest tokens, so that it is exact for sampling too
fn ahead(
    lm: &Qwen3,
    configs: &Configs,
    scale: &Tensor,
    n: usize,
    cache: &mut KvCache,
    request: &Request,
    watch: &mut Watch,
) -> Result<(Written, usize)> {
    let most = if request.tokens.is_some() { lm.exact_window() } else { lm.exact_window().min(WINDOW) };
    let before = cache.len();
    let mut drawer = Drawer::new(configs, request, 0, watch);
    let ends = std::mem::take(&mut drawer.ends);
    // Tokens of the positions `from ..` after the hidden states `(1, L, hidden)` before them.
    let mut drawn = |from: usize, hidden: &Tensor| -> Result<Vec<u32>> {
        let count = hidden.dim(1)?;
        if let Some(given) = &request.tokens {
            return Ok(given[from..from + count].to_vec());
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        let logits = lm.logits(&hidden.transpose(0, 1)?, drawer.rows)?.to_vec2::<f32>()?; // (L, rows)
        Ok((from..).zip(&logits).map(|(position, logits)| drawer.token(position, logits)).collect())
    };
    // Tokens: so many are final, the next is certain, and those behind it are guesses.
    let (mut line, mut done, mut passes) = (drawn(0, scale)?, 0, 0);
    let mut hidden = vec![scale.clone()];
    let mut each = most as f64; // tokens that a pass brings, about
    let mut has_ended = false;
    watch.blueprint(|| shown_as(&[line.clone()], configs, n));
    while !has_ended {
        let until = n.min(done + if each < FEW { most.min(2) } else { most });
        while line.len() < until {
            line.push(request.tokens.as_ref().map_or_else(|| line[line.len() - 1], |given| given[line.len()]));
        }
        let ids = Tensor::from_slice(&line[done..until], (1, until - done), scale.device())?;
        let made = lm.forward(&ids, cache, watch)?; // (1, L, hidden)
        passes += 1;
        let again = drawn(done + 1, &made.narrow(1, 0, until.min(n - 1) - done)?)?;
        let first = done;
        loop {
            has_ended = done + 1 == n || ends.contains(&line[done]);
            done += 1;
            watch.step(Stage::Blueprint, done, n);
            if has_ended || done == until || again[done - 1 - first] != line[done] {
                break;
            }
        }
        hidden.push(made.narrow(1, 0, done - first)?);
        each = 0.75 * each + 0.25 * (done - first) as f64;
        cache.truncate(before + done);
        line.truncate(done);
        if !has_ended {
            line.extend(&again[done - 1 - first..]);
        }
        watch.blueprint(|| shown_as(&[line[..line.len().min(done + 1)].to_vec()], configs, n));
    }
    Ok((Written { tokens: line, hidden: Tensor::cat(&hidden, 1)? }, passes))
}

fn shown_as(tokens: &[Vec<u32>], configs: &Configs, total: usize) -> Blueprint {
    let image = (configs.ids.image_start_token_id, configs.ids.image_end_token_id);
    Blueprint { tokens: tokens.iter().map(|t| codes(t, image)).collect(), total }
}

/// Image tokens as places in the codebook; other tokens have none.
pub fn codes(tokens: &[u32], image: (u32, u32)) -> Vec<Option<u32>> {
    tokens.iter().map(|t| (image.0..=image.1).contains(t).then(|| t - image.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::load::{Built, Checkpoint, Holding, Part};
    use crate::pipeline::prompt::PromptWriter;
    use crate::recipe::{ModelId, Recipe, Sampling};
    use std::time::Instant;

    const PROMPTS: [&str; 20] = [
        "a fox in the snow",
        "a castle at night",
        "two red apples on a table",
        "a cat above a dog",
        "three bees on a blue background",
        "a green car at the beach",
        "an owl",
        "a tree to the left of a house",
        "four mushrooms in the forest",
        "a purple teapot",
        "a rocket in the sky",
        "a dog in the rain",
        "a snail below a flower",
        "a pizza and a cup",
        "a yellow fish in the desert",
        "a bear in autumn",
        "two stars at night",
        "a ship on a white background",
        "a pink pig in the city",
        "a penguin in fog",
    ];

    /// One by one and ahead, from the same beginning.
    fn both(lm: &Qwen3, configs: &Configs, prompt: &[u32], request: &Request) -> ((Written, f64), (Written, usize, f64)) {
        let n = request.tokens.as_ref().map_or(configs.image_tokens, Vec::len);
        let begin = || {
            let mut cache = KvCache::new(prompt.len() + n);
            let ids = Tensor::from_slice(prompt, (1, prompt.len()), &Device::Cpu).unwrap();
            let begun = lm.forward(&ids, &mut cache, &mut ()).unwrap();
            (begun.narrow(1, prompt.len() - 1, 1).unwrap(), cache)
        };
        let ((scale, mut cache), (_, mut second)) = (begin(), begin());
        let start = Instant::now();
        let one = one_by_one(lm, configs, &scale, n, &mut cache, request, &mut Watch::silent()).unwrap().remove(0);
        let middle = Instant::now();
        let (many, passes) = ahead(lm, configs, &scale, n, &mut second, request, &mut Watch::silent()).unwrap();
        ((one, (middle - start).as_secs_f64()), (many, passes, middle.elapsed().as_secs_f64()))
    }

    fn bits(tensor: &Tensor) -> Vec<u32> {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| v.to_bits()).collect()
    }

    /// So what is drawn has the same distribution, too.
    #[test]
    fn tokens_written_ahead_are_those_written_one_by_one_to_the_last_bit() {
        let checkpoint = Checkpoint::open(&ModelId::Nano).unwrap();
        let prompts = PromptWriter::new(&checkpoint).unwrap();
        let mut configs = checkpoint.configs.clone();
        let holding = Holding { dtype: Some(DType::F32), layers: usize::MAX };
        let Built::LanguageModel(lm) = checkpoint.load(Part::LanguageModel, holding, &Device::Cpu).unwrap() else { panic!() };
        let usual = Sampling::default();
        let hot = Sampling { temperature: 3.0, top_k: 0, top_p: 1.0, ..usual };
        for (name, sampling) in [
            ("pictures", Sampling::for_pictures(&ModelId::Nano)),
            ("usual", usual),
            ("hot", hot),
            ("greedy", Sampling { greedy: true, ..usual }),
        ] {
            let (mut tokens, mut passes, mut seconds) = (0, 0, [0.0; 2]);
            for (seed, prompt) in (0..).zip(PROMPTS) {
                let request = Request::new(Recipe { seed, sampling, ..Recipe::new(ModelId::Nano, prompt) });
                let ids = prompts.write(prompt, false).unwrap().text_ids;
                // An end in the middle of the blueprint.
                configs.eos =
                    if seed == 19 { (0..configs.lm.vocab_size as u32).step_by(9).collect() } else { checkpoint.configs.eos.clone() };
                let ((one, first), (many, needed, second)) = both(&lm, &configs, &ids, &request);
                assert_eq!(one.tokens, many.tokens, "{name}: {prompt}");
                assert!(bits(&one.hidden) == bits(&many.hidden), "{name}: {prompt}");
                let given = Request { tokens: Some(one.tokens.clone()), ..request };
                let (_, (again, needed_again, _)) = both(&lm, &configs, &ids, &given);
                assert!(again.tokens == one.tokens && bits(&again.hidden) == bits(&one.hidden), "{name}: {prompt}, given");
                assert_eq!(needed_again, one.tokens.len().div_ceil(lm.exact_window()));
                tokens += one.tokens.len();
                passes += needed;
                seconds = [seconds[0] + first, seconds[1] + second];
            }
            let [one, ahead] = seconds.map(|s| s * 1e3 / PROMPTS.len() as f64);
            let each = tokens as f64 / passes as f64;
            println!("{name}: {each:.2} tokens a pass; {one:.1} ms a picture one by one, {ahead:.1} ms ahead");
            assert!(passes < tokens, "{name}");
        }
    }
}
