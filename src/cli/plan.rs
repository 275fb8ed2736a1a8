//! `pentimento plan`: how a run would use memory.

use super::arguments::Memory;
use crate::pipeline::{DeviceChoice, Engine, Request, Settings};
use crate::recipe::{ModelId, Recipe, Size};
use anyhow::Result;
use serde_json::json;

/// The run that is asked about.
pub struct Asked<'a> {
    pub model: &'a str,
    pub size: Option<Size>,
    pub edits: bool,
    pub variations: usize,
    pub device: DeviceChoice,
}

pub fn plan(asked: &Asked, memory: &Memory, as_json: bool) -> Result<()> {
    let model = ModelId::parse(asked.model);
    let settings = Settings { device: asked.device, plan: memory.choice(), memory: memory.limit, ..Settings::default() };
    let engine = Engine::open(&model, &settings)?;
    let mut request = Request::new(Recipe { size: asked.size, ..Recipe::new(model, "") });
    request.variations = asked.variations;
    let plan = engine.plan(&request, asked.edits)?;
    if as_json {
        println!("{:#}", json!({"words": plan.words(), "plan": plan}));
        return Ok(());
    }
    println!("{}.\n\n{:<26}{:>10}{:>10}{:>10}", plan.words(), "MiB", "weights", "work", "together");
    let mib = |bytes: u64| bytes >> 20;
    for need in &plan.stages {
        println!("{:<26}{:>10}{:>10}{:>10}", need.stage.name(), mib(need.weights_bytes), mib(need.working_bytes), mib(need.bytes()));
    }
    Ok(())
}
