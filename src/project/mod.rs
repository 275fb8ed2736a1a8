//! A document in one file: SQLite with a rollback journal, so that a crash or a power cut at any instant loses nothing that
//! was reported as kept.
//!
//! Every change is one transaction; when a function here returns `Ok`, the disk has it. Pictures (PNG, lossless at 8 and
//! 16 bits), selections and the latents of every step are kept by the hash of their content. One window at a time writes;
//! others look.
//!
//! Architecture Invariant: the only room that speaks SQL. Every byte of a file is taken as hostile: its tables must be
//! exactly ours, every length is looked at before memory is taken, every hash is checked, and what is wrong is an error in
//! one sentence.

mod blobs;
mod error;
mod file;
mod local;
mod lock;
mod pictures;
mod rows;
mod state;
#[cfg(test)]
mod tests;

pub use error::{Error, Result};
pub use state::{State, View};

use crate::document::{Document, Revision, RevisionId, Saved};
use crate::imaging::{self, Picture};
use lock::{Lock, beside};
use pictures::Seen;
use rows::Ready;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The ending of a project's file.
pub const ENDING: &str = "pentimento";
/// The longest side of a thumbnail that is read, in pixels, and what all of them may take.
const THUMBNAIL_SIDE: u32 = 512;
const THUMBNAIL_BYTES: usize = 1 << 30;

/// A project's file, open.
#[derive(Debug)]
pub struct Project {
    // The order matters: the connection closes before the lock is let go and the copy removed.
    connection: Connection,
    path: PathBuf,
    lock: Option<Lock>,
    /// An old file is looked at through a copy in the newest format.
    _copy: Option<tempfile::TempPath>,
}

impl Project {
    /// Makes a new file with all of a document. It appears whole under its name or not at all.
    ///
    /// # Errors      there is a file of this name, it cannot be written, or the document holds what cannot be kept
    pub fn create(path: &Path, document: &Document, thumbnails: &BTreeMap<RevisionId, Picture>, state: &State) -> Result<Self> {
        state::fits(state, path)?;
        Self::make(path, |draft, path| {
            let mut connection = file::connect(draft, true)?;
            file::migrate(&mut connection, 0, file::MIGRATIONS).map_err(|e| Error::sqlite(path, &e))?;
            complete(&mut connection, path, document, thumbnails, state)
        })
    }

    /// [`Self::create`] for a document whose pictures may be in this file alone.
    ///
    /// # Errors      as there
    pub fn save_as(&self, path: &Path, document: &Document, thumbnails: &BTreeMap<RevisionId, Picture>, state: &State) -> Result<Self> {
        state::fits(state, path)?;
        Self::make(path, |draft, path| {
            let name =
                draft.to_str().ok_or_else(|| Error::Write { path: path.to_owned(), what: "the folder's name is not UTF-8".to_owned() })?;
            self.connection.execute("VACUUM INTO ?1", [name]).map_err(|e| Error::sqlite(path, &e))?;
            complete(&mut file::connect(draft, true)?, path, document, thumbnails, state)
        })
    }

