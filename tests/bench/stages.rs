//! Times the stages with random weights and prints one JSON object per line, in the words of the PyTorch reference's
//! benchmark (`tests/golden/reference/bench_reference.py`), so that `side_by_side.py` can set the two beside each other.
//!
//!     cargo bench --profile dev --bench stages -- --size full --stage all --threads 2 --runs 5
//!
//! The machine's ceilings come first: what a large product reaches, and what is read from memory in a second. `median_s` and
//! `min_s` are wall time, `spread` is the distance of the quartiles as a share of the median, `cpu_s` processor time over all
//! threads, `peak_bytes` the most memory that the process has had in the stage, `stage_peak_bytes` that above what it had before
//! (0 where the system does not tell). One layer is timed at full size; `stage_s` is its time by the number of layers. `--runs 0`
//! runs each stage once. `--stage savings` tells what the exact savings gain (`savings.rs`). `--size nano` runs the embedded model
//! from end to end (`nano.rs`).

mod nano;
mod savings;

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use clap::{Parser, ValueEnum};
use pentimento::models::dc_ae::{self, BlockType, Strips};
use pentimento::models::kernels::{self, BlockType as Kind, Blocks};
use pentimento::models::layers::{BLOCKS, Connector, Hold, Linear, Weight};
use pentimento::models::qwen3::{self, KvCache, Qwen3};
use pentimento::models::sana::{self, Condition, SanaTransformer2D};
use pentimento::models::siglip::{self, SiglipVisionTransformer};
use pentimento::models::ta_tok;
use pentimento::pipeline::{Rng, Stream, memory};
use rayon::prelude::*;
use serde_json::json;
use std::time::Instant;

/// Behind what is made by products of rounded numbers.
const IN_16_BITS: &str = ", in 16 bits";

#[derive(Parser)]
struct Arguments {
    #[arg(long, value_enum, default_value_t = Size::Small)]
    size: Size,
    #[arg(long, value_enum, default_value_t = Stage::All)]
    stage: Stage,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Type that matrices are stored in; arithmetic is f32
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Cached tokens, and the length of the prefill
    #[arg(long, default_value_t = 800)]
    context: usize,
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Size {
    Nano,
    Small,
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    Ceilings,
    Ar,
    /// Products of one token with weights of a layer, as floats and in 8 bits
    Bits,
    Dit,
    Depthwise,
    Connectors,
    Vae,
    Encode,
    Vision,
    Savings,
    All,
}

/// Random values of any shape, scaled so that activations stay tame.
struct RandomWeights;

fn random(shape: &[usize], scale: f32) -> Result<Tensor> {
    // A short stretch of noise over and over: quick to make, and no zeros, denormals or special values.
    let noise = Rng::new(1, Stream::Noise).noise(1 << 14);
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| noise[(i ^ (i >> 14)) & 0x3fff] * scale).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

impl SimpleBackend for RandomWeights {
    fn get(&self, shape: Shape, _: &str, _: candle_nn::Init, dtype: DType, _: &Device) -> Result<Tensor> {
        let dims = shape.dims();
        let inputs: usize = dims.iter().skip(1).product();
        let tensor = if dims.len() > 1 { random(dims, (inputs as f32).powf(-0.5))? } else { (random(dims, 0.1)? + 1.0)? };
        tensor.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("{name} without a shape")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        !name.ends_with(BLOCKS)
    }
}

/// Processor time of this process so far, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The most memory that some work has above what was there before, in bytes; 0 where the system does not tell.
fn stage_peak(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    memory::give_back();
    // Linux begins to count anew.
    let counts = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = memory::peak_bytes();
    work()?;
    Ok(if counts { memory::peak_bytes().saturating_sub(before) } else { 0 })
}

struct Bench {
    arguments: Arguments,
    dtype: DType,
}

impl Bench {
    fn wants(&self, stage: Stage) -> bool {
        self.arguments.stage == Stage::All || self.arguments.stage == stage
    }

    fn vb(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(RandomWeights), self.dtype, Device::Cpu)
    }

    /// Runs once to warm up, then `runs` times; once in all where that is 0. Processor time is taken over all runs, its clock
    /// being coarse.
    fn report(&self, what: &str, layers: usize, runs: usize, work: impl FnMut() -> Result<()>) -> Result<()> {
        self.measure(what, layers, runs, &[], work).map(drop)
    }

