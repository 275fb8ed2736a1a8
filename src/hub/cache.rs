//! The Hugging Face cache, in its own layout, so that other tools find what we fetch and we find what they fetched.
//!
//! `models--ORGANISATION--NAME/` with `blobs/HASH`, `snapshots/COMMIT/PATH` linking to blobs, `refs/BRANCH` holding a
//! commit; `.locks/models--…/HASH.lock` while a blob is written.

use super::offer::{Plan, RemoteFile};
use super::{Error, Hash, Result, Stop, paths};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The cache's folder.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// No snapshot is deeper or has more files.
const DEPTH: usize = 6;
const MAX_FILES: usize = 10_000;

impl Cache {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Bytes that are free on its disk; `None`: not known.
    pub fn free_bytes(&self) -> Option<u64> {
        paths::free_bytes(&self.root)
    }

    fn repository(&self, repo: &str) -> PathBuf {
        self.root.join(format!("models--{}", repo.replace('/', "--")))
    }

    /// Where a blob is once it is whole.
    pub(super) fn blob(&self, repo: &str, hash: &Hash) -> PathBuf {
        self.repository(repo).join("blobs").join(hash.hex())
    }

    /// Where it is until then.
    pub(super) fn incomplete(&self, repo: &str, hash: &Hash) -> PathBuf {
        self.repository(repo).join("blobs").join(format!("{}.incomplete", hash.hex()))
    }

    /// Where a file of a snapshot is.
    ///
    /// # Errors      the path leads out of the snapshot
    pub fn pointer(&self, repo: &str, commit: &str, path: &str) -> Result<PathBuf> {
        paths::inside(&self.repository(repo).join("snapshots").join(commit), path)
    }

    /// The whole file, where it is here: the blob, or on systems without links the snapshot's own file.
    pub(super) fn find(&self, repo: &str, commit: &str, file: &RemoteFile) -> Result<Option<PathBuf>> {
        let blob = self.blob(repo, &file.hash);
        let pointer = self.pointer(repo, commit, &file.path)?;
        Ok([blob, pointer].into_iter().find(|path| path.metadata().is_ok_and(|m| m.is_file() && m.len() == file.size)))
    }

    /// Bytes of a file that are here, whole or begun.
    pub(super) fn file_bytes_here(&self, repo: &str, commit: &str, file: &RemoteFile) -> u64 {
        match self.find(repo, commit, file) {
            Ok(Some(_)) => file.size,
            _ => fs::metadata(self.incomplete(repo, &file.hash)).map_or(0, |m| m.len().min(file.size)),
        }
    }

    pub(super) fn bytes_here(&self, plan: &Plan) -> u64 {
        let of = |r: &super::RemoteRepository| r.files.iter().map(|f| self.file_bytes_here(&r.repo, &r.commit, f)).sum::<u64>();
        plan.repositories.iter().map(of).sum()
    }

