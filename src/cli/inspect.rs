//! `pentimento inspect`: what a checkpoint is.

use crate::pipeline::load::{Checkpoint, Part};
use crate::pipeline::memory;
use crate::recipe::ModelId;
use anyhow::Result;
use serde_json::json;

/// Working memory besides the weights: one picture at the model's own size, in bytes.
fn working_bytes(checkpoint: &Checkpoint) -> u64 {
    let configs = &checkpoint.configs;
    let side = configs.side() as u64;
    let widest =
        configs.vae.decoder_block_out_channels.iter().enumerate().map(|(level, c)| *c as u64 * (side >> level).pow(2)).max().unwrap_or(0);
    // Input and output of the widest level whole, and some strips of 128 MiB at most between them.
    4 * (widest + widest / 2) + 4 * (4 * widest).min(128 << 20)
}

pub fn inspect(folder: &str, as_json: bool) -> Result<()> {
    let checkpoint = Checkpoint::open(&ModelId::parse(folder))?;
    let configs = &checkpoint.configs;
    let mut parts = Vec::new();
    for part in checkpoint.parts() {
        parts.push((part, checkpoint.summary(part)?));
    }
    let values: u64 = parts.iter().map(|(_, s)| s.values).sum();
    let working = working_bytes(&checkpoint);
    let held = |stage: &[Part], width: u64| parts.iter().filter(|(p, _)| stage.contains(p)).map(|(_, s)| s.held_bytes(width)).sum::<u64>();
    let stages: [&[Part]; 4] = [
        &[Part::VisionTower, Part::Encoder],
        &[Part::LanguageModel],
        &[Part::DiffusionConnector, Part::VaeConnector, Part::Transformer],
        &[Part::Decoder],
    ];
    let all = |width: u64| held(&Part::ALL, width) + working;
    let largest = |width: u64| stages.iter().map(|stage| held(stage, width)).max().unwrap_or(0) + working;
    let variant = match (configs.cross, configs.noise) {
        (true, true) => "cross-attention to the reference, and its latents beside the noise",
        (true, false) => "cross-attention to the reference",
        (false, true) => "the reference's latents beside the noise",
        (false, false) => "the reference's tokens only",
    };
    let unused = checkpoint.unused()?;
    let memory = json!({
        "all_f32": all(4), "all_16_bit": all(2), "stage_by_stage_f32": largest(4), "stage_by_stage_16_bit": largest(2),
        "available": memory::available_bytes(),
    });
    if as_json {
        let list: Vec<_> = parts.iter().map(|(p, s)| json!({"part": format!("{p:?}"), "name": p.name(), "summary": s})).collect();
        let document = json!({
            "model": checkpoint.id, "parts": list, "values": values, "side": configs.side(), "image_tokens": configs.image_tokens,
            "can_generate": checkpoint.can_generate().err().map_or(json!(true), |why| json!(why)),
            "can_edit": checkpoint.can_edit().err().map_or(json!(true), |why| json!(why)),
            "edit_variant": variant, "tied": configs.lm.tie_word_embeddings, "unused": unused, "memory": memory,
        });
        println!("{document:#}");
        return Ok(());
    }
    println!("{}: BLIP3o-NEXT, {:.2} billion values", checkpoint.id.name(), values as f64 / 1e9);
    if checkpoint.id == ModelId::Nano {
        println!("\n{}", crate::about::NANO);
    }
    println!("\n{:<32}{:>8}{:>16}{:>12}  stored as", "part", "tensors", "values", "on disk");
    for (part, summary) in &parts {
        println!(
            "{:<32}{:>8}{:>16}{:>12}  {}",
            part.name(),
            summary.tensors,
            summary.values,
            size(summary.bytes),
            summary.dtypes.join(", ")
        );
    }
    if !unused.is_empty() {
        println!("{:<32}{:>8}", "not used by any stage", unused.len());
    }
    println!("\npicture        {0} x {0} pixels, {1} tokens", configs.side(), configs.image_tokens);
    println!("from words     {}", checkpoint.can_generate().err().unwrap_or("yes"));
    println!("edits          {}", checkpoint.can_edit().map_or_else(|why| format!("no: {why}"), |()| format!("yes, by {variant}")));
    println!("head           {}", if configs.lm.tie_word_embeddings { "tied to the embedding" } else { "of its own" });
    println!("\nmemory it will need (weights and one picture at its own size; {} are available now)", size(memory::available_bytes()));
    println!("  everything loaded    {:>10} in 16 bits, {:>10} in f32", size(all(2)), size(all(4)));
    println!("  stage by stage       {:>10} in 16 bits, {:>10} in f32", size(largest(2)), size(largest(4)));
    Ok(())
}

pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999_999 => format!("{:.1} MB", bytes as f64 / 1e6),
        10_000_000..=999_999_999 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
