//! The configuration files of a checkpoint, read as hostile.

use super::{Error, Folder, Result, full_size};
use crate::models::{dc_ae, qwen3, sana, siglip, ta_tok};
use candle_core::DType;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Everything the networks and stages need to know about a checkpoint.
#[derive(Clone, Debug)]
pub struct Configs {
    pub lm: qwen3::Config,
    pub ids: TokenIds,
    /// Tokens that end a text.
    pub eos: Vec<u32>,
    /// The longest prompt in tokens.
    pub max_prompt: usize,
    /// A reference picture's latents join the condition.
    pub cross: bool,
    /// A reference picture's latents lie beside the noise.
    pub noise: bool,
    pub sana: sana::Config,
    pub vae: dc_ae::Config,
    pub ta_tok: ta_tok::Config,
    /// Tokens that a picture has.
    pub image_tokens: usize,
    /// Side of the picture that TA-Tok looks at.
    pub input_size: usize,
    /// The shift of the flow-match schedule.
    pub shift: f32,
}

/// Where the image's tokens stand in the vocabulary.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct TokenIds {
    pub image_start_tag_id: u32,
    pub image_start_token_id: u32,
    pub image_end_token_id: u32,
    pub scale_start_token_id: u32,
}

/// config.json beyond the language model's sizes.
#[derive(Deserialize)]
struct Main {
    #[serde(flatten)]
    ids: TokenIds,
    #[serde(default)]
    use_und_image_vae: bool,
    #[serde(default)]
    use_und_image_vae_as_noise: bool,
    #[serde(default)]
    only_use_und_image_vae_as_noise: bool,
    #[serde(default)]
    use_tar_siglip_features: bool,
    #[serde(default)]
    attention_bias: bool,
    hidden_act: Option<String>,
    rope_scaling: Option<Value>,
    eos_token_id: Option<Value>,
    tokenizer_model_max_length: Option<f64>,
}

#[derive(Deserialize)]
struct TaTokArgs {
    bottleneck: Nested<BottleneckArgs>,
    bottleneck_token_num: usize,
    input_size: usize,
    select_layer_id: i64,
    #[serde(default = "one")]
    pool_scale: usize,
}

#[derive(Deserialize)]
struct Nested<T> {
    args: T,
}

#[derive(Deserialize)]
struct BottleneckArgs {
    bottleneck_dim: usize,
    regularizer: Nested<RegularizerArgs>,
}

#[derive(Deserialize)]
struct RegularizerArgs {
    codebook_size: usize,
    #[serde(default = "yes")]
    l2_normalized: bool,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// What the weights tell of their own configuration.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The arguments inside a `ta_tok.pth`.
    pub pth_args: Option<Value>,
    /// The image tokenizer has a learnt temperature, which means that its codes are normalised.
    pub learnt_temperature: bool,
    /// The type of a codebook that was projected beforehand.
    pub projected: Option<DType>,
}

/// `vision_tower/config.json` as it is, or as it would be if the folder had it.
///
/// # Errors      the file cannot be read, or is no JSON
pub fn tower_file(folder: &Folder, found: &Found) -> Result<Value> {
    let file = json(folder, TOWER_FILE)?;
    let part = |key: &str| file.as_ref().and_then(|t| t.get(key)).cloned();
    let in_pth = || found.pth_args.clone().filter(Value::is_object);
    let mut args = part("args").or_else(in_pth).unwrap_or_else(full_size::ta_tok_args);
    if found.learnt_temperature {
        let mut at = Some(&mut args);
        for key in ["bottleneck", "args", "regularizer", "args"] {
            at = at.and_then(|v| v.get_mut(key));
        }
        if let Some(Value::Object(regularizer)) = at {
            regularizer.insert("l2_normalized".to_owned(), true.into());
        }
    }
    Ok(serde_json::json!({"args": args, "vision_config": part("vision_config").unwrap_or_else(full_size::vision)}))
}

const TOWER_FILE: &str = "vision_tower/config.json";

