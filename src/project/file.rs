//! The database file itself: is it one of ours, of which format, and does it hold together as far as a look can tell.

use super::lock::beside;
use super::{Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

/// "Pent", in the header of every project.
pub(super) const APPLICATION_ID: u32 = 0x5065_6e74;
/// One for every format there was, in order; the format is how many have been applied.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql"), include_str!("migrations/0003.sql")];
/// The longest row; pieces of blobs are much shorter.
const LONGEST_ROW: i32 = 64 << 20;
/// How long another program's reading or writing is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at the header without SQLite, and tells the format.
///
/// # Errors      not readable, no project, a newer one
pub(super) fn look_at(path: &Path, known: usize) -> Result<usize> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    // A device or a pipe may never end.
    if !fs::metadata(path).map_err(read)?.is_file() {
        return Err(read(io::Error::other("not an ordinary file")));
    }
    let mut header = Vec::new();
    File::open(path).map_err(read)?.take(100).read_to_end(&mut header).map_err(read)?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    let Some(header) = header.first_chunk::<100>() else { return Err(Error::damaged(path, "it ends after a few bytes")) };
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if number(68) != APPLICATION_ID {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    let found = number(60);
    if found as usize > known {
        return Err(Error::Newer { path: path.to_owned(), found, known: known as u32 });
    }
    Ok(found as usize)
}

/// A connection that trusts nothing in the file.
///
/// # Errors      the file cannot be opened
pub(super) fn connect(path: &Path, writes: bool) -> Result<Connection> {
    let access = if writes { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let said = |e| match Error::sqlite(path, &e) {
        // A journal that must be played back, where nothing may be written.
        Error::NotWritable { path } if !writes && beside(&path, "-journal").exists() => Error::Unfinished { path },
        other => other,
    };
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(said)?;
    let set = || -> rusqlite::Result<()> {
        connection.busy_timeout(PATIENCE)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_ROW)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?; // VACUUM INTO attaches
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON;")?;
        if writes {
            // EXTRA is FULL and more: a transaction that was reported done is still there after a power cut.
            connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;")?;
        }
        // The first reading plays back a journal that a crash has left.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    set().map_err(said)?;
    Ok(connection)
}

/// Whether an open file is whole and has exactly the tables of its format.
///
/// # Errors      it is not, or has not
pub(super) fn inspect(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<()> {
    let said = |e| Error::sqlite(path, &e);
    // In one transaction, so that nobody writes between the two looks.
    let transaction = connection.unchecked_transaction().map_err(said)?;
    let pages: u64 = transaction.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).map_err(said)? as u64;
    let page_bytes: u64 = transaction.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).map_err(said)? as u64;
    let found = schema(&transaction).map_err(said)?;
    let has = fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?.len();
    if has < pages * page_bytes {
        return Err(Error::damaged(path, format!("it ends after {has} of {} bytes", pages * page_bytes)));
    }
    // Strange views and triggers would run as we read; nothing but our own tables is let in.
    let expected = Connection::open_in_memory().and_then(|mut model| {
        migrate(&mut model, 0, migrations)?;
        schema(&model)
    });
    if found != expected.map_err(said)? {
        return Err(Error::damaged(path, "its tables are not those of a project"));
    }
    Ok(())
}

fn schema(connection: &Connection) -> rusqlite::Result<Vec<[String; 4]>> {
    let mut all = connection.prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY 1, 2")?;
    let rows = all.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    rows.collect()
}

/// Brings tables from one format to the newest, all in one transaction.
pub(super) fn migrate(connection: &mut Connection, from: usize, migrations: &[&str]) -> rusqlite::Result<()> {
    if from == 0 {
        // These hold only while there is no table.
        connection.execute_batch("PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL;")?;
    }
    let transaction = connection.transaction()?;
    for migration in migrations.get(from..).unwrap_or_default() {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", migrations.len() as u32)?;
    transaction.commit()?;
    // Tables that were made anew have left room.
    shrink(connection)
}

/// Gives pages that are not used back to the disk.
pub(super) fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {} // a page each
    Ok(())
}

/// Whether every page and every row is as it should be; reads the whole file.
///
/// # Errors      it is not
pub(super) fn check(connection: &Connection, path: &Path) -> Result<()> {
    let said = |e| Error::sqlite(path, &e);
    let first: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(said)?;
    if first != "ok" {
        return Err(Error::damaged(path, first.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let strays = connection.prepare("PRAGMA foreign_key_check").and_then(|mut s| s.exists([])).map_err(said)?;
    if strays {
        return Err(Error::damaged(path, "something in it refers to what is not there"));
    }
    Ok(())
}

/// A new empty file in `folder` that is a project already and goes away unless it is persisted.
///
/// # Errors      the folder is write-protected or full
pub(super) fn draft(path: &Path, folder: &Path) -> Result<tempfile::TempPath> {
    let made = tempfile::Builder::new().prefix(".pentimento-").suffix(".part").tempfile_in(folder);
    Ok(made.map_err(|e| Error::write(path, &e))?.into_temp_path())
}

/// Writes what an older file holds, in the newest format, into an empty file.
///
/// # Errors      the old file is damaged, or the new one cannot be written
pub(super) fn upgrade(old: &Connection, from: usize, path: &Path, into: &Path, migrations: &[&str]) -> Result<()> {
    let said = |e| Error::sqlite(path, &e);
    inspect(old, path, migrations.get(..from).unwrap_or_default())?;
    check(old, path)?;
    let name = into.to_str().ok_or_else(|| Error::Write { path: path.to_owned(), what: "the folder's name is not UTF-8".to_owned() })?;
    old.execute("VACUUM INTO ?1", [name]).map_err(said)?;
    let mut new = connect(into, true)?;
    new.execute_batch("PRAGMA foreign_keys = OFF;").map_err(said)?;
    migrate(&mut new, from, migrations).map_err(said)?;
    inspect(&new, into, migrations)?;
    check(&new, into)
}

/// Makes sure that a name given to a file lasts through a power cut.
pub(super) fn sync_folder(folder: &Path) {
    // Not every system can; the file's content is safe already.
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|f| f.sync_all());
    }
}

/// Gives a temporary file, which is private, the rights of another or the usual ones, and has the disk hold all of it.
///
/// # Errors      the disk does not take it
pub(super) fn finish(draft: &Path, like: Option<&Path>) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = like.and_then(|l| fs::metadata(l).ok()).map_or(0o644, |m| m.permissions().mode() & 0o777);
        fs::set_permissions(draft, fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = like;
    File::options().write(true).open(draft)?.sync_all()
}
