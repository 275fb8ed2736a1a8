//! The plan of a run: what stays in memory, in which type, and how much is worked on at a time, so that it fits.
//!
//! Pure: from sizes and free memory to a plan. Plans are ordered from the fastest to the smallest; a run that is short
//! of memory all the same steps down to the next one.

use super::load::{Footprint, Holding, Part, Weight};
use super::memory::Memory;
use super::needs::Task;
use super::{Error, Result, Stage};
use crate::models::dc_ae::Strips;
use candle_core::DType;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What stays in memory between the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residency {
    All,
    /// Each stage loads what it needs and lets it go.
    StageByStage,
    /// Within a stage, too, layers come from the disk one by one, as many of them as have no room to stay.
    LayerByLayer,
}

/// Who chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanChoice {
    /// The fastest plan that fits.
    #[default]
    Auto,
    /// That residency; layer by layer, no layer stays.
    Fixed(Residency),
}

/// The type that matrices are held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    F32,
    F16,
    Bf16,
    /// Each as it is stored; on the CPU only.
    AsStored,
}

impl Weights {
    /// The type asked of the loader.
    pub fn dtype(self) -> Option<DType> {
        match self {
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
            Self::AsStored => None,
        }
    }
}

/// What a plan is made from.
#[derive(Clone, Debug)]
pub struct Facts {
    pub task: Task,
    /// Of the parts that the run uses.
    pub parts: Vec<Footprint>,
    /// The types to choose from, the fastest first.
    pub weights: Vec<Weights>,
    /// Bytes of an exact value: 4 on the CPU.
    pub exact: u64,
    /// Bytes that parts take which stay loaded from before, if everything is to stay.
    pub others: u64,
    /// What may be used.
    pub usable: u64,
    pub choice: PlanChoice,
}

/// The most that a stage needs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageNeed {
    pub stage: Stage,
    pub weights_bytes: u64,
    pub working_bytes: u64,
}

impl StageNeed {
    pub fn bytes(&self) -> u64 {
        self.weights_bytes + self.working_bytes
    }
}

/// How a run uses memory. One that comes from another process tells, and cannot be stepped down from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// A sentence for a person, without its full stop.
    pub words: String,
    pub residency: Residency,
    pub weights: Weights,
    /// Layers that stay, of parts whose other layers come from the disk.
    pub layers: Vec<(Part, usize)>,
    /// Values of a map that the autoencoder works on at a time.
    pub strip_values: usize,
    pub stages: Vec<StageNeed>,
    pub peak_bytes: u64,
    /// What the plan was made for.
    pub usable_bytes: u64,
    /// True after a step down: memory was short.
    pub is_step_down: bool,
    /// The keys and values of the prompt stay for the next run.
    #[serde(skip)]
    pub keeps_prompt: bool,
    #[serde(skip)]
    step: usize,
    #[serde(skip)]
    facts: Option<Arc<Facts>>,
}

/// One of the ways, in order.
struct Step {
    residency: Residency,
    /// Which of [`Facts::weights`].
    fastest_weights: bool,
    strip_values: usize,
    /// Layers stay as far as there is room.
    keeps_layers: bool,
}

const MI: usize = 1 << 20;

const STEPS: [Step; 6] = [
    Step { residency: Residency::All, fastest_weights: true, strip_values: 32 * MI, keeps_layers: true },
    Step { residency: Residency::All, fastest_weights: false, strip_values: 32 * MI, keeps_layers: true },
    Step { residency: Residency::StageByStage, fastest_weights: false, strip_values: 32 * MI, keeps_layers: true },
    Step { residency: Residency::StageByStage, fastest_weights: false, strip_values: 8 * MI, keeps_layers: true },
    Step { residency: Residency::LayerByLayer, fastest_weights: false, strip_values: 8 * MI, keeps_layers: true },
    Step { residency: Residency::LayerByLayer, fastest_weights: false, strip_values: 4 * MI, keeps_layers: false },
];

/// What of the free memory may be used: some of it stays for the rest of the machine. `limit` is a person's wish.
pub fn usable_bytes(memory: Memory, limit: Option<u64>) -> u64 {
    if memory.free == 0 {
        return limit.unwrap_or(u64::MAX); // the system does not tell
    }
    let reserve = (memory.total / 10).max(512 << 20).min(memory.free / 4);
    let usable = memory.free - reserve;
    limit.map_or(usable, |limit| limit.min(usable))
}

