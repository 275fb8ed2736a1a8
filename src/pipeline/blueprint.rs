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

/// What one picture goes on with.
#[derive(Clone)]
pub struct Written {
    /// The new tokens, as ids of the vocabulary.
    pub tokens: Vec<u32>,
    /// Hidden states of the scale token and of every new one, `(1, n + 1, hidden)`.
    pub hidden: Tensor,
}

/// Writes the blueprints of all variations together: one prefill, then token by token in a batch.
///
/// The hidden states are kept while the tokens are made. The reference runs the whole sequence a second time instead;
/// `plain` does that too. `kept` is the prompt that was read last, and becomes this one.
///
/// # Errors      cancelled, a replayed token is outside the vocabulary, or the device fails
pub fn write(
    lm: &Qwen3,
    configs: &Configs,
    device: &Device,
    prompt: &[u32],
    request: &Request,
    kept: &mut Option<Prefix>,
    watch: &mut Watch,
) -> Result<Vec<Written>> {
    let n = tokens_of(configs, request);
    if let Some(id) = request.tokens.iter().flatten().find(|id| **id as usize >= configs.lm.vocab_size) {
        return Err(Error::Tokens(format!("the token {id} is outside the vocabulary of {}", configs.lm.vocab_size)));
    }
    watch.start(Stage::Blueprint, n);
    // One that does not serve is let go before there is another.
    let known = kept.take().filter(|prefix| prefix.serves(prompt, n));
    let mut prefix = known.map_or_else(|| Prefix::read(lm, device, prompt, n, watch), Ok)?;
    let written = go_on(lm, configs, device, &mut prefix, n, request, watch);
    prefix.cache.truncate(prompt.len());
    *kept = Some(prefix);
    written
}

/// Tokens that a request asks for.
pub fn tokens_of(configs: &Configs, request: &Request) -> usize {
    let asked = request.recipe.sampling.max_new_tokens.unwrap_or(configs.image_tokens);
    request.tokens.as_ref().map_or(asked, Vec::len).max(1)
}

/// Writes `n` tokens behind a prompt.
fn go_on(
    lm: &Qwen3,
    configs: &Configs,
    device: &Device,
    prefix: &mut Prefix,
    n: usize,
    request: &Request,
    watch: &mut Watch,
) -> Result<Vec<Written>> {
    let sampling = request.recipe.sampling;
    let image = (configs.ids.image_start_token_id, configs.ids.image_end_token_id);
    let allowed = sampling.image_tokens_only.then(|| (image.0 as usize, (image.1 - image.0) as usize + 1));
    // Rows of the head that are computed; the plain way computes all and draws from the allowed ones.
    let rows = allowed.filter(|_| !request.plain && !watch.dumps());

    let batch = request.variations;
    let Prefix { ids: prompt, cache, last } = prefix;
    let mut last = last.repeat((batch, 1, 1))?; // (B, 1, hidden)
    let mut repeated = if batch == 1 { None } else { Some(cache.repeat(batch)?) };
    let cache = repeated.as_mut().unwrap_or(cache);
    let mut hidden = vec![last.clone()];
    let mut tokens: Vec<Vec<u32>> = vec![Vec::with_capacity(n); batch];
    let mut ended = vec![false; batch];
    let mut samplers: Vec<Sampler> = (0..batch as u64).map(|v| Sampler::new(sampling, request.recipe.variation(v).seed)).collect();
    for i in 0..n {
        let shown = watch.dumps() && (i < 3 || i + 1 == n);
        if request.tokens.is_none() || shown {
            let logits = lm.logits(&last, rows)?.to_dtype(DType::F32)?; // (B, rows)
            if shown {
                watch.dump(&format!("ar.logits.{i}"), &logits.i(0)?)?;
            }
            for (v, logits) in logits.to_vec2::<f32>()?.iter().enumerate() {
                if ended[v] {
                    continue;
                }
                let token = match (&request.tokens, rows, allowed) {
                    (Some(tokens), ..) => tokens[i],
                    (None, Some((first, _)), _) => (first + samplers[v].pick(logits)) as u32,
                    (None, None, Some((first, len))) => (first + samplers[v].pick(&logits[first..first + len])) as u32,
                    (None, None, None) => samplers[v].pick(logits) as u32,
                };
                tokens[v].push(token);
                ended[v] = request.tokens.is_none() && !sampling.ignore_eos && configs.eos.contains(&token);
            }
        } else if let Some(given) = &request.tokens {
            tokens.iter_mut().for_each(|t| t.push(given[i]));
        }
        watch.blueprint(|| Blueprint { tokens: tokens.iter().map(|t| codes(t, image)).collect(), total: n });
        // A picture that has ended goes along on its last token; what that adds is cut off below.
        let next: Vec<u32> = tokens.iter().map(|t| t[t.len() - 1]).collect();
        last = lm.forward(&Tensor::from_vec(next, (batch, 1), device)?, cache, watch)?;
        hidden.push(last.clone());
        watch.step(Stage::Blueprint, i + 1, n);
        if ended.iter().all(|e| *e) {
            break;
        }
    }
    let hidden = Tensor::cat(&hidden, 1)?; // (B, made + 1, hidden)
    watch.finish(Stage::Blueprint);

    let mut written = Vec::with_capacity(batch);
    for (v, tokens) in tokens.into_iter().enumerate() {
        let kept = hidden.narrow(0, v, 1)?.narrow(1, 0, tokens.len() + 1)?.contiguous()?;
        let all: Vec<u32> = prompt.iter().chain(&tokens).copied().collect();
        let kept = if request.plain {
            let ids = Tensor::from_slice(&all, (1, all.len()), device)?;
            let whole = lm.forward(&ids, &mut KvCache::new(all.len()), &mut ())?;
            whole.narrow(1, prompt.len() - 1, tokens.len() + 1)?.contiguous()?
        } else {
            kept
        };
        if v == 0 && watch.dumps() {
            let int = |ids: &[u32]| Tensor::from_slice(ids, ids.len(), &Device::Cpu);
            watch.dump("ar.generated", &int(&tokens)?)?;
            watch.dump("ar.ids", &int(&all)?)?;
            watch.dump("cond.hidden", &kept)?;
        }
        written.push(Written { tokens, hidden: kept });
    }
    watch.pulse()?;
    Ok(written)
}

/// Image tokens as places in the codebook; other tokens have none.
pub fn codes(tokens: &[u32], image: (u32, u32)) -> Vec<Option<u32>> {
    tokens.iter().map(|t| (image.0..=image.1).contains(t).then(|| t - image.0)).collect()
}
