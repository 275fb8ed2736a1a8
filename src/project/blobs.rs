//! Bytes by their content, in pieces: what is used twice is kept once, and what was changed behind our back is noticed.

use super::{Error, Result};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// The most bytes of one row.
const PIECE_BYTES: usize = 4 << 20;

/// Keeps bytes, unless they are there already, and tells by which number.
pub(super) fn put(transaction: &Transaction<'_>, bytes: &[u8]) -> rusqlite::Result<i64> {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let there = transaction.prepare_cached("SELECT id FROM blob WHERE hash = ?1")?.query_row([hash], |row| row.get(0)).optional()?;
    if let Some(id) = there {
        return Ok(id);
    }
    transaction.prepare_cached("INSERT INTO blob (hash, size) VALUES (?1, ?2)")?.execute(params![hash, bytes.len() as i64])?;
    let id = transaction.last_insert_rowid();
    let mut insert = transaction.prepare_cached("INSERT INTO piece (blob, place, bytes) VALUES (?1, ?2, ?3)")?;
    for (place, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        insert.execute(params![id, place as i64, piece])?;
    }
    Ok(id)
}

/// The bytes of a number, at most `most` of them.
///
/// # Errors      not there, more than `most`, or not what was written
pub(super) fn read(connection: &Connection, path: &Path, id: i64, most: u64) -> Result<Vec<u8>> {
    let said = |e| Error::sqlite(path, &e);
    let spoilt = |what: &str| Error::damaged(path, what);
    let find = || connection.prepare_cached("SELECT hash, size FROM blob WHERE id = ?1")?.query_row([id], |r| Ok((r.get(0)?, r.get(1)?)));
    let (hash, size): ([u8; 32], i64) = find().map_err(said)?;
    let size = u64::try_from(size).ok().filter(|s| *s <= most).ok_or_else(|| spoilt("a picture or its steps are absurdly large"))?;
    let mut bytes = Vec::new();
    let mut pieces = connection.prepare_cached("SELECT place, bytes FROM piece WHERE blob = ?1 ORDER BY place").map_err(said)?;
    let mut rows = pieces.query([id]).map_err(said)?;
    while let Some(row) = rows.next().map_err(said)? {
        let piece = row.get_ref(1).map_err(said)?.as_blob().map_err(|_| spoilt("a piece is not made of bytes"))?;
        if (bytes.len() + piece.len()) as u64 > size {
            return Err(spoilt("a picture or its steps are longer than was said"));
        }
        bytes.extend_from_slice(piece);
    }
    if bytes.len() as u64 != size || <[u8; 32]>::from(Sha256::digest(&bytes)) != hash {
        return Err(spoilt("a picture or its steps are not as they were written"));
    }
    Ok(bytes)
}

/// Takes away the bytes that nothing uses any more.
pub(super) fn sweep(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM blob WHERE NOT EXISTS (SELECT 1 FROM revision WHERE picture = blob.id)
            AND NOT EXISTS (SELECT 1 FROM revision WHERE steps = blob.id)
            AND NOT EXISTS (SELECT 1 FROM local WHERE result = blob.id)
            AND NOT EXISTS (SELECT 1 FROM local WHERE reconstruction = blob.id)
            AND NOT EXISTS (SELECT 1 FROM local WHERE mask = blob.id)
            AND NOT EXISTS (SELECT 1 FROM state WHERE key = 'mask' AND value = blob.id)",
        [],
    )?;
    Ok(())
}
