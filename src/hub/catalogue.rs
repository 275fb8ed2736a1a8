//! Which models there are, what each is for, and which files of which repository make a folder that can be used.
//!
//! Nothing here says how large a file is or under which licence it is given: that is read from the repository when a person
//! asks for the model.

use serde::{Deserialize, Serialize};

/// Where the models are published.
const SANA: &str = "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers";
const TA_TOK: &str = "csuhan/TA-Tok";

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An entry of the catalogue, by its id.
    Listed(String),
    /// Another repository, `organisation/name`, at a branch, tag or commit (`None`: main).
    Repository { repo: String, revision: Option<String> },
}

impl Source {
    /// An id of the catalogue, or `organisation/name`, perhaps with `@revision` behind it.
    ///
    /// # Errors      neither of them, with the ids that there are
    pub fn parse(text: &str) -> super::Result<Self> {
        if let Some(entry) = entry(text) {
            return Ok(Self::Listed(entry.id.to_owned()));
        }
        let (repo, revision) = text.split_once('@').map_or((text, None), |(repo, revision)| (repo, Some(revision.to_owned())));
        if is_repository(repo) && revision.as_deref().is_none_or(is_revision) {
            return Ok(Self::Repository { repo: repo.to_owned(), revision });
        }
        Err(super::Error::NoSuchModel { name: text.to_owned() })
    }
}

/// `organisation/name` of letters, digits and `-._` only, so that it is a safe part of paths and addresses.
pub fn is_repository(text: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p.len() <= 96
            && p.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !p.starts_with(['.', '-'])
            && !p.ends_with(['.', '-'])
            && !p.contains("..")
            && !p.contains("--")
    };
    text.split_once('/').is_some_and(|(organisation, name)| part(organisation) && part(name))
}

/// A branch, tag or commit that is a safe part of paths and addresses.
pub fn is_revision(text: &str) -> bool {
    let part =
        |p: &str| !p.is_empty() && !p.starts_with('.') && p.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    text.len() <= 200 && text.split('/').all(part)
}

/// A model of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// What the command line calls it, and the name of its folder.
    pub id: &'static str,
    pub title: &'static str,
    pub repo: &'static str,
    pub purpose: &'static str,
    /// Makes pictures from words.
    pub can_generate: bool,
    /// Edits pictures.
    pub can_edit: bool,
    /// What it takes from other repositories.
    pub needs: &'static [Need],
}

/// Files that a model takes from another repository; they have the same paths in its folder.
#[derive(Debug)]
pub struct Need {
    pub repo: &'static str,
    pub files: &'static [&'static str],
    pub why: &'static str,
}

/// The configurations that BLIP3o-NEXT takes from SANA 1.5.
const SIDE_FILES: Need = Need {
    repo: SANA,
    files: &["scheduler/scheduler_config.json", "transformer/config.json", "vae/config.json"],
    why: "the shapes of the transformer and the autoencoder, and the noise schedule",
};

/// The image tokenizer, which reads the picture that is edited.
const TOKENIZER: Need = Need { repo: TA_TOK, files: &["ta_tok.pth"], why: "the image tokenizer that reads the picture to edit" };

/// The needs of a repository that is not in the catalogue.
pub(super) const OTHER_NEEDS: &[Need] = &[SIDE_FILES];