impl Configs {
    /// Reads the files of a folder; what the official folders leave out has the full model's values.
    ///
    /// # Errors      a file cannot be read, is no JSON, lacks a value, or asks for what is not built in
    pub fn read(folder: &Folder, found: &Found) -> Result<Self> {
        let file = "config.json";
        let main =
            json(folder, file)?.ok_or_else(|| Error::NotACheckpoint { what: "there is no config.json".to_owned(), path: folder.path() })?;
        let lm: qwen3::Config = parse(file, with_head_dim(main.clone()))?;
        let more: Main = parse(file, main.clone())?;
        let refuse = |what: &str| Err(Error::Unsupported { file: file.to_owned(), what: what.to_owned() });
        if more.attention_bias {
            return refuse("attention_bias is true");
        }
        if more.hidden_act.as_deref().is_some_and(|a| a != "silu") {
            return refuse("hidden_act is not silu");
        }
        if more.rope_scaling.as_ref().is_some_and(|v| !v.is_null()) {
            return refuse("rope_scaling is set");
        }
        if more.use_tar_siglip_features {
            return refuse("use_tar_siglip_features is true");
        }
        let sana: sana::Config = read_or(folder, "transformer/config.json", full_size::transformer)?;
        let vae: dc_ae::Config = read_or(folder, "vae/config.json", full_size::vae)?;
        let tower = tower_file(folder, found)?;
        let args: TaTokArgs = parse(TOWER_FILE, tower["args"].clone())?;
        let vision: siglip::Config = parse(TOWER_FILE, tower["vision_config"].clone())?;
        let (bottleneck, regularizer) = (&args.bottleneck.args, &args.bottleneck.args.regularizer.args);
        let ta_tok = ta_tok::Config {
            vision,
            select_layer_id: args.select_layer_id,
            bottleneck_dim: bottleneck.bottleneck_dim,
            codebook_size: regularizer.codebook_size,
            l2_normalized: regularizer.l2_normalized,
            projected: found.projected,
        };
        let configs = Self {
            ids: more.ids,
            eos: eos(folder, more.eos_token_id.as_ref())?,
            max_prompt: max_prompt(folder, more.tokenizer_model_max_length)?,
            cross: more.use_und_image_vae && !more.only_use_und_image_vae_as_noise,
            noise: more.use_und_image_vae_as_noise,
            image_tokens: args.bottleneck_token_num,
            input_size: args.input_size,
            shift: shift(folder)?,
            lm,
            sana,
            vae,
            ta_tok,
        };
        configs.check(args.pool_scale)?;
        Ok(configs)
    }

    /// True where the reference's latents lie beside the noise in more channels instead of a wider map.
    pub fn noise_by_channel(&self) -> bool {
        self.sana.in_channels == 2 * self.vae.latent_channels
    }

    /// Side of the model's own picture in pixels.
    pub fn side(&self) -> usize {
        self.sana.sample_size * self.vae.compression()
    }