    /// The same; amounts of work, in units of 10⁹, are also told by the second. Returns the processor time.
    fn measure(
        &self,
        what: &str,
        layers: usize,
        runs: usize,
        per_second: &[(&str, f64)],
        mut work: impl FnMut() -> Result<()>,
    ) -> Result<f64> {
        let mut wall = Vec::new();
        let mut cpu = cpu_seconds();
        let stage_peak_bytes = stage_peak(|| {
            for run in 0..=runs {
                let start = Instant::now();
                work()?;
                wall.push(start.elapsed().as_secs_f64());
                if run == 0 && runs > 0 {
                    wall.clear();
                    cpu = cpu_seconds();
                }
            }
            Ok(())
        })?;
        let cpu = (cpu_seconds() - cpu) / wall.len() as f64;
        wall.sort_by(f64::total_cmp);
        let (median, min) = (wall[wall.len() / 2], wall[0]);
        let spread = (wall[wall.len() * 3 / 4] - wall[wall.len() / 4]) / median;
        let mut line = json!({"size": self.size(), "dtype": self.arguments.dtype, "threads": self.arguments.threads, "what": what,
            "median_s": median, "min_s": min, "spread": (spread * 1e3).round() / 1e3, "cpu_s": cpu, "runs": wall.len(), "layers": layers,
            "stage_s": median * layers as f64, "peak_bytes": memory::peak_bytes(), "stage_peak_bytes": stage_peak_bytes});
        for (unit, amount) in per_second {
            line[*unit] = json!((amount / median * 10.0).round() / 10.0);
        }
        println!("{line}");
        Ok(cpu)
    }

    fn size(&self) -> &'static str {
        match self.arguments.size {
            Size::Nano => "nano",
            Size::Small => "small",
            Size::Full => "full",
        }
    }
}

struct Sizes {
    lm: qwen3::Config,
    layers: usize,
    rows: usize,
    sana: sana::Config,
    blocks: usize,
    vae: dc_ae::Config,
    tower: ta_tok::Config,
}

fn sizes(size: Size) -> Sizes {
    let full = size == Size::Full;
    let pick = |small: usize, large: usize| if full { large } else { small };
    let (heads, width) = (pick(8, 70), 32);
    let inner = heads * width;
    let (r, e) = (BlockType::ResBlock, BlockType::EfficientViTBlock);
    let types = if full { vec![r, r, r, e, e, e] } else { vec![r, r, r, e, e] };
    let channels = if full { vec![128, 256, 512, 512, 1024, 1024] } else { vec![32, 64, 64, 128, 128] };
    let multiscales: Vec<Vec<usize>> = types.iter().map(|t| if *t == e { vec![5] } else { vec![] }).collect();
    Sizes {
        lm: qwen3::Config {
            vocab_size: 64,
            hidden_size: pick(256, 2048),
            intermediate_size: pick(768, 6144),
            num_hidden_layers: 1,
            num_attention_heads: pick(4, 16),
            num_key_value_heads: pick(2, 8),
            head_dim: pick(64, 128),
            rms_norm_eps: 1e-6,
            rope_theta: 1e6,
            tie_word_embeddings: true,
        },
        layers: pick(6, 28),
        rows: pick(2000 + 26 + 5 + 1024, 217_210),
        sana: sana::Config {
            in_channels: 32,
            out_channels: 32,
            num_layers: 1,
            num_attention_heads: heads,
            attention_head_dim: width,
            num_cross_attention_heads: pick(4, 20),
            cross_attention_head_dim: pick(64, 112),
            cross_attention_dim: inner,
            caption_channels: inner,
            mlp_ratio: 2.5,
            sample_size: pick(16, 32),
            interpolation_scale: None,
            qk_norm: Some("rms_norm_across_heads".to_owned()),
            norm_eps: 1e-6,
            attention_bias: false,
            guidance_embeds: false,
            patch_size: 1,
            norm_elementwise_affine: false,
        },
        blocks: pick(4, 20),
        vae: dc_ae::Config {
            in_channels: 3,
            latent_channels: 32,
            attention_head_dim: pick(16, 32),
            encoder_block_types: types.clone(),
            decoder_block_types: types,
            encoder_block_out_channels: channels.clone(),
            decoder_block_out_channels: channels,
            encoder_layers_per_block: if full { vec![2, 2, 2, 3, 3, 3] } else { vec![1, 1, 1, 2, 2] },
            decoder_layers_per_block: if full { vec![3; 6] } else { vec![2, 1, 1, 2, 2] },
            encoder_qkv_multiscales: multiscales.clone(),
            decoder_qkv_multiscales: multiscales,
            downsample_block_type: "Conv".to_owned(),
            upsample_block_type: "interpolate".to_owned(),
            scaling_factor: 1.0,
            shift_factor: None,
        },
        tower: ta_tok::Config {
            vision: siglip::Config {
                hidden_size: pick(144, 1152),
                intermediate_size: pick(400, 4304),
                num_hidden_layers: pick(6, 27),
                num_attention_heads: pick(6, 16),
                image_size: pick(112, 384),
                patch_size: 14,
                layer_norm_eps: 1e-6,
            },
            select_layer_id: -2,
            bottleneck_dim: pick(96, 1536),
            codebook_size: pick(1024, 65_536),
            l2_normalized: true,
            projected: None,
        },
    }
}

