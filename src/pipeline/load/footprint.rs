//! What a part takes in memory, layer by layer, as it is stored and as f32.

use super::{Checkpoint, Part, Result, Stored, manifest};
use candle_core::DType;
use serde::Serialize;
use std::collections::BTreeMap;

/// Values that are held in a type of choice, and those that are always exact (norms, biases, convolutions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Weight {
    pub matrix_values: u64,
    /// Of the matrices as they are stored.
    pub matrix_bytes: u64,
    pub exact_values: u64,
    /// Of matrices in blocks of few bits, which are held like that whatever the choice.
    pub block_bytes: u64,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.matrix_values += other.matrix_values;
        self.matrix_bytes += other.matrix_bytes;
        self.exact_values += other.exact_values;
        self.block_bytes += other.block_bytes;
    }

    fn bytes(self) -> u64 {
        self.matrix_bytes + 4 * self.exact_values + self.block_bytes
    }
}

/// The weights of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Footprint {
    pub part: Part,
    /// Equal layers that can be built one at a time; 0: the part is held whole.
    pub layers: usize,
    /// The largest of them.
    pub layer: Weight,
    /// Everything else.
    pub rest: Weight,
}

impl Footprint {
    /// As it is stored.
    pub fn bytes(&self) -> u64 {
        self.rest.bytes() + self.layers as u64 * self.layer.bytes()
    }
}

impl Checkpoint {
    /// The weights of a part, by layers.
    ///
    /// # Errors      the part cannot be built from the configuration
    pub fn footprint(&self, part: Part) -> Result<Footprint> {
        let (mut layers, mut rest) = (BTreeMap::<usize, Weight>::new(), Weight::default());
        for (name, (shape, dtype)) in manifest::noted(&self.configs, &[part], DType::BF16)? {
            let values = shape.iter().product::<usize>() as u64;
            let entry = self.tensors.0.get(&name);
            let in_blocks = entry.filter(|e| matches!(e.stored, Stored::Blocks(_)));
            // On the CPU what is asked for in the type of the source is a matrix, and everything else f32; but for a codebook
            // that is held in f16.
            let weight = if let (Some(entry), true) = (in_blocks, dtype == DType::BF16) {
                Weight { block_bytes: entry.range.len() as u64, ..Weight::default() }
            } else if dtype != DType::F32 {
                let matrix_bytes = entry.map_or(2 * values, |e| e.range.len() as u64);
                Weight { matrix_values: values, matrix_bytes, ..Weight::default() }
            } else {
                Weight { exact_values: values, ..Weight::default() }
            };
            match layer_of(part, &name) {
                Some(i) => layers.entry(i).or_default().add(weight),
                None => rest.add(weight),
            }
        }
        let layer = layers.values().copied().max_by_key(|l| l.bytes()).unwrap_or_default();
        Ok(Footprint { part, layers: layers.len(), layer, rest })
    }
}

/// The number of the layer that a tensor belongs to, in the parts that can build their layers one at a time.
fn layer_of(part: Part, name: &str) -> Option<usize> {
    let mark = match part {
        Part::LanguageModel => "model.layers.",
        Part::Transformer => ".transformer_blocks.",
        Part::VisionTower => ".encoder.layers.",
        _ => return None,
    };
    name.split_once(mark)?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::ModelId;

    #[test]
    fn footprints_count_every_value_of_a_part_once() {
        let checkpoint = Checkpoint::open(&ModelId::Nano).unwrap();
        for part in checkpoint.parts() {
            let footprint = checkpoint.footprint(part).unwrap();
            let values = |w: Weight| w.matrix_values + w.exact_values;
            let all = values(footprint.rest) + footprint.layers as u64 * values(footprint.layer);
            assert_eq!(all, checkpoint.summary(part).unwrap().values, "{part:?}");
            let streams = matches!(part, Part::LanguageModel | Part::Transformer | Part::VisionTower);
            assert_eq!(footprint.layers > 0, streams, "{part:?}");
        }
    }
}