impl Plan {
    /// The fastest plan that fits.
    ///
    /// # Errors      not even the smallest one fits: a sentence that says what would
    pub fn choose(facts: Facts) -> Result<Self> {
        let facts = Arc::new(facts);
        let allowed = |step: &usize| match facts.choice {
            PlanChoice::Auto => true,
            PlanChoice::Fixed(Residency::LayerByLayer) => !STEPS[*step].keeps_layers,
            PlanChoice::Fixed(residency) => STEPS[*step].residency == residency,
        };
        // Copies in f32 are for machines with plenty.
        let wide =
            |step: &usize| !STEPS[*step].fastest_weights || facts.weights.len() == 1 || facts.total(facts.weights[0]) <= facts.usable / 3;
        let plans = (0..STEPS.len()).filter(allowed).filter(wide).map(|step| Self::at(&facts, step, false));
        let mut smallest: Option<Self> = None;
        for plan in plans {
            if plan.peak_bytes <= facts.usable {
                return Ok(plan);
            }
            if smallest.as_ref().is_none_or(|s| plan.peak_bytes < s.peak_bytes) {
                smallest = Some(plan);
            }
        }
        Err(smallest.map_or_else(|| Error::Setting("there is no plan to choose".to_owned()), |plan| plan.refusal(&facts)))
    }

    /// The next smaller plan, for a run that was short of memory; `None`: there is none.
    pub fn step_down(&self) -> Option<Self> {
        // What was taken for free was not.
        let facts = self.facts.as_deref()?;
        let facts = Arc::new(Facts { usable: facts.usable.min(self.peak_bytes / 4 * 3), ..facts.clone() });
        let mut next = (self.step + 1..STEPS.len()).map(|step| Self::at(&facts, step, true));
        next.find(|plan| plan.peak_bytes <= self.peak_bytes && plan.sum() < self.sum())
    }

    /// Over all stages.
    fn sum(&self) -> u64 {
        self.stages.iter().map(StageNeed::bytes).sum()
    }

    fn at(facts: &Arc<Facts>, step: usize, is_step_down: bool) -> Self {
        let way = &STEPS[step];
        let weights = if way.fastest_weights { facts.weights[0] } else { facts.weights[facts.weights.len() - 1] };
        let strips = Strips::Values(way.strip_values);
        let streams = way.residency == Residency::LayerByLayer;
        let layers = facts.parts.iter().filter(|part| streams && part.layers > 0);
        let layers = layers.map(|part| {
            // One place is for the layer that comes from the disk.
            let rest = facts.bytes(part.rest, weights) + facts.task.working_bytes(part.part, strips) + facts.beside(part.part, weights);
            let layer = facts.bytes(part.layer, weights).max(1);
            let room = facts.usable.saturating_sub(rest) / layer;
            let fits = if room >= part.layers as u64 { part.layers } else { room.saturating_sub(1) as usize };
            (part.part, if way.keeps_layers { fits } else { 0 })
        });
        let layers: Vec<(Part, usize)> = layers.collect();
        let held = |part: &Footprint| {
            let stay = layers.iter().find(|(p, _)| *p == part.part).map_or(part.layers, |(_, n)| if *n < part.layers { n + 1 } else { *n });
            facts.bytes(part.rest, weights) + stay as u64 * facts.bytes(part.layer, weights)
        };
        let everything = facts.parts.iter().map(held).sum::<u64>() + facts.others;
        let stages = [
            (Stage::Vision, &[Part::VisionTower][..]),
            (Stage::Vision, &[Part::Encoder]),
            (Stage::Blueprint, &[Part::LanguageModel]),
            (Stage::Denoise, &[Part::DiffusionConnector, Part::VaeConnector, Part::Transformer]),
            (Stage::Decode, &[Part::Decoder]),
        ];
        let mut needs: Vec<StageNeed> = Vec::new();
        let left = facts.task.left() as u64 * facts.exact;
        for (stage, parts) in stages {
            let of_stage = || facts.parts.iter().filter(|p| parts.contains(&p.part));
            if of_stage().next().is_none() {
                continue;
            }
            let weights_bytes = if way.residency == Residency::All { everything } else { of_stage().map(held).sum() };
            let working_bytes = of_stage().map(|p| facts.task.working_bytes(p.part, strips)).max().unwrap_or(0) + left;
            let need = StageNeed { stage, weights_bytes, working_bytes };
            match needs.iter_mut().find(|n| n.stage == stage) {
                Some(other) if other.bytes() < need.bytes() => *other = need,
                Some(_) => {}
                None => needs.push(need),
            }
        }
        // The first to go where memory is short.
        let prompt = facts.task.cache() as u64 * facts.exact;
        let mut others: Vec<&mut StageNeed> = needs.iter_mut().filter(|n| n.stage != Stage::Blueprint).collect();
        let keeps_prompt = way.residency == Residency::All && others.iter().all(|n| n.bytes() + prompt <= facts.usable);
        if keeps_prompt {
            others.iter_mut().for_each(|n| n.working_bytes += prompt);
        }
        let mut plan = Self {
            words: String::new(),
            residency: way.residency,
            weights,
            layers,
            strip_values: way.strip_values,
            peak_bytes: needs.iter().map(StageNeed::bytes).max().unwrap_or(0),
            stages: needs,
            usable_bytes: facts.usable,
            is_step_down,
            keeps_prompt,
            step,
            facts: Some(facts.clone()),
        };
        plan.words = plan.told(facts);
        plan
    }