fn ar(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let context = bench.arguments.context;
    let lm = Qwen3::new(&sizes.lm, &bench.vb(), &Hold::all())?;
    let ids = Tensor::from_vec((0..context as u32).map(|i| i % 64).collect(), (1, context), &Device::Cpu)?;
    bench.report("lm layer, prefill", sizes.layers, bench.arguments.runs, || {
        lm.forward(&ids, &mut KvCache::new(context), &mut ()).map(drop)
    })?;
    let mut cache = KvCache::new(context + kernels::FEW_ROWS);
    lm.forward(&ids, &mut cache, &mut ())?;
    let one = Tensor::new(&[[5u32]], &Device::Cpu)?;
    bench.report("lm layer, decode 1 token", sizes.layers, bench.arguments.runs * 4, || {
        cache.truncate(context);
        lm.forward(&one, &mut cache, &mut ()).map(drop)
    })?;
    let several = one.repeat((1, kernels::FEW_ROWS))?;
    bench.report(&format!("lm layer, decode {} tokens", kernels::FEW_ROWS), sizes.layers, bench.arguments.runs * 4, || {
        cache.truncate(context);
        lm.forward(&several, &mut cache, &mut ()).map(drop)
    })?;
    drop(lm);
    let head = Linear::new(sizes.lm.hidden_size, sizes.rows, false, &bench.vb())?;
    let hidden = random(&[1, sizes.lm.hidden_size], 1.0)?;
    bench.report("lm head, 1 token", 1, bench.arguments.runs, || head.forward(&hidden).map(drop))
}

fn dit(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let transformer = SanaTransformer2D::new(&sizes.sana, &bench.vb(), &Hold::all())?;
    let (side, width) = (sizes.sana.sample_size, sizes.sana.caption_channels);
    let grid = sizes.tower.vision.grid().pow(2) + 1;
    let times = transformer.timesteps(&[500.0])?;
    for (label, columns, tokens, counts) in
        [("t2i", side, grid, vec![grid]), ("edit, noise and cross", 2 * side, grid + side * side, vec![grid, side * side])]
    {
        let latents = random(&[2, 32, side, columns], 1.0)?;
        let cond = Condition::new(random(&[1, tokens, width], 1.0)?);
        let null = Condition::repeated(random(&[1, counts.len(), width], 1.0)?, counts);
        let (cond, null) = (transformer.context(&cond, &mut ())?, transformer.context(&null, &mut ())?);
        bench.report(&format!("sana block, {label}"), sizes.blocks, bench.arguments.runs, || {
            transformer.forward(&latents, &[&null, &cond], &times, 0, None, &mut ()).map(drop)
        })?;
        bench.report(&format!("sana block, {label}{IN_16_BITS}"), sizes.blocks, bench.arguments.runs, || {
            kernels::with_rounded_products(true, || transformer.forward(&latents, &[&null, &cond], &times, 0, None, &mut ())).map(drop)
        })?;
        // The reference's way: every token of both branches.
        bench.report(&format!("sana block, {label}, plain cross-attention"), sizes.blocks, bench.arguments.runs, || {
            transformer.forward(&latents, &[&cond, &cond], &times, 0, None, &mut ()).map(drop)
        })?;
    }
    Ok(())
}

