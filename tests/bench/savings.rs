//! What the exact savings gain for one picture, each beside the way without it: `--stage savings`, a JSON object per line.
//!
//! Single layers are timed and counted as often as a picture has them: its tokens, layers, blocks and steps. `plain_cpu_s` is
//! processor time without the saving, `cpu_s` with it, of the part of the work that the saving is about.

use super::{Bench, Sizes, cpu_seconds, random, stage_peak};
use candle_core::{Device, Result, Tensor};
use pentimento::models::dc_ae::{Decoder, Strips};
use pentimento::models::kernels;
use pentimento::models::layers::{Connector, Hold, Linear};
use pentimento::models::qwen3::{KvCache, Qwen3};
use pentimento::models::sana::{Condition, Config, SanaTransformer2D};
use serde_json::json;

const STEPS: f64 = 30.0;
/// Processor time is told in hundredths of a second.
const ENOUGH_S: f64 = 0.5;

/// Seconds of processor time, over as many runs as that takes.
fn time(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let (begin, mut runs) = (cpu_seconds(), 0.0);
    loop {
        work()?;
        runs += 1.0;
        let used = cpu_seconds() - begin;
        if used > ENOUGH_S {
            return Ok(used / runs);
        }
    }
}

fn tell(bench: &Bench, saving: u8, what: &str, plain: f64, saved: f64) {
    let ratio = (saved / plain * 1e3).round() / 1e3;
    println!(
        "{}",
        json!({"size": bench.size(), "saving": saving, "what": what, "plain_cpu_s": plain, "cpu_s": saved, "saved_cpu_s": plain - saved,
               "ratio": ratio})
    );
}

pub fn all(bench: &Bench, sizes: &Sizes) -> Result<()> {
    painting(bench, sizes)?;
    writing(bench, sizes)?;
    strips(bench, sizes)?;
    doubling(bench, sizes)
}

/// 1 to 3.
fn painting(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let (side, width, blocks) = (sizes.sana.sample_size, sizes.sana.caption_channels, sizes.blocks as f64);
    let grid = sizes.tower.vision.grid().pow(2) + 1;
    let transformer = |layers| SanaTransformer2D::new(&Config { num_layers: layers, ..sizes.sana.clone() }, &bench.vb(), &Hold::all());
    let (none, one) = (transformer(0)?, transformer(1)?);
    let now = one.timesteps(&[500.0])?;
    for (label, columns, tokens, counts) in
        [("picture", side, grid, vec![grid]), ("edit", 2 * side, grid + side * side, vec![grid, side * side])]
    {
        let latents = random(&[2, 32, side, columns], 1.0)?;
        let cond = Condition::new(random(&[1, tokens, width], 1.0)?);
        let null = Condition::repeated(random(&[1, counts.len(), width], 1.0)?, counts);
        // What the blocks share is computed once per step, not once per block.
        let shared = time(|| none.context(&cond, &mut ()).map(drop))?;
        let own = time(|| one.context(&cond, &mut ()).map(drop))? - shared;
        let (null, cond) = (one.context(&null, &mut ())?, one.context(&cond, &mut ())?);
        let both = time(|| one.forward(&latents, &[&cond, &cond], &now, 0, None, &mut ()).map(drop))?;
        let short = time(|| one.forward(&latents, &[&null, &cond], &now, 0, None, &mut ()).map(drop))?;
        let (once, steps) = (shared + blocks * own, STEPS * blocks * short);
        tell(bench, 1, &format!("cross-attention's keys and values, {label}"), steps + STEPS * once, steps + once);
        tell(bench, 2, &format!("branch without the request, {label}"), STEPS * blocks * both, steps);
    }
    let connector = Connector::new(sizes.lm.hidden_size, width, &bench.vb())?;
    let (hidden, zero) = (random(&[1, grid, sizes.lm.hidden_size], 1.0)?, random(&[1, 1, sizes.lm.hidden_size], 0.0)?);
    let connect = time(|| connector.forward(&hidden).map(drop))?;
    let connect_zero = time(|| connector.forward(&zero).map(drop))?;
    let at_once: Vec<f32> = (0..STEPS as usize).map(|i| 1000.0 / (1.0 + i as f32)).collect();
    let step = time(|| one.timesteps(&[500.0]).map(drop))?;
    let all = time(|| one.timesteps(&at_once).map(drop))?;
    tell(bench, 3, "connector, and tables of times", STEPS * (2.0 * connect + step), connect + connect_zero + all);
    Ok(())
}