    /// Refuses sizes that contradict each other or are beyond all reason, before anything is allocated by them.
    fn check(&self, pool_scale: usize) -> Result<()> {
        let bad = |file: &str, what: String| Err(Error::Unsupported { file: file.to_owned(), what });
        let main = "config.json";
        let lm = &self.lm;
        let sizes = [
            (main, "vocab_size", lm.vocab_size, 4_000_000),
            (main, "hidden_size", lm.hidden_size, 65_536),
            (main, "intermediate_size", lm.intermediate_size, 262_144),
            (main, "num_hidden_layers", lm.num_hidden_layers, 512),
            (main, "num_attention_heads", lm.num_attention_heads, 1024),
            (main, "num_key_value_heads", lm.num_key_value_heads, 1024),
            (main, "head_dim", lm.head_dim, 4096),
            ("transformer/config.json", "num_layers", self.sana.num_layers, 512),
            ("transformer/config.json", "num_attention_heads", self.sana.num_attention_heads, 4096),
            ("transformer/config.json", "attention_head_dim", self.sana.attention_head_dim, 4096),
            ("transformer/config.json", "num_cross_attention_heads", self.sana.num_cross_attention_heads, 4096),
            ("transformer/config.json", "cross_attention_head_dim", self.sana.cross_attention_head_dim, 4096),
            ("transformer/config.json", "caption_channels", self.sana.caption_channels, 65_536),
            ("transformer/config.json", "sample_size", self.sana.sample_size, 1024),
            ("vae/config.json", "latent_channels", self.vae.latent_channels, 1024),
            ("vision_tower/config.json", "hidden_size", self.ta_tok.vision.hidden_size, 65_536),
            ("vision_tower/config.json", "intermediate_size", self.ta_tok.vision.intermediate_size, 262_144),
            ("vision_tower/config.json", "num_hidden_layers", self.ta_tok.vision.num_hidden_layers, 512),
            ("vision_tower/config.json", "num_attention_heads", self.ta_tok.vision.num_attention_heads, 1024),
            ("vision_tower/config.json", "image_size", self.ta_tok.vision.image_size, 8192),
            ("vision_tower/config.json", "patch_size", self.ta_tok.vision.patch_size, 1024),
            ("vision_tower/config.json", "bottleneck_dim", self.ta_tok.bottleneck_dim, 65_536),
            ("vision_tower/config.json", "codebook_size", self.ta_tok.codebook_size, 4_000_000),
        ];
        for (file, name, value, most) in sizes {
            if value == 0 || value > most {
                return bad(file, format!("{name} is {value}, not 1 to {most}"));
            }
        }
        if !lm.num_attention_heads.is_multiple_of(lm.num_key_value_heads) || !lm.head_dim.is_multiple_of(2) {
            return bad(main, "the attention heads do not divide".to_owned());
        }
        let ids = &self.ids;
        let last = u32::try_from(lm.vocab_size - 1).unwrap_or(u32::MAX);
        if ids.image_start_token_id > ids.image_end_token_id
            || [ids.image_end_token_id, ids.image_start_tag_id, ids.scale_start_token_id].iter().any(|id| *id > last)
        {
            return bad(main, "the ids of the image tokens are outside the vocabulary".to_owned());
        }
        let codes = (ids.image_end_token_id - ids.image_start_token_id) as usize + 1;
        if self.ta_tok.codebook_size != codes {
            return bad(main, format!("there are {codes} image tokens, but {} codes", self.ta_tok.codebook_size));
        }
        if let Some(what) = self.sana.unsupported() {
            return bad("transformer/config.json", what);
        }
        if let Some(what) = self.vae.unsupported() {
            return bad("vae/config.json", what);
        }
        if self.vae.encoder_block_out_channels.iter().chain(&self.vae.decoder_block_out_channels).any(|c| *c > 65_536)
            || self.vae.encoder_layers_per_block.iter().chain(&self.vae.decoder_layers_per_block).any(|n| *n > 512)
            || !(self.vae.scaling_factor.is_finite() && self.vae.scaling_factor != 0.0)
        {
            return bad("vae/config.json", "a size is beyond all reason".to_owned());
        }
        let latent = self.vae.latent_channels;
        if ![latent, 2 * latent].contains(&self.sana.in_channels) || self.sana.out_channels != self.sana.in_channels {
            return bad(
                "transformer/config.json",
                format!("{} channels in and {} out for latents of {latent}", self.sana.in_channels, self.sana.out_channels),
            );
        }
        let vision = &self.ta_tok.vision;
        if !vision.hidden_size.is_multiple_of(vision.num_attention_heads) || vision.patch_size > vision.image_size {
            return bad("vision_tower/config.json", "the sizes of the encoder do not divide".to_owned());
        }
        if pool_scale != 1 || self.image_tokens != vision.grid() * vision.grid() || self.input_size != vision.image_size {
            return bad(
                "vision_tower/config.json",
                format!("{} tokens for a grid of {} with pool_scale {pool_scale}", self.image_tokens, vision.grid()),
            );
        }
        Ok(())
    }
}

/// Older configurations leave `head_dim` to be worked out.
fn with_head_dim(mut main: Value) -> Value {
    if main.get("head_dim").is_none_or(Value::is_null)
        && let (Some(hidden), Some(heads)) = (main["hidden_size"].as_u64(), main["num_attention_heads"].as_u64())
        && heads > 0
    {
        main["head_dim"] = (hidden / heads).into();
    }
    main
}