/// The most that stages could reach: a product of a size that suits it, and reading memory that no cache holds.
fn ceilings(bench: &Bench) -> Result<()> {
    let (runs, side) = (bench.arguments.runs.max(3), 2048);
    let (x, w) = (random(&[side, side], 1.0)?, random(&[side, side], 1.0)?);
    let flop = [("gflop_per_s", 2e-9 * (side as f64).powi(3))];
    for (rounded, name) in [(false, ""), (true, IN_16_BITS)] {
        bench.measure(&format!("ceiling, product of 2048 x 2048 x 2048{name}"), 1, runs, &flop, || {
            kernels::with_rounded_products(rounded, || kernels::linear(&x, &w, None)).map(drop)
        })?;
    }
    let values = vec![1u64; 1 << 26];
    let read = [("gb_per_s", 8e-9 * values.len() as f64)];
    bench.measure("ceiling, reading 512 MiB", 1, runs, &read, || {
        let sum = values.par_chunks(1 << 18).map(|part| {
            let sums = part.as_chunks::<16>().0.iter().fold([0u64; 16], |mut sums, v| {
                sums.iter_mut().zip(v).for_each(|(s, v)| *s ^= v);
                sums
            });
            sums.iter().fold(0, |a, b| a ^ b)
        });
        std::hint::black_box(sum.reduce(|| 0, |a, b| a ^ b));
        Ok(())
    })?;
    Ok(())
}

/// One token against the matrices of several layers, so that no cache holds them: the part of a token that memory bounds.
fn bits(bench: &Bench, sizes: &Sizes) -> Result<()> {
    const LAYERS: usize = 6;
    let (h, m, cfg) = (sizes.lm.hidden_size, sizes.lm.intermediate_size, &sizes.lm);
    let (q, kv) = (cfg.num_attention_heads * cfg.head_dim, cfg.num_key_value_heads * cfg.head_dim);
    let shapes = [(q, h), (kv, h), (kv, h), (h, q), (m, h), (m, h), (h, m)];
    for kind in [None, Some(Kind::Q8_0), Some(Kind::Q4K)] {
        let mut layers = Vec::new();
        let mut bytes = 0;
        for (n, k) in shapes.iter().copied().cycle().take(shapes.len() * LAYERS) {
            let weight = match kind {
                None => {
                    bytes += 4 * n * k;
                    Weight::Plain(random(&[n, k], 0.02)?)
                }
                Some(kind) => {
                    let Some(row) = kind.bytes_of(k) else { candle_core::bail!("rows of {k}") };
                    bytes += n * row;
                    // Any bytes below 64: scales are then small numbers.
                    let values: Vec<u8> = (0..n * row).map(|i| (i * 7919 % 251) as u8 & 0x3f).collect();
                    Weight::Blocks(Blocks::new(Tensor::from_vec(values, (n, row), &Device::Cpu)?, k, &Device::Cpu)?)
                }
            };
            layers.push((Linear::from_parts(weight, None), random(&[1, k], 1.0)?));
        }
        let name = kind.map_or("f32", Kind::name);
        let per_second = [("gb_per_s", bytes as f64 * 1e-9)];
        // Several tokens in a pass, as they are guessed ahead.
        let one =
            bench.measure(&format!("matrices of {LAYERS} lm layers, 1 token, {name}"), 1, bench.arguments.runs * 2, &per_second, || {
                layers.iter().try_for_each(|(linear, x)| linear.forward(x).map(drop))
            })?;
        for tokens in [2, 4, kernels::FEW_ROWS] {
            let more: Vec<_> = layers.iter().map(|(linear, x)| Ok((linear, x.repeat((tokens, 1))?))).collect::<Result<_>>()?;
            let what = format!("matrices of {LAYERS} lm layers, {tokens} tokens, {name}");
            let several = bench.measure(&what, 1, bench.arguments.runs * 2, &per_second, || {
                more.iter().try_for_each(|(linear, x)| linear.forward(x).map(drop))
            })?;
            println!(
                "{}",
                json!({"size": bench.size(), "what": format!("{what}, against 1"), "ratio": (several / one * 100.0).round() / 100.0})
            );
        }
    }
    Ok(())
}

