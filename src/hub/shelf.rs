//! Our own folder of models: those that are ready, and those that are begun.
//!
//! `NAME/` is a model's folder, which holds links into the cache; `NAME.json` says what it is made of; `NAME.unfinished.json`
//! the same of one that is begun; `NAME.lock` belongs to the window that works on it.

use super::cache::{Cache, is_no_link, symlink};
use super::catalogue::{is_repository, is_revision};
use super::hash;
use super::offer::Plan;
use super::{Error, Hash, Result, Settings, Stop, paths};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A model that is ready: its folder can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    pub plan: Plan,
    pub folder: PathBuf,
    pub bytes: u64,
    /// Files that are gone, such as when another tool has emptied the cache. Getting the model again brings them back.
    pub missing: usize,
}

/// A model that is begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    pub plan: Plan,
    pub bytes: u64,
    /// Of those, in the cache.
    pub bytes_here: u64,
}

/// A file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFile {
    pub path: String,
    /// It is gone; otherwise its content is not what it was.
    pub missing: bool,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checking {
    pub done: u64,
    pub bytes: u64,
}

/// The folder of all models.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
    cache: Cache,
}

/// A plan is no larger than this.
const MAX_RECORD: u64 = 64 << 20;
const DONE: &str = ".json";
const BEGUN: &str = ".unfinished.json";

impl Shelf {
    pub fn new(settings: &Settings) -> Self {
        Self { folder: settings.models.clone(), cache: Cache::new(&settings.cache) }
    }

    /// All models that are ready, by name. Does not connect.
    pub fn installed(&self) -> Vec<Installed> {
        self.names(DONE).iter().filter_map(|name| self.find(name).ok()).collect()
    }

    /// All models that are begun, by name. Does not connect.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let plans = self.names(BEGUN).into_iter().filter_map(|name| self.unfinished_plan(&name).ok());
        plans.map(|plan| Unfinished { bytes: plan.bytes(), bytes_here: self.cache.bytes_here(&plan), plan }).collect()
    }

    /// # Errors      no model of the name is ready
    pub fn find(&self, name: &str) -> Result<Installed> {
        let plan = self.read(name, DONE)?;
        let folder = self.folder.join(name);
        let files = plan.repositories.iter().flat_map(|r| &r.files);
        let missing = files.filter(|f| !folder.join(&f.path).metadata().is_ok_and(|m| m.len() == f.size)).count();
        Ok(Installed { bytes: plan.bytes(), folder, missing, plan })
    }

    pub(super) fn unfinished_plan(&self, name: &str) -> Result<Plan> {
        self.read(name, BEGUN)
    }

    /// Compares all files of a model with their hashes.
    ///
    /// # Errors      no such model, stopped, or the disk fails
    pub fn verify(&self, name: &str, stop: &Stop, mut tell: impl FnMut(Checking)) -> Result<Vec<BadFile>> {
        let model = self.find(name)?;
        let (mut bad, mut done, bytes) = (Vec::new(), 0, model.bytes);
        for file in model.plan.repositories.iter().flat_map(|r| &r.files) {
            let path = paths::inside(&model.folder, &file.path)?;
            let whole = hash::is_whole(&path, file.size, &file.hash, stop, |n| {
                done += n;
                tell(Checking { done, bytes });
            })?;
            if !whole {
                bad.push(BadFile { path: file.path.clone(), missing: !path.exists() });
            }
        }
        Ok(bad)
    }

    /// Removes a model's folder, and with `cached` also what no other model of ours and no other snapshot uses of its files
    /// in the cache. Returns the bytes that are free now.
    ///
    /// # Errors      no such model, another window works on it, or the disk fails
    pub fn remove(&self, name: &str, cached: bool) -> Result<u64> {
        let plan = self.read(name, DONE)?;
        let _lock = self.lock(name)?;
        let folder = self.folder.join(name);
        // The record goes first: without it what is left is nobody's, and getting the model again replaces it.
        let record = self.record(name, DONE);
        fs::remove_file(&record).map_err(Error::disk("removed", record))?;
        // Links go, and not what they lead to. Where there are none, copies are freed.
        let own = |path: &Path| path.symlink_metadata().ok().filter(fs::Metadata::is_file).map_or(0, |m| m.len());
        let files: Vec<PathBuf> = plan.repositories.iter().flat_map(|r| &r.files).map(|f| folder.join(&f.path)).collect();
        let copied: u64 = files.iter().map(|path| own(path)).sum();
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::disk("removed", folder)(e)),
            _ => {}
        }
        if !cached {
            return Ok(copied);
        }
        let others = self.others(name);
        let kept = blobs(&others);
        Ok(copied + self.cache.remove(&plan, &kept)?)
    }

    /// Gives up what is begun.
    pub(super) fn forget(&self, plan: &Plan) -> Result<()> {
        let record = self.record(&plan.name, BEGUN);
        match fs::remove_file(&record) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::disk("removed", record)(e)),
            _ => {}
        }
        let mut others = self.others(&plan.name);
        others.extend(self.read(&plan.name, DONE));
        self.cache.forget_incomplete(plan, &blobs(&others));
        Ok(())
    }

    /// Gives up an unfinished model that no download is at work on.
    ///
    /// # Errors      there is none of the name, another window works on it, or the disk fails
    pub fn give_up(&self, name: &str) -> Result<()> {
        let plan = self.unfinished_plan(name)?;
        let _lock = self.lock(name)?;
        self.forget(&plan)
    }

    /// Makes a model's folder of links to files that are all in the cache.
    pub(super) fn install(&self, plan: &Plan, cache: &Cache) -> Result<Installed> {
        let folder = self.folder.join(&plan.name);
        let building = self.folder.join(format!(".{}.building", plan.name));
        let clear = |folder: &Path| match fs::remove_dir_all(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::disk("removed", folder)(e)),
            _ => Ok(()),
        };
        clear(&building)?;
        // The model's own files come last and win over those of others.
        for repository in plan.repositories.iter().rev() {
            for file in &repository.files {
                let there = cache.find(&repository.repo, &repository.commit, file)?;
                let there = there.ok_or_else(|| Error::Damaged { file: file.path.clone() })?;
                let there = there.canonicalize().map_err(Error::disk("found", &there))?;
                link(&there, &paths::inside(&building, &file.path)?)?;
            }
        }
        clear(&folder)?;
        fs::rename(&building, &folder).map_err(Error::disk("renamed", &folder))?;
        paths::sync_folder(&self.folder);
        self.write(plan, DONE)?;
        let begun = self.record(&plan.name, BEGUN);
        fs::remove_file(&begun).map_err(Error::disk("removed", begun))?;
        self.find(&plan.name)
    }

    pub(super) fn write_unfinished(&self, plan: &Plan) -> Result<()> {
        self.write(plan, BEGUN)
    }

    /// The lock of a model; it ends with the file.
    pub(super) fn lock(&self, name: &str) -> Result<File> {
        fs::create_dir_all(&self.folder).map_err(Error::disk("made", &self.folder))?;
        let path = self.record(name, ".lock");
        let file = File::options().create(true).append(true).open(&path).map_err(Error::disk("opened", &path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::InUse { name: name.to_owned() }),
            // A disk without locks.
            Err(TryLockError::Error(_)) | Ok(()) => Ok(file),
        }
    }

    fn record(&self, name: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{name}{ending}"))
    }

    fn write(&self, plan: &Plan, ending: &str) -> Result<()> {
        let path = self.record(&plan.name, ending);
        let text = serde_json::to_vec_pretty(plan).map_err(|e| Error::disk("written", &path)(e.into()))?;
        paths::write_whole(&path, &text).map_err(Error::disk("written", path))
    }

    fn read(&self, name: &str, ending: &str) -> Result<Plan> {
        let not_here = || Error::NotHere { name: name.to_owned() };
        if !is_name(name) {
            return Err(not_here());
        }
        let path = self.record(name, ending);
        if fs::metadata(&path).map_err(|_| not_here())?.len() > MAX_RECORD {
            return Err(not_here());
        }
        let text = fs::read(&path).map_err(Error::disk("read", &path))?;
        let plan: Plan = serde_json::from_slice(&text).map_err(|e| Error::disk("read", &path)(e.into()))?;
        plan.check()?;
        if plan.name == name { Ok(plan) } else { Err(not_here()) }
    }

    fn names(&self, ending: &str) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(ending)?.to_owned()));
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".unfinished") && is_name(name)).collect();
        names.sort();
        names
    }

    /// Plans of all other models, ready and begun.
    fn others(&self, name: &str) -> Vec<Plan> {
        let all = [DONE, BEGUN].into_iter().flat_map(|ending| self.names(ending).into_iter().map(move |name| (name, ending)));
        all.filter(|(other, _)| other != name).filter_map(|(other, ending)| self.read(&other, ending).ok()).collect()
    }
}

