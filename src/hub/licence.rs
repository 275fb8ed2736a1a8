//! What a repository states about its licence, and which texts a person has accepted.

use super::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The licence of a repository, as the repository states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// Its short name, such as `apache-2.0` or `other`.
    pub stated: Option<String>,
    /// The full name where the short one says `other`.
    pub name: Option<String>,
    /// Where the repository says that the text is.
    pub link: Option<String>,
    /// The text to accept: the repository's licence file, or else the fields above in words.
    pub text: String,
    /// The file of the repository that holds the text, where there is one.
    pub file: Option<String>,
    /// SHA-256 of the text, in hex. Names what is accepted.
    pub hash: String,
    /// A person has accepted this text for this repository before.
    pub accepted: bool,
}

impl Licence {
    /// From a repository's model card and its licence file.
    pub(super) fn new(repo: &str, card: &Card, file: Option<(String, String)>) -> Self {
        let (file, text) = match file {
            Some((file, text)) => (Some(file), text),
            None => (None, card.in_words(repo)),
        };
        let hash = super::hash::to_hex(&Sha256::digest(text.as_bytes()));
        Self {
            stated: card.license.clone(),
            name: card.license_name.clone(),
            link: card.license_link.clone(),
            text,
            file,
            hash,
            accepted: false,
        }
    }

    /// A short line for a person.
    pub fn title(&self) -> String {
        match (&self.stated, &self.name) {
            (Some(stated), Some(name)) if stated == "other" => name.clone(),
            (Some(stated), None) if stated == "other" => "a licence of its own".to_owned(),
            (Some(stated), _) => stated.clone(),
            (None, Some(name)) => name.clone(),
            (None, None) => "none stated".to_owned(),
        }
    }
}

/// The fields of a model card that tell a licence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Card {
    pub license: Option<String>,
    pub license_name: Option<String>,
    pub license_link: Option<String>,
}

impl Card {
    /// From the fields that the server has read from the card.
    pub fn from_json(card: &serde_json::Value) -> Self {
        let field = |name: &str| {
            let value = match &card[name] {
                serde_json::Value::Array(list) => list.iter().filter_map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
                value => value.as_str().unwrap_or_default().to_owned(),
            };
            tidy(&value)
        };
        Self { license: field("license"), license_name: field("license_name"), license_link: field("license_link") }
    }

    /// From the lines between `---` at the top of a README.
    pub fn from_readme(readme: &str) -> Self {
        let mut card = Self::default();
        let mut lines = readme.lines();
        if lines.next().map(str::trim) != Some("---") {
            return card;
        }
        for line in lines.take_while(|line| line.trim() != "---").take(1000) {
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = tidy(value.trim().trim_matches(['"', '\'', '[', ']']));
            match key {
                "license" => card.license = value,
                "license_name" => card.license_name = value,
                "license_link" => card.license_link = value,
                _ => {}
            }
        }
        card
    }

    /// What this card lacks, from another.
    pub fn or(self, other: Self) -> Self {
        Self {
            license: self.license.or(other.license),
            license_name: self.license_name.or(other.license_name),
            license_link: self.license_link.or(other.license_link),
        }
    }

    fn in_words(&self, repo: &str) -> String {
        let mut text = match (&self.license, &self.license_name) {
            (None, None) => {
                return format!(
                    "The repository {repo} states no licence and has no licence file. Ask its makers before you use it for more than trying it out."
                );
            }
            (stated, name) => {
                let both: Vec<&str> = [stated, name].into_iter().flatten().map(String::as_str).collect();
                format!("The repository {repo} states this licence: {}. It has no licence file of its own.", both.join(", "))
            }
        };
        if let Some(link) = &self.license_link {
            text.push_str(" The text is at: ");
            text.push_str(link);
        }
        text
    }
}

/// One line without control characters, not boundless; `None` where nothing is left.
fn tidy(value: &str) -> Option<String> {
    let value: String = value.trim().chars().filter(|c| !c.is_control()).take(300).collect();
    (!value.is_empty()).then_some(value)
}

/// The name of the file that remembers an acceptance.
fn remembered_as(repo: &str, hash: &str) -> String {
    format!("{}-{}.json", repo.replace('/', "--"), &hash[..16.min(hash.len())])
}

/// Whether the text has been accepted for the repository.
pub(super) fn is_accepted(folder: &Path, repo: &str, hash: &str) -> bool {
    let read = || -> Option<bool> {
        let bytes = std::fs::read(folder.join(remembered_as(repo, hash))).ok()?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        Some(value["repo"] == repo && value["hash"] == hash)
    };
    read().unwrap_or(false)
}

/// Remembers that a person has accepted the text, and the text itself.
pub(super) fn accept(folder: &Path, repo: &str, commit: &str, licence: &Licence) -> Result<()> {
    let path = folder.join(remembered_as(repo, &licence.hash));
    let record = serde_json::json!({
        "repo": repo, "commit": commit, "hash": licence.hash, "stated": licence.stated, "name": licence.name, "text": licence.text,
    });
    super::paths::write_whole(&path, record.to_string().as_bytes()).map_err(Error::disk("written", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn a_readme_tells_its_licence_and_no_more() {
        let readme = "---\nlicense: other\nlicense_name: 'nvidia'\ntags:\n  - license: no\n---\nlicense: mit\n";
        let card = Card::from_readme(readme);
        assert_eq!((card.license.as_deref(), card.license_name.as_deref()), (Some("other"), Some("nvidia")));
        assert_eq!(Card::from_readme("license: mit"), Card::default());
    }

    #[test]
    fn accepting_is_for_one_text_of_one_repository() {
        let folder = tempfile::tempdir().unwrap();
        let licence = Licence::new("a/b", &Card::default(), Some(("LICENSE".to_owned(), "Do what you like.".to_owned())));
        accept(folder.path(), "a/b", "c0", &licence).unwrap();
        assert!(is_accepted(folder.path(), "a/b", &licence.hash));
        assert!(!is_accepted(folder.path(), "a/c", &licence.hash));
        let other = Licence::new("a/b", &Card::default(), Some(("LICENSE".to_owned(), "Do not.".to_owned())));
        assert!(!is_accepted(folder.path(), "a/b", &other.hash));
    }
}