    /// A new file that `fill` fills while nobody sees it.
    fn make(path: &Path, fill: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Error::Write { path: path.to_owned(), what: "it has no name".to_owned() })?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|e| Error::write(path, &e))?;
        let path = folder.join(name);
        let exists = || Error::Exists { path: path.clone() };
        if fs::symlink_metadata(&path).is_ok() {
            return Err(exists());
        }
        let lock = Lock::take(&path)?;
        let draft = file::draft(&path, &folder)?;
        fill(&draft, &path)?;
        file::finish(&draft, None).map_err(|e| Error::write(&path, &e))?;
        // A journal that another file of this name has left would be played back into ours.
        match fs::remove_file(beside(&path, "-journal")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::write(&path, &e)),
            _ => {}
        }
        draft.persist_noclobber(&path).map_err(|e| match e.error.kind() {
            io::ErrorKind::AlreadyExists => exists(),
            _ => Error::write(&path, &e.error),
        })?;
        file::sync_folder(&folder);
        let connection = file::connect(&path, true)?;
        Ok(Self { connection, path, lock: Some(lock), _copy: None })
    }

    /// Opens a file for looking and writing. What a crash has left half written is undone; an older format is brought to the
    /// newest on a copy, which takes the file's place once it is whole, and the old file stays beside it.
    ///
    /// # Errors      no project, a newer or damaged one, or one that can only be looked at: then [`Error::is_read_only`] is
    /// true, and [`Self::open_read_only`] may go on
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_known(path, file::MIGRATIONS)
    }

    fn open_known(path: &Path, migrations: &[&str]) -> Result<Self> {
        file::look_at(path, migrations.len())?;
        let path = path.canonicalize().map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let lock = Lock::take(&path)?;
        // SQLite would quietly open what it may not write for reading.
        fs::OpenOptions::new().write(true).open(&path).map_err(|e| Error::write(&path, &e))?;
        let mut connection = file::connect(&path, true)?;
        // Again: a crash may have left another header.
        let format = file::look_at(&path, migrations.len())?;
        if format < migrations.len() {
            let draft = file::draft(&path, folder)?;
            file::upgrade(&connection, format, &path, &draft, migrations)?;
            connection.close().map_err(|(_, e)| Error::sqlite(&path, &e))?;
            let old = (0..).map(|n| beside(&path, &format!("-format-{format}{}", if n == 0 { String::new() } else { format!("-{n}") })));
            let old = old.into_iter().find(|old| fs::symlink_metadata(old).is_err()).unwrap_or_else(|| beside(&path, "-old"));
            let replace = || -> io::Result<()> {
                file::finish(&draft, Some(&path))?;
                fs::hard_link(&path, &old).or_else(|_| fs::copy(&path, &old).map(drop))
            };
            replace().map_err(|e| Error::write(&path, &e))?;
            draft.persist(&path).map_err(|e| Error::write(&path, &e.error))?;
            file::sync_folder(folder);
            connection = file::connect(&path, true)?;
        }
        file::inspect(&connection, &path, migrations)?;
        Ok(Self { connection, path, lock: Some(lock), _copy: None })
    }

    /// Opens a file for looking only, beside a window that writes to it or in a folder that is write-protected.
    ///
    /// # Errors      no project, a newer or damaged one
    pub fn open_read_only(path: &Path) -> Result<Self> {
        Self::look_known(path, file::MIGRATIONS)
    }

    fn look_known(path: &Path, migrations: &[&str]) -> Result<Self> {
        let format = file::look_at(path, migrations.len())?;
        let path = path.canonicalize().map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut connection = file::connect(&path, false)?;
        let mut copy = None;
        if format < migrations.len() {
            let draft = file::draft(&path, &std::env::temp_dir())?;
            file::upgrade(&connection, format, &path, &draft, migrations)?;
            connection = file::connect(&draft, false)?;
            copy = Some(draft);
        }
        file::inspect(&connection, copy.as_deref().unwrap_or(&path), migrations)?;
        Ok(Self { connection, path, lock: None, _copy: copy })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can only be looked at.
    pub fn is_read_only(&self) -> bool {
        self.lock.is_none()
    }

    /// The whole document. Where a pointer is missing, the newest revision is looked at and redo leads to the newest child.
    ///
    /// # Errors      damaged, or its pictures and steps take more than `most_bytes` of memory
    pub fn document(&self, most_bytes: u64) -> Result<Document> {
        self.read(true, most_bytes)
    }

    /// [`Self::document`] with the pictures left in the file; [`Self::picture`] reads one. What is read of each is small.
    ///
    /// # Errors      damaged, or its steps and the models' own pictures take more than `most_bytes` of memory
    pub fn document_without_pictures(&self, most_bytes: u64) -> Result<Document> {
        self.read(false, most_bytes)
    }

    /// The picture of a revision.
    ///
    /// # Errors      damaged, or there is no such revision
    pub fn picture(&self, id: RevisionId) -> Result<Picture> {
        let found = rows::find(&self.connection, &self.path)?.into_iter().find(|f| f.id == id.0);
        let found = found.ok_or_else(|| Error::Refused { path: self.path.clone(), what: format!("there is no revision {}", id.0) })?;
        found.picture.read(&self.connection, &self.path, &format!("the picture of revision {}", id.0), &mut Seen::default())
    }

    fn read(&self, with_pictures: bool, most_bytes: u64) -> Result<Document> {
        let path = &self.path;
        // One view of the file, whatever another window writes meanwhile.
        let transaction = self.connection.unchecked_transaction().map_err(|e| self.said(&e))?;
        let found = rows::find(&transaction, path)?;
        let needs_bytes = rows::memory(&found, with_pictures);
        if needs_bytes > most_bytes {
            return Err(Error::TooLarge { path: path.clone(), needs_bytes, most_bytes });
        }
        let ways: Vec<_> = found.iter().filter_map(|f| Some((RevisionId(f.id), RevisionId(f.redo?)))).collect();
        let mut seen = Seen::default();
        let revisions: Vec<Revision> =
            found.into_iter().map(|f| rows::fill(&transaction, path, f, with_pictures, &mut seen)).collect::<Result<_>>()?;
        let is_there = |id: &RevisionId| revisions.binary_search_by_key(id, |r| r.id).is_ok();
        let parents: BTreeMap<_, _> = revisions.iter().map(|r| (r.id, r.parent)).collect();
        let mut last_child: BTreeMap<_, _> = revisions.iter().filter_map(|r| Some((r.parent?, r.id))).collect();
        last_child.extend(ways.into_iter().filter(|(from, to)| parents.get(to) == Some(&Some(*from))));
        let newest = revisions.last().map(|r| r.id);
        let current = state::get(&transaction, "current").map_err(|e| self.said(&e))?.map(RevisionId).filter(is_there).or(newest);
        let next: Option<u32> = state::get(&transaction, "next").map_err(|e| self.said(&e))?;
        let next = next.unwrap_or_default().max(newest.map_or(0, |n| n.0.saturating_add(1)));
        Document::restore(Saved { revisions, current, last_child, next }).map_err(|e| Error::damaged(path, e.to_string()))
    }

    /// The thumbnails that were kept; what cannot be read is left out, since a thumbnail can be made again.
    ///
    /// # Errors      the file cannot be read
    pub fn thumbnails(&self) -> Result<BTreeMap<RevisionId, Picture>> {
        let read = || -> rusqlite::Result<BTreeMap<RevisionId, Picture>> {
            let mut select = self.connection.prepare("SELECT revision, png FROM thumbnail")?;
            let mut rows = select.query([])?;
            let (mut all, mut bytes) = (BTreeMap::new(), 0);
            while let Some(row) = rows.next()? {
                let png = row.get_ref(1)?.as_blob().unwrap_or_default();
                let side = |at: usize| png.get(at..at + 4).map_or(u32::MAX, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
                if png.starts_with(b"\x89PNG") && side(16) <= THUMBNAIL_SIDE && side(20) <= THUMBNAIL_SIDE && bytes < THUMBNAIL_BYTES {
                    bytes += 8 * side(16) as usize * side(20) as usize;
                    all.extend(imaging::decode(png).ok().zip(row.get(0).ok()).map(|(picture, id)| (RevisionId(id), picture)));
                }
            }
            Ok(all)
        };
        read().map_err(|e| self.said(&e))
    }

    /// Where the person was.
    ///
    /// # Errors      damaged
    pub fn state(&self) -> Result<State> {
        state::load(&self.connection, &self.path)
    }

    /// Keeps a revision for good: to be called when its job has finished.
    ///
    /// # Errors      not writable, the disk is full, the parent is not there
    pub fn record(&mut self, revision: &Revision, thumbnail: Option<&Picture>) -> Result<()> {
        self.may_write()?;
        let size = |id: RevisionId| {
            let mut select = self.connection.prepare_cached("SELECT width, height FROM revision WHERE id = ?1")?;
            select.query_row([id.0], |row| Ok([row.get(0)?, row.get(1)?])).optional()
        };
        let source = revision.parent.map(size).transpose().map_err(|e| self.said(&e))?.flatten();
        let ready = Ready::new(&self.path, revision, thumbnail, source)?;
        let id = revision.id.0;
        self.write(|transaction| {
            ready.keep(transaction)?;
            if let Some(parent) = revision.parent {
                transaction.execute("UPDATE revision SET redo = ?2 WHERE id = ?1", params![parent.0, id])?;
            }
            let next: u32 = state::get(transaction, "next")?.unwrap_or_default();
            state::set(transaction, "next", Some(next.max(id.saturating_add(1))))
        })
    }

    /// Keeps which revision is looked at, and where redo goes from there ([`Document::last_child`]).
    ///
    /// # Errors      not writable, the disk is full, no such revision
    pub fn set_current(&mut self, id: RevisionId, redo: Option<RevisionId>) -> Result<()> {
        self.change(id, |transaction| {
            state::set(transaction, "current", Some(id.0))?;
            if let Some(redo) = redo {
                transaction.execute("UPDATE revision SET redo = ?2 WHERE id = ?1", params![id.0, redo.0])?;
            }
            // The way back to here is the way that redo takes, as in the document.
            transaction.execute(
                "WITH RECURSIVE up (id, child) AS (
                     SELECT parent, id FROM revision WHERE id = ?1
                     UNION SELECT revision.parent, revision.id FROM revision JOIN up ON revision.id = up.id)
                 UPDATE revision SET redo = up.child FROM up WHERE revision.id = up.id",
                [id.0],
            )
        })
    }

    /// Keeps the name that a person gave, or that they took away.
    ///
    /// # Errors      not writable, the disk is full, no such revision
    pub fn rename(&mut self, id: RevisionId, name: Option<&str>) -> Result<()> {
        self.change(id, |transaction| transaction.execute("UPDATE revision SET name = ?2 WHERE id = ?1", params![id.0, name]))
    }

    /// Keeps a star.
    ///
    /// # Errors      not writable, the disk is full, no such revision
    pub fn star(&mut self, id: RevisionId, starred: bool) -> Result<()> {
        self.change(id, |transaction| transaction.execute("UPDATE revision SET starred = ?2 WHERE id = ?1", params![id.0, starred]))
    }

    /// Takes revisions away for good, all of them or none: those that [`Document::prune`] told.
    ///
    /// # Errors      not writable, the disk is full, something else was made from one of them
    pub fn prune(&mut self, gone: &[RevisionId]) -> Result<()> {
        let mut gone = gone.to_vec();
        gone.sort_unstable();
        self.write(|transaction| {
            // Children go before their parents.
            for id in gone.iter().rev() {
                transaction.execute("DELETE FROM revision WHERE id = ?1", [id.0])?;
                transaction.execute("DELETE FROM state WHERE key = 'current' AND value = ?1", [id.0])?;
            }
            blobs::sweep(transaction)
        })?;
        // Gives room back to the disk; without it, the room is used for what comes.
        if let Err(e) = file::shrink(&self.connection) {
            tracing::debug!("the project was not made shorter: {e}");
        }
        Ok(())
    }

    /// Keeps where the person is.
    ///
    /// # Errors      not writable, the disk is full
    pub fn save_state(&mut self, state: &State) -> Result<()> {
        state::fits(state, &self.path)?;
        self.write(|transaction| state::save(transaction, state))
    }

    /// SQLite's own check of every page and every reference; reads the whole file.
    ///
    /// # Errors      something is wrong
    pub fn check(&self) -> Result<()> {
        file::check(&self.connection, &self.path)
    }

    fn may_write(&self) -> Result<()> {
        if self.is_read_only() { Err(Error::ReadOnly { path: self.path.clone() }) } else { Ok(()) }
    }

    /// One change to a revision that must be there.
    fn change(&mut self, id: RevisionId, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<usize>) -> Result<()> {
        self.may_write()?;
        let is_there = self.connection.prepare_cached("SELECT 1 FROM revision WHERE id = ?1").and_then(|mut s| s.exists([id.0]));
        if !is_there.map_err(|e| self.said(&e))? {
            return Err(Error::Refused { path: self.path.clone(), what: format!("there is no revision {}", id.0) });
        }
        self.write(|transaction| change(transaction).map(drop))
    }

    fn write(&mut self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<()> {
        self.may_write()?;
        transact(&mut self.connection, change).map_err(|e| Error::sqlite(&self.path, &e))
    }

    fn said(&self, error: &rusqlite::Error) -> Error {
        Error::sqlite(&self.path, error)
    }
}

/// One transaction: all of it or nothing.
fn transact(connection: &mut Connection, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    // Writing from the beginning, so that another writer is waited for and not run into.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change(&transaction)?;
    transaction.commit()
}

/// Brings a new file to what a document is: revisions that it lacks are added, those that it has too many go. Nobody sees a
/// draft that a crash leaves, so the disk is waited for once, at the end.
fn complete(
    connection: &mut Connection,
    path: &Path,
    document: &Document,
    thumbnails: &BTreeMap<RevisionId, Picture>,
    state: &State,
) -> Result<()> {
    let said = |e| Error::sqlite(path, &e);
    connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;").map_err(said)?;
    let there: BTreeSet<u32> = rows::find(connection, path)?.into_iter().map(|f| f.id).collect();
    for revision in document.revisions().iter().filter(|r| !there.contains(&r.id.0)) {
        let source = revision.parent.and_then(|p| document.revision(p)).map(|p| p.picture.size());
        let ready = Ready::new(path, revision, thumbnails.get(&revision.id), source)?;
        transact(connection, |transaction| ready.keep(transaction)).map_err(said)?;
    }
    transact(connection, |transaction| {
        // Children go before their parents.
        for id in there.iter().rev().filter(|id| document.revision(RevisionId(**id)).is_none()) {
            transaction.execute("DELETE FROM revision WHERE id = ?1", [id])?;
        }
        for revision in document.revisions() {
            let redo = document.last_child().get(&revision.id).map(|to| to.0);
            transaction.execute(
                "UPDATE revision SET redo = ?2, name = ?3, starred = ?4 WHERE id = ?1",
                params![revision.id.0, redo, revision.name, revision.starred],
            )?;
        }
        state::set(transaction, "next", Some(document.next().0))?;
        state::set(transaction, "current", document.current().map(|r| r.id.0))?;
        state::save(transaction, state)?;
        blobs::sweep(transaction)
    })
    .map_err(said)
}