/// What the plans have in the cache.
fn blobs(plans: &[Plan]) -> BTreeSet<(&str, &Hash)> {
    plans.iter().flat_map(|p| &p.repositories).flat_map(|r| r.files.iter().map(|f| (r.repo.as_str(), &f.hash))).collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 250 && !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
}

impl Plan {
    /// What is read back from a file is no more to be trusted than what the net says.
    pub(super) fn check(&self) -> Result<()> {
        let hostile = |path: &str| Err(Error::Hostile { path: path.to_owned() });
        if !is_name(&self.name) {
            return hostile(&self.name);
        }
        for repository in &self.repositories {
            let commit = &repository.commit;
            if !is_repository(&repository.repo) || !is_revision(&repository.revision) {
                return hostile(&repository.repo);
            }
            if commit.len() != 40 || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
                return hostile(commit);
            }
            for file in &repository.files {
                paths::inside(Path::new(""), &file.path)?;
                if Hash::parse(file.hash.hex()).as_ref() != Some(&file.hash) {
                    return hostile(file.hash.hex());
                }
            }
        }
        Ok(())
    }
}

/// Puts a file at a second place: as a symbolic link, else as a second name of it, else as a copy.
fn link(there: &Path, here: &Path) -> Result<()> {
    let folder = here.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::disk("made", folder))?;
    // The model's own file replaces that of another repository.
    let _ = fs::remove_file(here);
    match symlink(there, here) {
        Err(e) if is_no_link(&e) => match fs::hard_link(there, here) {
            Ok(()) => Ok(()),
            Err(_) => fs::copy(there, here).map(drop).map_err(Error::disk("copied", here)),
        },
        done => done.map_err(Error::disk("linked", here)),
    }
}
