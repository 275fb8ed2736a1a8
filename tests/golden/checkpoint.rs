//! Writes the reference's random checkpoints (`make_checkpoint.py`) without PyTorch: a pure function of names, shapes and a seed.

use crate::torch_random::Generator;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Name, shape and values.
pub type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// All tensors of a recorded case.
pub fn weights(case: &Value) -> Weights {
    let seed = case["seed"].as_u64().unwrap();
    let hidden = case["hidden_size"].as_u64().unwrap() as f32;
    let shape = |v: &Value| v.as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).collect::<Vec<_>>();
    let one = |(name, dims): (&String, &Value)| {
        let dims = shape(dims);
        let values = random_tensor(name, &dims, seed, hidden);
        (name.clone(), (dims, values))
    };
    case["shapes"].as_object().unwrap().iter().map(one).collect()
}

/// `random_tensor` of the reference's `blip3o_oracle.py`.
fn random_tensor(name: &str, shape: &[usize], seed: u64, lm_hidden: f32) -> Vec<f32> {
    let digest = Sha256::digest(format!("{seed}:{name}"));
    let key = (0..7).fold(0u64, |n, i| n | u64::from(digest[i]) << (8 * i));
    let noise = Generator::new(key).randn(shape.iter().product());
    let ends = |endings: &[&str]| endings.iter().any(|e| name.ends_with(e));
    let scaled = |by: f32| noise.iter().map(|v| v * by).collect();
    if ends(&["scale_layer.shift"]) {
        return vec![0.0; noise.len()];
    }
    if ends(&["scale_layer.scale"]) {
        return vec![1.0; noise.len()];
    }
    if ends(&["stochastic_temperature_inv"]) {
        return vec![10.0; noise.len()];
    }
    if ends(&["embed_tokens.weight", "lm_head.weight"]) {
        return scaled(2.0 / lm_hidden.sqrt());
    }
    if ends(&["position_embedding.weight", "scale_shift_table"]) {
        return scaled(0.3);
    }
    if ends(&["head.probe", "regularizer.embedding.weight"]) {
        return noise;
    }
    if ends(&["bias"]) {
        return scaled(0.1);
    }
    if shape.len() == 1 {
        let base = if ends(&["connector.3.weight"]) {
            5.5f32.sqrt()
        } else if ends(&[".q_norm.weight", ".k_norm.weight"]) {
            1.5
        } else {
            1.0
        };
        return noise.iter().map(|v| base * (1.0 + 0.1 * v)).collect();
    }
    let gain = if ends(&[".out_proj.weight", ".mlp.fc2.weight"]) {
        0.5
    } else if ends(&[".o_proj.weight", ".down_proj.weight"]) {
        1.5
    } else if ends(&["conv_point.weight"]) {
        3.0
    } else if ends(&["decoder.conv_out.weight", "encoder.conv_out.weight"]) {
        0.5
    } else if ["connector", "caption_projection", "timestep_embedder"].iter().any(|part| name.contains(part)) {
        1.4
    } else {
        1.0
    };
    let fan_in: usize = shape[1..].iter().product();
    scaled(gain / (fan_in as f32).sqrt())
}

/// Writes the folder: configuration files from the case, weights in two shards with an index, or in one file.
pub fn write(case: &Value, weights: &Weights, tokenizer: &Path, folder: &Path) {
    for (name, content) in case["files"].as_object().unwrap() {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.as_str().unwrap()).unwrap();
    }
    std::fs::copy(tokenizer, folder.join("tokenizer.json")).unwrap();
    let dtype = |index: usize| match case["dtype"].as_str().unwrap() {
        "mixed" => [Dtype::F32, Dtype::BF16, Dtype::F16][index % 3],
        "f16" => Dtype::F16,
        "bf16" => Dtype::BF16,
        _ => Dtype::F32,
    };
    let dtypes: BTreeMap<&String, Dtype> = weights.keys().enumerate().map(|(i, name)| (name, dtype(i))).collect();
    let names: Vec<&String> = weights.keys().collect();
    let shards: Vec<&[&String]> = if case["sharded"] == true { names.chunks(names.len().div_ceil(3)).collect() } else { vec![&names[..]] };
    let mut map = serde_json::Map::new();
    for (i, shard) in shards.iter().enumerate() {
        let file = if shards.len() == 1 {
            "model.safetensors".to_owned()
        } else {
            format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len())
        };
        let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> =
            shard.iter().map(|n| (*n, &weights[*n].0, bytes(&weights[*n].1, dtypes[n], &case["ties"][*n]))).collect();
        let views = bytes.iter().map(|(n, shape, data)| ((*n).clone(), TensorView::new(dtypes[n], (*shape).clone(), data).unwrap()));
        safetensors::serialize_to_file(views, None, &folder.join(&file)).unwrap();
        map.extend(shard.iter().map(|n| ((*n).clone(), Value::from(file.clone()))));
    }
    if shards.len() > 1 {
        std::fs::write(folder.join("model.safetensors.index.json"), serde_json::json!({"weight_map": map}).to_string()).unwrap();
    }
}

/// `ties` are places and bits of 16-bit values that hang on the last bit of an f32, which we need not have the same.
fn bytes(values: &[f32], dtype: Dtype, ties: &Value) -> Vec<u8> {
    let narrow: fn(f32) -> u16 = match dtype {
        Dtype::F32 => return values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Dtype::F16 => |v| f16::from_f32(v).to_bits(),
        _ => |v| bf16::from_f32(v).to_bits(),
    };
    let mut rounded: Vec<u16> = values.iter().map(|v| narrow(*v)).collect();
    let ties: Vec<u64> = ties.as_array().into_iter().flatten().map(|n| n.as_u64().unwrap()).collect();
    for [place, bits] in ties.as_chunks::<2>().0 {
        rounded[*place as usize] = *bits as u16;
    }
    rounded.iter().flat_map(|v| v.to_le_bytes()).collect()
}