    /// How a part is to be loaded.
    pub fn holding(&self, part: Part) -> Holding {
        let layers = self.layers.iter().find(|(p, _)| *p == part).map_or(usize::MAX, |(_, n)| *n);
        Holding { dtype: self.weights.dtype(), layers }
    }

    /// Bytes of a part that is loaded so, with the layer that comes from the disk.
    pub fn held_bytes(&self, part: Part) -> u64 {
        let Some(facts) = self.facts.as_deref() else { return 0 };
        facts.parts.iter().find(|p| p.part == part).map_or(0, |p| {
            let layers = self.holding(part).layers;
            let stay = if layers < p.layers { layers + 1 } else { p.layers };
            facts.bytes(p.rest, self.weights) + stay as u64 * facts.bytes(p.layer, self.weights)
        })
    }

    /// Bytes that a part works with at its peak.
    pub fn working_bytes(&self, part: Part) -> u64 {
        self.facts.as_ref().map_or(0, |facts| facts.task.working_bytes(part, self.strips()))
    }

    pub fn strips(&self) -> Strips {
        Strips::Values(self.strip_values)
    }

    /// What a stage needs.
    pub fn need(&self, stage: Stage) -> Option<&StageNeed> {
        self.stages.iter().find(|n| n.stage == stage)
    }

    fn told(&self, facts: &Facts) -> String {
        let (need, usable) = (self.peak_bytes, self.usable_bytes);
        let streams = self.layers.iter().any(|(part, n)| facts.parts.iter().any(|p| p.part == *part && *n < p.layers));
        let keeps = self.layers.iter().any(|(_, n)| *n > 0);
        // After a step down nobody knows what is free.
        let is_known = usable != u64::MAX && !self.is_step_down;
        let of = if is_known { format!("{} of {}", number(need, usable), size(usable)) } else { size(need) };
        let free = if is_known { format!("; {} are free", number(usable, need)) } else { String::new() };
        let numbers = format!("needs {}{free}", size(need));
        let how = match self.residency {
            Residency::All => format!("Everything stays in memory: {of}"),
            Residency::LayerByLayer if streams && keeps => {
                format!("The layers that have room stay, the others come from the disk, which is slower: {numbers}")
            }
            Residency::LayerByLayer if streams => format!("One layer at a time from the disk, which is slower: {numbers}"),
            Residency::StageByStage | Residency::LayerByLayer => format!("Each stage loads what it needs: {numbers}"),
        };
        if !self.is_step_down {
            return how;
        }
        let mut how = how.chars();
        let first = how.next().map(char::to_lowercase).into_iter().flatten();
        format!("Memory was short; going on so: {}{}", first.collect::<String>(), how.as_str())
    }

