//! What a project remembers besides its revisions, in a small table of keys and values.

use super::{Error, Result, blobs};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction};
use std::path::Path;
use std::sync::Arc;

/// The largest mask that is read, in bytes as its owner packed it.
const MOST_MASK_BYTES: u64 = 256 << 20;

/// Which part of the picture is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Points of the screen per pixel.
    pub zoom: f64,
    /// The pixel in the middle.
    pub centre: (f64, f64),
}

/// Where a person was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What stands in the prompt's field.
    pub prompt: String,
    /// `None`: the whole picture.
    pub view: Option<View>,
    /// The selection, packed by its owner.
    pub mask: Option<Arc<[u8]>>,
}

/// # Errors      a mask that could not be read back
pub(super) fn fits(state: &State, path: &Path) -> Result<()> {
    match &state.mask {
        Some(mask) if mask.len() as u64 > MOST_MASK_BYTES => {
            Err(Error::Refused { path: path.to_owned(), what: format!("a selection of {} bytes", mask.len()) })
        }
        _ => Ok(()),
    }
}

pub(super) fn save(transaction: &Transaction<'_>, state: &State) -> rusqlite::Result<()> {
    set(transaction, "prompt", Some(&state.prompt))?;
    let view = state.view.filter(|v| [v.zoom, v.centre.0, v.centre.1].iter().all(|n| n.is_finite()));
    set(transaction, "zoom", view.map(|v| v.zoom))?;
    set(transaction, "centre_x", view.map(|v| v.centre.0))?;
    set(transaction, "centre_y", view.map(|v| v.centre.1))?;
    let mask = state.mask.as_ref().map(|mask| blobs::put(transaction, mask)).transpose()?;
    set(transaction, "mask", mask)?;
    blobs::sweep(transaction)
}

pub(super) fn load(connection: &Connection, path: &Path) -> Result<State> {
    let said = |e| Error::sqlite(path, &e);
    let number = |key| get::<f64>(connection, key).map(|n| n.filter(|n| n.is_finite()));
    let view = || -> rusqlite::Result<Option<View>> {
        let (zoom, x, y) = (number("zoom")?, number("centre_x")?, number("centre_y")?);
        Ok(zoom.filter(|z| *z > 0.0).zip(x.zip(y)).map(|(zoom, centre)| View { zoom, centre }))
    };
    let mask = get::<i64>(connection, "mask").map_err(said)?.map(|id| blobs::read(connection, path, id, MOST_MASK_BYTES));
    Ok(State {
        prompt: get(connection, "prompt").map_err(said)?.unwrap_or_default(),
        view: view().map_err(said)?,
        mask: mask.transpose()?.map(Arc::from),
    })
}

pub(super) fn set(connection: &Connection, key: &str, value: Option<impl ToSql>) -> rusqlite::Result<()> {
    match value {
        Some(value) => connection.execute("INSERT OR REPLACE INTO state (key, value) VALUES (?1, ?2)", (key, value))?,
        None => connection.execute("DELETE FROM state WHERE key = ?1", [key])?,
    };
    Ok(())
}

pub(super) fn get<T: FromSql>(connection: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    connection.query_row("SELECT value FROM state WHERE key = ?1", [key], |row| row.get(0)).optional()
}