fn depthwise(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let channels = (2.0 * sizes.sana.mlp_ratio * sizes.sana.inner_dim() as f64) as usize;
    let side = sizes.sana.sample_size;
    let (x, w, b) = (random(&[2, channels, side, side], 1.0)?, random(&[channels, 1, 3, 3], 0.3)?, random(&[channels], 0.1)?);
    bench.report("depthwise convolution", 1, bench.arguments.runs * 2, || kernels::depthwise_conv2d(&x, &w, Some(&b)).map(drop))?;
    // What the transformer makes of it: with what stands before and behind it in the gated block.
    bench
        .report("depthwise convolution with its gate", 1, bench.arguments.runs * 2, || kernels::gated_depthwise(&x, &w, Some(&b)).map(drop))
}

fn connectors(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let (tokens, width) = (sizes.tower.vision.grid().pow(2) + 1, sizes.sana.caption_channels);
    let connector = Connector::new(sizes.lm.hidden_size, width, &bench.vb())?;
    let hidden = random(&[1, tokens, sizes.lm.hidden_size], 1.0)?;
    bench.report("diffusion connector", 1, bench.arguments.runs, || connector.forward(&hidden).map(drop))
}

fn autoencoder(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let runs = bench.arguments.runs.div_ceil(3);
    let side = sizes.sana.sample_size;
    if bench.wants(Stage::Vae) {
        let decoder = dc_ae::Decoder::new(&sizes.vae, &bench.vb())?;
        let latents = random(&[1, 32, side, side], 1.0)?;
        bench.report("vae decode", 1, runs, || decoder.forward(&latents, Strips::DEFAULT, &mut ()).map(drop))?;
    }
    if bench.wants(Stage::Encode) {
        let encoder = dc_ae::Encoder::new(&sizes.vae, &bench.vb())?;
        let pixels = side * sizes.vae.compression();
        let picture = random(&[1, 3, pixels, pixels], 1.0)?;
        bench.report("vae encode", 1, runs, || encoder.forward(&picture, Strips::DEFAULT, &mut ()).map(drop))?;
    }
    Ok(())
}

fn vision(bench: &Bench, sizes: &Sizes) -> Result<()> {
    let side = sizes.tower.vision.image_size;
    let picture = random(&[1, 3, side, side], 1.0)?;
    // All layers, as the reference's benchmark runs them, though the last is not needed.
    let tower = SiglipVisionTransformer::new(&sizes.tower.vision, sizes.tower.vision.num_hidden_layers, &bench.vb(), &Hold::all())?;
    bench.report("siglip forward", 1, bench.arguments.runs.div_ceil(2), || tower.forward(&picture, &mut ()).map(drop))?;
    drop(tower);
    let shallow = ta_tok::Config { select_layer_id: 0, ..sizes.tower.clone() };
    let quantiser = ta_tok::TaTok::new(&shallow, &bench.vb(), &Hold::all())?;
    bench.report("codebook projection and lookup", 1, 1, || quantiser.forward(&picture, &mut ()).map(drop))
}

fn main() -> anyhow::Result<()> {
    memory::tune_allocator();
    let arguments = Arguments::parse();
    let dtype = match arguments.dtype.as_str() {
        "f32" => DType::F32,
        "bf16" => DType::BF16,
        "f16" => DType::F16,
        other => anyhow::bail!("unknown type {other}"),
    };
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let bench = Bench { arguments, dtype };
    if bench.arguments.size == Size::Nano {
        return nano::all(&bench);
    }
    let sizes = sizes(bench.arguments.size);
    if bench.wants(Stage::Ceilings) {
        ceilings(&bench)?;
    }
    if bench.wants(Stage::Bits) && bench.arguments.size == Size::Full {
        bits(&bench, &sizes)?;
    }
    if bench.wants(Stage::Depthwise) {
        depthwise(&bench, &sizes)?;
    }
    if bench.wants(Stage::Connectors) {
        connectors(&bench, &sizes)?;
    }
    if bench.wants(Stage::Ar) {
        ar(&bench, &sizes)?;
    }
    if bench.wants(Stage::Dit) {
        dit(&bench, &sizes)?;
    }
    autoencoder(&bench, &sizes)?;
    if bench.wants(Stage::Vision) {
        vision(&bench, &sizes)?;
    }
    if bench.arguments.stage == Stage::Savings {
        savings::all(&bench, &sizes)?;
    }
    Ok(())
}