    /// The same in few words: how, and how much of how much.
    pub fn short(&self) -> String {
        let how = match self.residency {
            Residency::All => "with everything in memory",
            Residency::StageByStage => "stage by stage",
            Residency::LayerByLayer => "layer by layer from the disk",
        };
        let (need, usable) = (self.peak_bytes, self.usable_bytes);
        let is_small = need < 100 << 20;
        let need = if is_small || usable == u64::MAX { size(need) } else { number(need, usable) };
        if usable == u64::MAX { format!("{how}, {need}") } else { format!("{how}, {need} of {}", size(usable)) }
    }

    fn refusal(&self, facts: &Facts) -> Error {
        let stage = self.stages.iter().max_by_key(|n| n.bytes());
        let (weights, working) = stage.map_or((0, 0), |n| (n.weights_bytes, n.working_bytes));
        let of_values = |f: fn(&Weight) -> u64| facts.parts.iter().map(|p| f(&p.rest) + p.layers as u64 * f(&p.layer)).sum::<u64>();
        let is_wide = of_values(|w| w.matrix_bytes) > of_values(|w| w.matrix_values);
        let mut helps = Vec::new();
        if facts.choice != PlanChoice::Auto {
            helps.push("to leave the choice of the plan to the program");
        }
        if is_wide && weights > working / 4 {
            helps.push("the model converted to 4 bits");
        }
        if working > weights / 4 && !facts.task.edits {
            helps.push("a smaller picture");
        }
        if facts.task.variations > 1 {
            helps.push("fewer variations");
        }
        helps.push("to close other programs");
        Error::TooLarge {
            need: size(self.peak_bytes),
            usable: size(facts.usable),
            stage: stage.map_or("", |n| n.stage.name()),
            helps: helps.join(", or "),
        }
    }
}

impl Facts {
    fn bytes(&self, weight: Weight, weights: Weights) -> u64 {
        let matrices = match weights {
            Weights::F32 => 4 * weight.matrix_values,
            Weights::F16 | Weights::Bf16 => 2 * weight.matrix_values,
            Weights::AsStored => weight.matrix_bytes,
        };
        matrices + weight.block_bytes + self.exact * weight.exact_values
    }

    fn total(&self, weights: Weights) -> u64 {
        self.parts.iter().map(|p| self.bytes(p.rest, weights) + p.layers as u64 * self.bytes(p.layer, weights)).sum()
    }

    /// Parts without layers that are there at the same time.
    fn beside(&self, part: Part, weights: Weights) -> u64 {
        let beside = |p: &&Footprint| part == Part::Transformer && matches!(p.part, Part::DiffusionConnector | Part::VaeConnector);
        self.parts.iter().filter(beside).map(|p| self.bytes(p.rest, weights)).sum()
    }
}

/// In the unit that suits the larger one.
fn number(bytes: u64, beside: u64) -> String {
    if bytes.max(beside) >= 100 << 20 { format!("{:.1}", bytes as f64 / f64::from(1 << 30)) } else { size(bytes) }
}