fn eos(folder: &Folder, in_config: Option<&Value>) -> Result<Vec<u32>> {
    let generation = json(folder, "generation_config.json")?;
    let value = generation.as_ref().and_then(|g| g.get("eos_token_id")).or(in_config).cloned().unwrap_or(Value::Null);
    let list = if let Value::Array(list) = value { list } else { vec![value] };
    Ok(list.iter().filter_map(|v| v.as_u64().and_then(|id| u32::try_from(id).ok())).collect())
}

/// The tokenizer's own limit: what the official call cuts a prompt to. 2048 in training.
fn max_prompt(folder: &Folder, in_config: Option<f64>) -> Result<usize> {
    let tokenizer = json(folder, "tokenizer_config.json")?;
    let limit = tokenizer.as_ref().and_then(|t| t["model_max_length"].as_f64()).or(in_config).unwrap_or(2048.0);
    Ok(if (1.0..=32_768.0).contains(&limit) { limit as usize } else { 2048 })
}

/// The scheduler's `shift`. The released file belongs to another class and has none, which means 1.
fn shift(folder: &Folder) -> Result<f32> {
    let scheduler = json(folder, "scheduler/scheduler_config.json")?;
    let shift = scheduler.as_ref().and_then(|s| s["shift"].as_f64()).unwrap_or(1.0) as f32;
    if shift.is_finite() && shift > 0.0 {
        return Ok(shift);
    }
    Err(Error::Unsupported { file: "scheduler/scheduler_config.json".to_owned(), what: format!("shift is {shift}") })
}

fn read_or<T: DeserializeOwned>(folder: &Folder, file: &str, otherwise: fn() -> Value) -> Result<T> {
    parse(file, json(folder, file)?.unwrap_or_else(otherwise))
}

fn parse<T: DeserializeOwned>(file: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| Error::Config { file: file.to_owned(), what: e.to_string() })
}

/// A configuration file; `None` where there is none. `Infinity` and `NaN`, which Python writes, become null.
fn json(folder: &Folder, file: &str) -> Result<Option<Value>> {
    let Some(bytes) = folder.read(file)? else { return Ok(None) };
    let value =
        serde_json::from_slice(&without_infinities(&bytes)).map_err(|e| Error::Config { file: file.to_owned(), what: e.to_string() })?;
    Ok(Some(value))
}

fn without_infinities(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut at, mut quoted) = (0, false);
    while at < json.len() {
        let rest = &json[at..];
        match rest[0] {
            b'\\' if quoted => {
                out.extend(&rest[..rest.len().min(2)]);
                at += 2;
                continue;
            }
            b'"' => quoted = !quoted,
            _ if quoted => {}
            _ => {
                if let Some(word) = ["-Infinity", "Infinity", "NaN"].iter().find(|w| rest.starts_with(w.as_bytes())) {
                    out.extend(b"null");
                    at += word.len();
                    continue;
                }
            }
        }
        out.push(rest[0]);
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_infinities_become_null_outside_of_texts() {
        let cleaned = without_infinities(br#"{"a": -Infinity, "b": [NaN, 1], "c": "say \"Infinity\" NaN"}"#);
        let value: Value = serde_json::from_slice(&cleaned).unwrap();
        assert_eq!(value, serde_json::json!({"a": null, "b": [null, 1], "c": "say \"Infinity\" NaN"}));
    }

    #[test]
    fn the_full_size_values_are_complete_and_consistent() {
        let sana: sana::Config = parse("", full_size::transformer()).unwrap();
        let vae: dc_ae::Config = parse("", full_size::vae()).unwrap();
        let vision: siglip::Config = parse("", full_size::vision()).unwrap();
        let args: TaTokArgs = parse("", full_size::ta_tok_args()).unwrap();
        assert_eq!((sana.unsupported(), vae.unsupported()), (None, None));
        assert_eq!((vae.compression() * sana.sample_size, vision.grid().pow(2)), (1024, args.bottleneck_token_num));
    }
}