    /// Waits until nobody else writes the blob. The lock ends with the file.
    pub(super) fn lock(&self, repo: &str, hash: &Hash, stop: &Stop, mut tell: impl FnMut(bool)) -> Result<File> {
        let folder = self.root.join(".locks").join(format!("models--{}", repo.replace('/', "--")));
        let path = folder.join(format!("{}.lock", hash.hex()));
        fs::create_dir_all(&folder).map_err(Error::disk("made", &folder))?;
        let file = File::options().create(true).append(true).open(&path).map_err(Error::disk("opened", &path))?;
        let mut waits = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    if !waits {
                        waits = true;
                        tell(true);
                    }
                    stop.wait(Duration::from_millis(200))?;
                }
                // A disk without locks: the hash still tells a right file from a wrong one.
                Err(TryLockError::Error(e)) => {
                    tracing::debug!("no locks on this disk: {e}");
                    break;
                }
            }
        }
        if waits {
            tell(false);
        }
        Ok(file)
    }

    /// Puts a blob into its snapshot: as a link, or where the system allows none as the file itself.
    pub(super) fn put(&self, repo: &str, commit: &str, file: &RemoteFile) -> Result<()> {
        let pointer = self.pointer(repo, commit, &file.path)?;
        let blob = self.blob(repo, &file.hash);
        if !blob.exists() && pointer.is_file() {
            return Ok(());
        }
        let folder = pointer.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(Error::disk("made", folder))?;
        let up = "../".repeat(file.path.matches('/').count() + 2);
        let target = PathBuf::from(format!("{up}blobs/{}", file.hash.hex()));
        if fs::read_link(&pointer).is_ok_and(|there| there == target) {
            return Ok(());
        }
        if pointer.symlink_metadata().is_ok() {
            fs::remove_file(&pointer).map_err(Error::disk("replaced", &pointer))?;
        }
        match symlink(&target, &pointer) {
            // Another window was faster.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) if is_no_link(&e) => fs::rename(&blob, &pointer).map_err(Error::disk("moved", &pointer)),
            done => done.map_err(Error::disk("linked", &pointer)),
        }
    }

    /// Remembers which commit a branch was at.
    pub(super) fn put_ref(&self, repo: &str, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = paths::inside(&self.repository(repo).join("refs"), revision)?;
        paths::write_whole(&path, commit.as_bytes()).map_err(Error::disk("written", path))
    }

    /// The commit and the files of what is here of a repository. Files that are no links are left out: nothing tells their
    /// hash.
    pub(super) fn snapshot(&self, repo: &str, revision: &str) -> Result<Option<(String, Vec<RemoteFile>)>> {
        let name = paths::inside(&self.repository(repo).join("refs"), revision)?;
        let commit = fs::read_to_string(name).map_or_else(|_| revision.to_owned(), |text| text.trim().to_owned());
        if commit.len() != 40 || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let root = self.repository(repo).join("snapshots").join(&commit);
        let mut files = Vec::new();
        walk(&root, "", DEPTH, &mut |path, link| {
            let hash = link.file_name().and_then(|n| n.to_str()).and_then(Hash::parse);
            let size = root.join(path).metadata().ok().map(|m| m.len());
            if let Some((hash, size)) = hash.zip(size)
                && files.len() < MAX_FILES
            {
                files.push(RemoteFile { path: path.to_owned(), size, hash });
            }
        });
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((!files.is_empty()).then_some((commit, files)))
    }

    /// Removes what was begun of a plan's files.
    pub(super) fn forget_incomplete(&self, plan: &Plan, kept: &BTreeSet<(&str, &Hash)>) {
        for repository in &plan.repositories {
            for file in repository.files.iter().filter(|f| !kept.contains(&(repository.repo.as_str(), &f.hash))) {
                let _ = fs::remove_file(self.incomplete(&repository.repo, &file.hash));
            }
        }
    }

    /// Removes a plan's files, except those that `kept` names or that another snapshot links to. Returns the bytes freed.
    pub(super) fn remove(&self, plan: &Plan, kept: &BTreeSet<(&str, &Hash)>) -> Result<u64> {
        let mut freed = 0;
        for repository in &plan.repositories {
            let home = self.repository(&repository.repo);
            let files = repository.files.iter().filter(|f| !kept.contains(&(repository.repo.as_str(), &f.hash)));
            for file in files.clone() {
                let pointer = self.pointer(&repository.repo, &repository.commit, &file.path)?;
                let own = pointer.symlink_metadata().is_ok_and(|m| m.is_file());
                if fs::remove_file(&pointer).is_ok() && own {
                    freed += file.size;
                }
            }
            let mut linked = BTreeSet::new();
            walk(&home.join("snapshots"), "", DEPTH + 1, &mut |_, link| {
                linked.extend(link.file_name().map(|n| n.to_string_lossy().into_owned()));
            });
            for file in files.filter(|f| !linked.contains(f.hash.hex())) {
                let _ = fs::remove_file(self.incomplete(&repository.repo, &file.hash));
                if fs::remove_file(self.blob(&repository.repo, &file.hash)).is_ok() {
                    freed += file.size;
                }
            }
            // Only what is empty goes; the order is from the inside outwards.
            let snapshot = home.join("snapshots").join(&repository.commit);
            for folder in ["transformer", "vae", "scheduler", "vision_tower"] {
                let _ = fs::remove_dir(snapshot.join(folder));
            }
            if fs::remove_dir(&snapshot).is_ok()
                && let Ok(path) = paths::inside(&home.join("refs"), &repository.revision)
                && fs::read_to_string(&path).is_ok_and(|commit| commit.trim() == repository.commit)
            {
                let _ = fs::remove_file(path);
            }
            for folder in ["snapshots", "blobs", "refs"] {
                let _ = fs::remove_dir(home.join(folder));
            }
            let _ = fs::remove_dir(&home);
        }
        Ok(freed)
    }
}

/// Calls `each` with the path below `root` and the target of every link.
fn walk(root: &Path, below: &str, depth: usize, each: &mut dyn FnMut(&str, &Path)) {
    for entry in fs::read_dir(root.join(below)).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_symlink() => {
                if let Ok(link) = fs::read_link(entry.path()) {
                    each(&path, &link);
                }
            }
            Ok(kind) if kind.is_dir() && depth > 0 => walk(root, &path, depth - 1, each),
            _ => {}
        }
    }
}

/// Whether the system or the disk has no links for us.
pub(super) fn is_no_link(error: &std::io::Error) -> bool {
    const NO_PRIVILEGE_ON_WINDOWS: i32 = 1314;
    matches!(error.kind(), std::io::ErrorKind::Unsupported | std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::CrossesDevices)
        || cfg!(windows) && error.raw_os_error() == Some(NO_PRIVILEGE_ON_WINDOWS)
}

#[cfg(unix)]
pub(super) fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
pub(super) fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