/// 4 to 6.
fn writing(bench: &Bench, sizes: &Sizes) -> Result<()> {
    const VARIATIONS: usize = 4;
    let (context, layers) = (bench.arguments.context, sizes.layers as f64);
    let tokens = sizes.tower.vision.grid().pow(2);
    let lm = Qwen3::new(&sizes.lm, &bench.vb(), &Hold::all())?;
    let ids = |n: usize| Tensor::from_vec((0..n as u32).map(|i| i % 64).collect::<Vec<_>>(), (1, n), &Device::Cpu);
    let (prompt, whole) = (ids(context)?, ids(context + tokens)?);
    let read = time(|| lm.forward(&prompt, &mut KvCache::new(context), &mut ()).map(drop))?;
    let again = time(|| lm.forward(&whole, &mut KvCache::new(context + tokens), &mut ()).map(drop))?;
    let mut cache = KvCache::new(context + 1);
    lm.forward(&prompt, &mut cache, &mut ())?;
    let mut several = cache.repeat(VARIATIONS)?;
    let one = Tensor::new(&[[5u32]], &Device::Cpu)?;
    let more = one.repeat((VARIATIONS, 1))?;
    let token = |cache: &mut KvCache, ids: &Tensor| {
        time(|| {
            cache.truncate(context);
            lm.forward(ids, cache, &mut ()).map(drop)
        })
    };
    let alone = token(&mut cache, &one)?;
    let together = token(&mut several, &more)?;
    drop((lm, cache, several));
    let n = tokens as f64;
    let write = layers * (read + n * alone);
    tell(bench, 4, "hidden states, edit", write + layers * again, write);
    let head = Linear::new(sizes.lm.hidden_size, sizes.rows, false, &bench.vb())?;
    let hidden = random(&[1, sizes.lm.hidden_size], 1.0)?;
    let all = time(|| head.forward(&hidden).map(drop))?;
    let codes = sizes.tower.codebook_size;
    let some = time(|| head.forward_rows(&hidden, sizes.rows - codes, codes).map(drop))?;
    drop(head);
    tell(bench, 5, "rows of the head", n * all, n * some);
    let joined = layers * (read + n * together);
    tell(bench, 6, &format!("blueprints of {VARIATIONS} variations of an edit"), VARIATIONS as f64 * write, joined);
    tell(bench, 6, "the same words again, blueprint of an edit", write, layers * n * alone);
    Ok(())
}

/// 7, which saves memory.
fn strips(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let decoder = Decoder::new(&sizes.vae, &bench.vb())?;
    let latents = random(&[1, 32, sizes.sana.sample_size, sizes.sana.sample_size], 1.0)?;
    let of = |strips: Strips| -> Result<(u64, f64)> {
        let begin = cpu_seconds();
        let bytes = stage_peak(|| decoder.forward(&latents, strips, &mut ()).map(drop))?;
        Ok((bytes, cpu_seconds() - begin))
    };
    let ((bytes, s), (plain_bytes, plain_s)) = (of(Strips::DEFAULT)?, of(Strips::Whole)?);
    println!(
        "{}",
        json!({"size": bench.size(), "saving": 7, "what": "strips of the decoder", "plain_cpu_s": plain_s, "cpu_s": s,
               "plain_stage_peak_bytes": plain_bytes, "stage_peak_bytes": bytes,
               "ratio": (bytes as f64 / plain_bytes as f64 * 1e3).round() / 1e3})
    );
    Ok(())
}

/// 8: all steps up of the decoder, of each as many rows as a strip has.
fn doubling(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let channels = &sizes.vae.decoder_block_out_channels;
    let (mut plain, mut saved) = (0.0, 0.0);
    for (level, pair) in channels.windows(2).enumerate() {
        let side = sizes.sana.sample_size << (channels.len() - 2 - level);
        let rows = side.min(64);
        let (x, weight) = (random(&[1, pair[1], rows, side], 1.0)?, random(&[pair[0], pair[1], 3, 3], 0.02)?);
        let strips = side as f64 / rows as f64;
        let doubled = || kernels::conv2d(&kernels::double(&x)?, &weight, None, 1, false);
        plain += strips * time(|| kernels::add_repeated_shuffled(&doubled()?, &x).map(drop))?;
        saved += strips * time(|| kernels::upsample(&x, &weight, None).map(drop))?;
    }
    tell(bench, 8, "steps up of the decoder", plain, saved);
    Ok(())
}
