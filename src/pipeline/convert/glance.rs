//! What a folder is, told by its small files alone; and what a conversion would make of it.

use super::super::load::ready::{LIST, Ready, STATE, list};
use super::super::load::{Checkpoint, Folder, PICKLE, weight_files};
use super::super::{Result, memory};
use super::state::State;
use super::{Component, ConvertRequest, Precision, SLACK, plan, write};
use crate::recipe::ModelId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A folder at a glance. Nothing of it is opened, so that it may still turn out to be damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glance {
    /// In the official layout; bytes of its weights.
    Official { bytes: u64 },
    /// Made ready by a conversion; `bits` is `None` where its components differ.
    Ready { bytes: u64, bits: Option<u32> },
    /// A conversion that was broken off; what goes on with it, where that is known.
    Begun { done: u64, total: u64, request: Option<Box<ConvertRequest>> },
    /// No model, and why.
    Nothing(String),
}

/// Looks at a folder, without its weights.
pub fn glance(path: &Path) -> Glance {
    let folder = match Folder::of(&ModelId::Folder(path.to_owned())) {
        Ok(folder) => folder,
        Err(why) => return Glance::Nothing(why.to_string()),
    };
    match list(&folder) {
        Ok(Some(ready)) => return Glance::Ready { bytes: ready.files.iter().map(|f| f.bytes).sum(), bits: bits(&ready) },
        Ok(None) => {}
        Err(why) => return Glance::Nothing(why.to_string()),
    }
    if let Ok(Some(text)) = folder.read(STATE) {
        let state = serde_json::from_slice::<State>(&text).ok();
        let (done, total) = state.as_ref().map_or((0, 0), State::bytes);
        let asked = state.and_then(|state| state.asked);
        let request = asked.map(|asked| ConvertRequest { model: asked.model, out: path.to_owned(), precisions: asked.precisions });
        return Glance::Begun { done, total, request: request.map(Box::new) };
    }
    match weight_files(&folder) {
        Ok(mut files) => {
            files.extend(folder.has(PICKLE).then(|| PICKLE.to_owned()));
            Glance::Official { bytes: files.iter().filter_map(|name| path.join(name).metadata().ok()).map(|m| m.len()).sum() }
        }
        Err(why) => Glance::Nothing(why.to_string()),
    }
}

/// Of the components that have a choice.
fn bits(ready: &Ready) -> Option<u32> {
    let has_choice =
        |name: &str| [Component::LanguageModel, Component::Transformer, Component::ImageTokenizer].map(Component::file).contains(&name);
    let of = |name: &str| Precision::ALL.into_iter().find(|p| p.name() == name).map(Precision::bits);
    let mut all = ready.files.iter().filter(|f| has_choice(&f.name)).map(|f| of(&f.precision));
    let first = all.next()??;
    all.all(|bits| bits == Some(first)).then_some(first)
}

/// What a conversion would make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Bytes of the weights now.
    pub bytes: u64,
    /// Bytes of the weights, for the same precision everywhere; and of all that must be free for it.
    pub sizes: Vec<(Precision, u64, u64)>,
    /// Bytes that are free where `out` would be; `None` where the system does not tell.
    pub free: Option<u64>,
}

/// Finds out how large a model would be, to the byte. Reads what describes the tensors, and none of them.
///
/// # Errors      the model cannot be used, or is converted already
pub fn estimate(model: &ModelId, out: &Path) -> Result<Estimate> {
    if Folder::of(model)?.has(LIST) {
        return Err(super::Error::Convert { what: "it is converted already".to_owned(), path: PathBuf::from(model.name()) });
    }
    let checkpoint = Checkpoint::open(model)?;
    let mut sizes = Vec::new();
    for precision in Precision::ALL {
        let mut bytes = 0;
        for component in Component::ALL {
            let tensors = plan::plan(&checkpoint, component, super::Precisions::all(precision).of(component))?;
            bytes += if tensors.is_empty() { 0 } else { write::Layout::new(&tensors).total };
        }
        sizes.push((precision, bytes, bytes + SLACK + checkpoint.tokenizer().len() as u64));
    }
    let mut bytes = 0;
    for part in checkpoint.parts() {
        bytes += checkpoint.summary(part)?.bytes;
    }
    let there = out.ancestors().find(|folder| folder.is_dir());
    Ok(Estimate { bytes, sizes, free: there.and_then(memory::disk_free_bytes) })
}

#[cfg(test)]
mod tests {
    use super::super::{Converted, Precisions, convert};
    use super::*;
    use std::ops::ControlFlow;

    #[test]
    fn sizes_are_told_before_and_a_folder_says_what_it_is() {
        let home = tempfile::tempdir().unwrap();
        let nothing = home.path().join("nothing");
        assert!(matches!(glance(&nothing), Glance::Nothing(why) if why.contains("no such folder")));
        let told = estimate(&ModelId::Nano, &nothing).unwrap();
        assert!(told.free.is_some() || cfg!(not(unix)));
        for (precision, bytes, needed) in told.sizes {
            let out = home.path().join(precision.name());
            let request = ConvertRequest { model: ModelId::Nano, out: out.clone(), precisions: Precisions::all(precision) };
            // Broken off within the second component, and gone on with by what the folder says of itself.
            let mut parts = Vec::new();
            let stopped = convert(&request, &mut |p| {
                parts.push(p.component);
                if p.component == Component::LanguageModel { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            assert_eq!(stopped.unwrap(), Converted::Cancelled);
            let Glance::Begun { done, total, request: Some(again) } = glance(&out) else { panic!("{:?}", glance(&out)) };
            assert!(done > 0 && total == bytes && *again == request, "{done} of {total}");
            assert!(matches!(convert(&again, &mut |_| ControlFlow::Continue(())).unwrap(), Converted::Done { bytes: b, .. } if b == bytes));
            assert_eq!(glance(&out), Glance::Ready { bytes, bits: Some(precision.bits()) });
            assert!(needed > bytes && estimate(&ModelId::Folder(out.clone()), &out).is_err());
            // It goes, and what is not its own stays.
            std::fs::write(out.join("mine.txt"), "x").unwrap();
            assert!(super::super::remove(&out).unwrap() >= bytes);
            let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left, ["mine.txt"]);
            assert!(super::super::remove(&out).is_err());
        }
        let nano = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/nano/checkpoint");
        assert!(matches!(glance(&nano), Glance::Official { bytes } if bytes > 19_000_000));
    }
}
