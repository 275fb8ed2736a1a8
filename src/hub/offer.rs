//! What a repository offers: files, sizes, hashes and licences, pinned to a commit.

use super::cache::Cache;
use super::catalogue::{self, Entry, Need, Source};
use super::client::Client;
use super::licence::{self, Card, Licence};
use super::{Error, Hash, Result, Settings, Stop, paths};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A file of a repository, which is to have the same path in the model's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    pub path: String,
    pub size: u64,
    pub hash: Hash,
}

/// A repository at a commit, and what a model takes from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRepository {
    /// `organisation/name`.
    pub repo: String,
    /// The branch or tag that was asked for.
    pub revision: String,
    pub commit: String,
    pub licence: Licence,
    /// What this model takes from it, where it is not the model's own.
    pub why: Option<String>,
    pub files: Vec<RemoteFile>,
}

impl RemoteRepository {
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }
}

/// All that makes a model's folder. Written down before anything is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub source: Source,
    /// The name of the model's folder.
    pub name: String,
    pub title: String,
    /// The model's own repository first.
    pub repositories: Vec<RemoteRepository>,
}

impl Plan {
    pub fn bytes(&self) -> u64 {
        self.repositories.iter().map(RemoteRepository::bytes).sum()
    }
}

/// What a person decides upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    pub plan: Plan,
    /// As the catalogue says; `None` where the model is not in it.
    pub can_generate: Option<bool>,
    pub can_edit: Option<bool>,
    pub purpose: Option<&'static str>,
    /// Of all files.
    pub bytes: u64,
    /// Of those that are in the cache already, whole or begun.
    pub bytes_here: u64,
    /// On the disk of the cache; `None`: not known.
    pub free_bytes: Option<u64>,
    /// The folder that the model will have, and the cache that holds the files.
    pub folder: PathBuf,
    pub cache: PathBuf,
}

impl Offer {
    /// Repositories whose licence has not been accepted yet.
    pub fn to_accept(&self) -> impl Iterator<Item = &RemoteRepository> {
        self.plan.repositories.iter().filter(|r| !r.licence.accepted)
    }
}

/// The largest answers that are read into memory.
const MAX_ANSWER: u64 = 32 << 20;
const MAX_TEXT: u64 = 1 << 20;
const MAX_FILES: usize = 10_000;

/// Asks what a model consists of. With the network switched off, what the cache holds is offered.
///
/// # Errors      there is no way to the server, no such repository, or nothing in it that makes a model
pub fn look_up(settings: &Settings, source: &Source, stop: &Stop) -> Result<Offer> {
    let (entry, repo, revision, needs) = match source {
        Source::Listed(id) => {
            let entry = catalogue::entry(id).ok_or_else(|| Error::NoSuchModel { name: id.clone() })?;
            (Some(entry), entry.repo, "main", entry.needs)
        }
        Source::Repository { repo, revision } => {
            let revision = revision.as_deref().unwrap_or("main");
            if !catalogue::is_repository(repo) || !catalogue::is_revision(revision) {
                return Err(Error::NoSuchModel { name: repo.clone() });
            }
            (None, repo.as_str(), revision, catalogue::OTHER_NEEDS)
        }
    };
    let name = entry.map_or_else(|| named(repo, revision), |entry| entry.id.to_owned());
    let title = entry.map_or_else(|| repo.to_owned(), |entry| entry.title.to_owned());
    let cache = Cache::new(&settings.cache);
    let ask: &dyn Fn(&str, &str) -> Result<Found> = if settings.offline {
        &|repo, revision| in_cache(&cache, repo, revision)
    } else {
        let client = Client::new(settings, stop)?;
        &move |repo, revision| on_server(&client, repo, revision)
    };

    let mut own = ask(repo, revision)?;
    own.repository.files.retain(|file| catalogue::is_wanted(&file.path));
    is_model(&own.repository)?;
    let mut repositories = vec![own.repository];
    for need in needs {
        let there: BTreeSet<&str> = repositories[0].files.iter().map(|f| f.path.as_str()).collect();
        let missing: Vec<&str> = need.files.iter().copied().filter(|file| !there.contains(file)).collect();
        if !missing.is_empty() {
            repositories.push(needed(need, &missing, ask(need.repo, "main")?.repository)?);
        }
    }
    for repository in &mut repositories {
        repository.licence.accepted = licence::is_accepted(&settings.licences(), &repository.repo, &repository.licence.hash);
    }
    Ok(offer(settings, &cache, entry, Plan { source: source.clone(), name, title, repositories }))
}

/// An offer of a plan that is known already.
pub(super) fn offer(settings: &Settings, cache: &Cache, entry: Option<&'static Entry>, plan: Plan) -> Offer {
    Offer {
        can_generate: entry.map(|e| e.can_generate),
        can_edit: entry.map(|e| e.can_edit),
        purpose: entry.map(|e| e.purpose),
        bytes: plan.bytes(),
        bytes_here: cache.bytes_here(&plan),
        free_bytes: paths::free_bytes(&settings.cache),
        folder: settings.models.join(&plan.name),
        cache: settings.cache.clone(),
        plan,
    }
}

/// The folder's name of a model that is not in the catalogue.
fn named(repo: &str, revision: &str) -> String {
    let name = repo.replace('/', "--");
    if revision == "main" { name } else { format!("{name}@{}", revision.replace('/', "-")) }
}