/// All models of the catalogue, the usual one first.
pub const ENTRIES: &[Entry] = &[
    Entry {
        id: "blip3o-next-sft-3b",
        title: "BLIP3o-NEXT SFT 3B",
        repo: "BLIP3o/BLIP3o-NEXT-SFT-3B",
        purpose: "pictures from words; the one to begin with",
        can_generate: true,
        can_edit: false,
        needs: &[SIDE_FILES],
    },
    Entry {
        id: "blip3o-next-edit-vae",
        title: "BLIP3o-NEXT Edit VAE",
        repo: "BLIP3o/BLIP3o-NEXT-edit-VAE",
        purpose: "edits pictures by an instruction",
        can_generate: false,
        can_edit: true,
        needs: &[SIDE_FILES, TOKENIZER],
    },
    Entry {
        id: "blip3o-next-grpo-geneval-3b",
        title: "BLIP3o-NEXT GRPO Geneval 3B",
        repo: "BLIP3o/BLIP3o-NEXT-GRPO-Geneval-3B",
        purpose: "pictures from words; trained further to put the right things in the right number and place",
        can_generate: true,
        can_edit: false,
        needs: &[SIDE_FILES],
    },
    Entry {
        id: "blip3o-next-grpo-text-3b",
        title: "BLIP3o-NEXT GRPO TexT 3B",
        repo: "BLIP3o/BLIP3o-NEXT-GRPO-TexT-3B",
        purpose: "pictures from words; trained further to write legible text",
        can_generate: true,
        can_edit: false,
        needs: &[SIDE_FILES],
    },
    Entry {
        id: "blip3o-next-pretrain-3b",
        title: "BLIP3o-NEXT Pretrain 3B",
        repo: "BLIP3o/BLIP3o-NEXT-Pretrain-3B",
        purpose: "pictures from words, before instruction tuning; to train further or to compare with",
        can_generate: true,
        can_edit: false,
        needs: &[SIDE_FILES],
    },
];

/// The entry of an id.
pub fn entry(id: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.id.eq_ignore_ascii_case(id) || entry.repo.eq_ignore_ascii_case(id))
}

/// Whether a file of a model's own repository belongs into its folder: weights as safetensors, configurations, the tokenizer
/// and the licence; no states of training, pictures or weights in other forms.
pub(super) fn is_wanted(path: &str) -> bool {
    const SIDE: [&str; 4] = ["scheduler/scheduler_config.json", "transformer/config.json", "vae/config.json", "vision_tower/config.json"];
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let lower = name.to_ascii_lowercase();
    if !folder.is_empty() {
        return SIDE.contains(&path);
    }
    let ends = |ending: &str| lower.ends_with(ending);
    let training = ["trainer_state.json", "training_args.json"].contains(&lower.as_str());
    (ends(".json") && !training
        || ends(".safetensors")
        || matches!(lower.as_str(), "merges.txt" | "ta_tok.pth" | "readme.md")
        || is_licence(&lower))
        && !lower.starts_with('.')
}

/// Whether a file at the top of a repository is its licence.
pub(super) fn is_licence(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let stem = lower.strip_suffix(".txt").or_else(|| lower.strip_suffix(".md")).unwrap_or(&lower);
    ["license", "licence", "copying", "notice"].contains(&stem)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn the_catalogue_is_safe_and_tells_ids_from_repositories() {
        for entry in ENTRIES {
            assert!(is_repository(entry.repo) && entry.needs.iter().all(|n| is_repository(n.repo)), "{}", entry.id);
            assert_eq!(Source::parse(entry.repo).unwrap(), Source::Listed(entry.id.to_owned()));
        }
        let other = Source::Repository { repo: "a-b/c_d.e".to_owned(), revision: Some("refs/pr/1".to_owned()) };
        assert_eq!(Source::parse("a-b/c_d.e@refs/pr/1").unwrap(), other);
        for bad in ["", "x", "a/b/c", "../b", "a/..", "a/.b", "a b/c", "a/b@../x", "a/b@", "a/b?c", "a--b/c"] {
            assert!(Source::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_gets_what_it_needs_and_no_more() {
        let wanted = ["config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "LICENSE.txt", "vae/config.json"];
        let left = ["optimizer.pt", "checkpoint-1/model.safetensors", "pytorch_model.bin", "trainer_state.json", "a.png", ".gitattributes"];
        assert!(wanted.iter().all(|p| is_wanted(p)));
        assert!(!left.iter().any(|p| is_wanted(p)));
    }
}