/// Bytes for a person.
pub fn size(bytes: u64) -> String {
    if bytes >= 100 << 20 {
        format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
    } else {
        format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::load::Checkpoint;
    use crate::recipe::ModelId;

    const MIB: u64 = 1 << 20;

    /// The embedded model's sizes with weights of 16 bits as large as those of a real one.
    fn facts(usable: u64, choice: PlanChoice) -> Facts {
        let configs = Checkpoint::open(&ModelId::Nano).unwrap().configs;
        let task = Task { configs, width: 4, height: 4, edits: false, prompt: 60, tokens: 64, variations: 1, value: 4, threads: 2 };
        let weight = |mib: u64| Weight { matrix_values: mib * MIB / 2, matrix_bytes: mib * MIB, exact_values: 0, block_bytes: 0 };
        let part = |part, layers, layer, rest| Footprint { part, layers, layer: weight(layer), rest: weight(rest) };
        let parts = vec![part(Part::LanguageModel, 28, 100, 900), part(Part::Transformer, 20, 130, 100), part(Part::Decoder, 0, 0, 600)];
        Facts { task, parts, weights: vec![Weights::F32, Weights::AsStored], exact: 4, others: 0, usable, choice }
    }

    #[test]
    fn the_fastest_plan_that_fits_is_chosen() {
        let chosen = |mib: u64| Plan::choose(facts(mib * MIB, PlanChoice::Auto));
        let told = |mib: u64| {
            let plan = chosen(mib).unwrap();
            assert!(plan.peak_bytes <= mib * MIB, "{}", plan.words);
            (plan.residency, plan.weights, plan.layers.first().map(|(_, n)| *n))
        };
        assert_eq!(told(60_000), (Residency::All, Weights::F32, None));
        assert_eq!(told(30_000), (Residency::All, Weights::AsStored, None), "copies are for machines with plenty");
        assert_eq!(chosen(5000).unwrap().short(), "stage by stage, 3.6 of 4.9 GiB");
        assert_eq!(told(5000), (Residency::StageByStage, Weights::AsStored, None));
        let (residency, _, held) = told(2900);
        assert!(residency == Residency::LayerByLayer && held.is_some_and(|n| (10..19).contains(&n)), "{held:?}");
        assert!(chosen(2900).unwrap().words.starts_with("The layers that have room stay, the others come from the disk"));
        assert_eq!(told(1080).2, Some(0));
        let least = Plan::choose(facts(1080 * MIB, PlanChoice::Fixed(Residency::LayerByLayer))).unwrap().words;
        assert!(least.starts_with("One layer at a time from the disk, which is slower: needs 1."), "{least}");
        let refused = chosen(700).unwrap_err().to_string();
        assert!(refused.contains("1.0 GiB of memory at least") && refused.contains("converted to 4 bits"), "{refused}");
    }

    #[test]
    fn every_step_down_needs_less_and_the_last_one_holds_no_layer() {
        let mut plan = Plan::choose(facts(60_000 * MIB, PlanChoice::Auto)).unwrap();
        let mut seen = vec![(plan.residency, plan.weights)];
        while let Some(next) = plan.step_down() {
            assert!(next.sum() < plan.sum() && next.words.starts_with("Memory was short; going on so: "), "{}", next.words);
            plan = next;
            seen.push((plan.residency, plan.weights));
        }
        seen.dedup();
        let stored = |residency| (residency, Weights::AsStored);
        let all = [Residency::All, Residency::StageByStage, Residency::LayerByLayer].map(stored);
        assert_eq!((seen[0], &seen[1..]), ((Residency::All, Weights::F32), &all[..]));
        assert!(plan.layers.iter().all(|(_, n)| *n == 0));
        // What another process tells can be read, and no more.
        let told: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
        assert!(told.words == plan.words && told.step_down().is_none());
    }

    #[test]
    fn a_prompt_is_kept_where_it_has_room_and_goes_first() {
        let plan = |usable: u64| Plan::choose(facts(usable, PlanChoice::Auto)).unwrap();
        let others = |plan: &Plan| plan.stages.iter().filter(|n| n.stage != Stage::Blueprint).map(StageNeed::bytes).max().unwrap();
        let roomy = plan(30_000 * MIB);
        let bytes = 4 * facts(0, PlanChoice::Auto).task.cache() as u64;
        let tight = plan(others(&roomy) - 1);
        assert_eq!((roomy.residency, roomy.keeps_prompt), (Residency::All, true));
        assert_eq!((tight.residency, tight.keeps_prompt), (Residency::All, false));
        assert_eq!(others(&roomy), others(&tight) + bytes);
        assert!(!plan(5000 * MIB).keeps_prompt, "stage by stage");
    }

    #[test]
    fn some_memory_is_left_for_the_rest_of_the_machine() {
        let usable = |free: u64, total: u64, limit| usable_bytes(Memory { free: free * MIB, total: total * MIB }, limit) / MIB;
        assert_eq!(usable(4000, 4096, None), 4000 - 512);
        assert_eq!(usable(20_000, 32_000, None), 20_000 - 3200);
        assert_eq!(usable(400, 8000, None), 300, "a quarter at most");
        assert_eq!(usable(20_000, 32_000, Some(1000 * MIB)), 1000);
        assert_eq!(usable(4000, 4096, Some(9000 * MIB)), 4000 - 512, "a wish is no memory");
    }
}