/// Without these the pipeline cannot open the folder.
fn is_model(own: &RemoteRepository) -> Result<()> {
    let has = |name: &str| own.files.iter().any(|f| f.path == name);
    let lacks = |what: &str| Err(Error::NotAModel { repo: own.repo.clone(), what: what.to_owned() });
    if !has("config.json") {
        return lacks("it has no config.json");
    }
    if !has("tokenizer.json") {
        return lacks("it has no tokenizer.json");
    }
    if !has("model.safetensors") && !has("model.safetensors.index.json") {
        return lacks("it has no weights as safetensors at its top");
    }
    Ok(())
}

fn needed(need: &Need, files: &[&str], mut other: RemoteRepository) -> Result<RemoteRepository> {
    other.files.retain(|f| files.contains(&f.path.as_str()));
    other.why = Some(need.why.to_owned());
    if let Some(missing) = files.iter().find(|file| !other.files.iter().any(|f| f.path == **file)) {
        return Err(Error::NotFound { host: need.repo.to_owned(), what: (*missing).to_owned() });
    }
    Ok(other)
}

/// A repository with all its files.
struct Found {
    repository: RemoteRepository,
}

fn on_server(client: &Client, repo: &str, revision: &str) -> Result<Found> {
    let host = client.host().to_owned();
    let address = format!("{}/api/models/{repo}/revision/{}?blobs=true", client.endpoint(), revision.replace('/', "%2F"));
    let answer = client.read(&address, MAX_ANSWER, repo)?;
    let nonsense = |what: &str| Error::Answer { host: host.clone(), what: format!("{what} of {repo}") };
    let answer: Value = serde_json::from_slice(&answer).map_err(|e| nonsense(&format!("the description ({e})")))?;
    let commit = answer["sha"].as_str().unwrap_or_default().to_owned();
    if commit.len() != 40 || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(nonsense("the commit"));
    }
    let siblings = answer["siblings"].as_array().filter(|s| s.len() <= MAX_FILES).ok_or_else(|| nonsense("the list of files"))?;
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for sibling in siblings {
        let path = sibling["rfilename"].as_str().ok_or_else(|| nonsense("a file's name"))?;
        // One bad name makes the whole list bad.
        paths::inside(&PathBuf::new(), path)?;
        if !seen.insert(path.to_ascii_lowercase()) {
            return Err(nonsense("two files of one name"));
        }
        let lfs = &sibling["lfs"];
        let hash = lfs["sha256"].as_str().or_else(|| sibling["blobId"].as_str()).and_then(Hash::parse);
        let size = lfs["size"].as_u64().or_else(|| sibling["size"].as_u64());
        files.push((path.to_owned(), size.zip(hash)));
    }
    let mut repository = RemoteRepository {
        repo: repo.to_owned(),
        revision: revision.to_owned(),
        licence: Licence::new(repo, &Card::default(), None),
        why: None,
        files: Vec::new(),
        commit,
    };
    let read = |path: &str| -> Result<String> {
        let bytes = client.read(&client.resolve(&repository.repo, &repository.commit, path), MAX_TEXT, path)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut card = Card::from_json(&answer["cardData"]);
    if card.license.is_none()
        && let Some((readme, _)) = files.iter().find(|(path, _)| path.eq_ignore_ascii_case("readme.md"))
    {
        card = card.or(Card::from_readme(&read(readme)?));
    }
    let file =
        files.iter().map(|(path, _)| path).find(|path| catalogue::is_licence(path) && !path.to_ascii_lowercase().starts_with("notice"));
    let text = file.map(|file| Ok((file.clone(), read(file)?))).transpose()?;
    repository.licence = Licence::new(repo, &card, text);
    for (path, known) in files {
        // Mirrors may leave sizes and hashes out of the list. Only files that could be of use are asked for one by one.
        let known = match known {
            Some(known) => known,
            None if catalogue::is_wanted(&path) => client.head(&repository.repo, &repository.commit, &path)?,
            None => continue,
        };
        repository.files.push(RemoteFile { path, size: known.0, hash: known.1 });
    }
    Ok(Found { repository })
}

/// What other tools, or we, have fetched before.
fn in_cache(cache: &Cache, repo: &str, revision: &str) -> Result<Found> {
    let (commit, files) = cache.snapshot(repo, revision)?.ok_or(Error::SwitchedOff)?;
    let read = |name: &dyn Fn(&str) -> bool| -> Option<(String, String)> {
        let file = files.iter().find(|f| name(&f.path) && f.size <= MAX_TEXT)?;
        let bytes = std::fs::read(cache.pointer(repo, &commit, &file.path).ok()?).ok()?;
        Some((file.path.clone(), String::from_utf8_lossy(&bytes).into_owned()))
    };
    let card = read(&|path| path.eq_ignore_ascii_case("readme.md")).map(|(_, text)| Card::from_readme(&text)).unwrap_or_default();
    let text = read(&|path| catalogue::is_licence(path) && !path.to_ascii_lowercase().starts_with("notice"));
    let licence = Licence::new(repo, &card, text);
    Ok(Found { repository: RemoteRepository { repo: repo.to_owned(), revision: revision.to_owned(), commit, licence, why: None, files } })
}
