//! Revisions as rows, and back. What is read here may have been written by a stranger.

use super::pictures::{Kept, Seen, fits};
use super::{Error, Result, blobs, local};
use crate::document::{Held, Origin, Revision, RevisionId, Steps};
use crate::imaging::{self, Format, Mask, Picture, Tool};
use crate::recipe::{ModelId, Recipe};
use half::f16;
use rusqlite::{Connection, Row, Transaction, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most latents of one revision, in bytes.
const MOST_STEP_BYTES: u64 = 1 << 30;

/// A revision made ready, so that the transaction that keeps it is short.
pub(super) struct Ready<'a> {
    revision: &'a Revision,
    recipe: Option<String>,
    png: Vec<u8>,
    steps: Option<(u8, Vec<u8>)>,
    thumbnail: Option<Vec<u8>>,
    local: Option<local::Ready<'a>>,
}

impl<'a> Ready<'a> {
    /// `source` is the size of the parent's picture, where there is one.
    ///
    /// # Errors      a picture, recipe, number of steps or local edit that could not be read back
    pub(super) fn new(path: &Path, revision: &'a Revision, thumbnail: Option<&Picture>, source: Option<[u32; 2]>) -> Result<Self> {
        let refused = |what: String| Error::Refused { path: path.to_owned(), what };
        let png = |picture: &Picture| imaging::encode(picture, Format::Png).map_err(|e| refused(e.to_string()));
        let size = revision.picture.size();
        if !fits(size) {
            return Err(refused(format!("a picture of {} x {} pixels", size[0], size[1])));
        }
        if revision.local.is_some() && source.is_some_and(|source| source != size) {
            return Err(refused("an edit of a part that is of another size than its picture".to_owned()));
        }
        let local = revision.local.as_deref().map(|edit| local::Ready::new(edit, size).map_err(refused)).transpose()?;
        let steps = revision.steps.as_ref().map(pack);
        if steps.as_ref().is_some_and(|(_, bytes)| bytes.len() as u64 > MOST_STEP_BYTES) {
            return Err(refused("more than a gigabyte of steps".to_owned()));
        }
        let recipe = match &revision.origin {
            Origin::Opened { .. } | Origin::Pasted => None,
            Origin::Made { recipe, .. } => Some(write_recipe(recipe)),
            Origin::Upscaled { upscaling, .. } => Some(serde_json::to_string(upscaling).ok()),
            Origin::Changed { tool } if tool.complaint().is_none() => Some(serde_json::to_string(tool).ok()),
            Origin::Changed { .. } => return Err(refused("a tool with settings that make no sense".to_owned())),
        };
        let recipe = recipe.map(|r| r.ok_or_else(|| refused("a recipe with numbers that are none".to_owned())));
        let picture = revision.picture.here().ok_or_else(|| refused("a picture whose pixels are not here".to_owned()))?;
        let (png, thumbnail) = (png(picture)?, thumbnail.map(png).transpose()?);
        Ok(Self { revision, recipe: recipe.transpose()?, png, steps, thumbnail, local })
    }

    pub(super) fn keep(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let revision = self.revision;
        let picture = blobs::put(transaction, &self.png)?;
        let steps = self.steps.as_ref().map(|(_, bytes)| blobs::put(transaction, bytes)).transpose()?;
        let finite = |seconds: f64| if seconds.is_finite() { seconds } else { 0.0 };
        let (origin, file_name, tokens, seconds) = match &revision.origin {
            Origin::Opened { name } => ("opened", Some(name), None, None),
            Origin::Pasted => ("pasted", None, None, None),
            Origin::Changed { .. } => ("changed", None, None, None),
            Origin::Made { tokens, seconds, .. } => {
                let tokens: Vec<u8> = tokens.iter().flat_map(|t| t.to_le_bytes()).collect();
                ("made", None, Some(tokens), Some(finite(*seconds)))
            }
            Origin::Upscaled { seconds, .. } => ("upscaled", None, None, Some(finite(*seconds))),
        };
        let shape = revision.steps.as_ref();
        transaction
            .prepare_cached(
                "INSERT INTO revision (id, parent, made_at, name, starred, origin, file_name, recipe, tokens, seconds, picture, width,
                    height, bits, steps, step_count, step_bits, channels, latent_height, latent_width)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            )?
            .execute(params![
                revision.id.0,
                revision.parent.map(|p| p.0),
                revision.made_at,
                revision.name,
                revision.starred,
                origin,
                file_name,
                self.recipe,
                tokens,
                seconds,
                picture,
                revision.picture.width(),
                revision.picture.height(),
                revision.picture.bits(),
                steps,
                shape.map(|s| s.values().len() as i64),
                self.steps.as_ref().map(|(bits, _)| *bits),
                shape.map(Steps::channels),
                shape.map(Steps::height),
                shape.map(Steps::width),
            ])?;
        if let Some(png) = &self.thumbnail {
            transaction.prepare_cached("INSERT INTO thumbnail (revision, png) VALUES (?1, ?2)")?.execute(params![revision.id.0, png])?;
        }
        self.local.as_ref().map_or(Ok(()), |local| local.keep(transaction, revision.id.0))
    }
}

/// As JSON that reads back. A folder's name that is no text loses its strange letters, rather than the picture being lost.
fn write_recipe(recipe: &Recipe) -> Option<String> {
    let text = serde_json::to_string(recipe).or_else(|_| {
        let model = match &recipe.model {
            ModelId::Folder(path) => ModelId::Folder(PathBuf::from(path.to_string_lossy().into_owned())),
            ModelId::Nano => ModelId::Nano,
        };
        serde_json::to_string(&Recipe { model, ..recipe.clone() })
    });
    text.ok().filter(|text| serde_json::from_str::<Recipe>(text).is_ok())
}

/// In 16 bits where that loses nothing, else in 32.
fn pack(steps: &Steps) -> (u8, Vec<u8>) {
    let all = || steps.values().iter().flat_map(|v| v.iter().copied());
    if all().all(|v| f16::from_f32(v).to_f32().to_bits() == v.to_bits()) {
        (16, all().flat_map(|v| f16::from_f32(v).to_le_bytes()).collect())
    } else {
        (32, all().flat_map(f32::to_le_bytes).collect())
    }
}

/// What a row says, before anything large is read.
pub(super) struct Found {
    pub(super) id: u32,
    pub(super) redo: Option<u32>,
    parent: Option<u32>,
    made_at: i64,
    name: Option<String>,
    starred: bool,
    origin: Origin,
    pub(super) picture: Kept,
    steps: Option<FoundSteps>,
    local: Option<local::Found>,
}

#[derive(Clone, Copy)]
struct FoundSteps {
    blob: i64,
    count: u32,
    bits: u8,
    channels: u32,
    height: u32,
    width: u32,
}

impl FoundSteps {
    /// Bytes of all steps in the file; `None` where that is absurd.
    fn bytes(&self) -> Option<u64> {
        let shape = u64::from(self.channels).checked_mul(u64::from(self.height))?.checked_mul(u64::from(self.width))?;
        shape.checked_mul(u64::from(self.count))?.checked_mul(u64::from(self.bits) / 8).filter(|b| (1..=MOST_STEP_BYTES).contains(b))
    }
}

/// All revisions, by rising id.
///
/// # Errors      a row that no project has
pub(super) fn find(connection: &Connection, path: &Path) -> Result<Vec<Found>> {
    let said = |e| Error::sqlite(path, &e);
    let columns = "id, redo, parent, made_at, name, starred, origin, file_name, recipe, tokens, seconds, picture, width, height, bits,
        steps, step_count, step_bits, channels, latent_height, latent_width";
    let edits = local::COLUMNS;
    let sql = format!("SELECT {columns}, {edits} FROM revision LEFT JOIN local ON local.revision = revision.id ORDER BY id");
    let mut select = connection.prepare(&sql).map_err(said)?;
    let rows = select.query_map([], |row| from_row(row, path)).map_err(said)?;
    let all: Vec<Found> = rows.map(|row| row.map_err(said)?).collect::<Result<_>>()?;
    let sizes: HashMap<u32, [u32; 2]> = all.iter().map(|f| (f.id, f.picture.size())).collect();
    for found in all.iter().filter(|f| f.local.is_some()) {
        let size = found.picture.size();
        if found.parent.and_then(|p| sizes.get(&p)).is_some_and(|source| *source != size) {
            return Err(Error::damaged(path, format!("revision {} is of another size than what it was made from", found.id)));
        }
        if let Some(what) = found.local.as_ref().and_then(|l| l.complaint(size)) {
            return Err(Error::damaged(path, format!("revision {} {what}", found.id)));
        }
    }
    Ok(all)
}

fn from_row(row: &Row<'_>, path: &Path) -> rusqlite::Result<Result<Found>> {
    let spoilt = |what: String| Ok(Err(Error::damaged(path, what)));
    let id: u32 = row.get("id")?;
    let origin = match row.get::<_, String>("origin")?.as_str() {
        "opened" => Origin::Opened { name: row.get("file_name")? },
        "pasted" => Origin::Pasted,
        "changed" => match serde_json::from_str::<Tool>(&row.get::<_, String>("recipe")?) {
            Ok(tool) if tool.complaint().is_none() => Origin::Changed { tool },
            _ => return spoilt(format!("the tool of revision {id} makes no sense")),
        },
        "made" => {
            let Ok(recipe) = serde_json::from_str(&row.get::<_, String>("recipe")?) else {
                return spoilt(format!("the recipe of revision {id} cannot be read"));
            };
            let bytes: Vec<u8> = row.get("tokens")?;
            let (tokens, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return spoilt(format!("the tokens of revision {id} are cut off"));
            }
            Origin::Made {
                recipe: Box::new(recipe),
                tokens: tokens.iter().map(|t| u32::from_le_bytes(*t)).collect(),
                seconds: row.get("seconds")?,
            }
        }
        "upscaled" => {
            let Ok(upscaling) = serde_json::from_str(&row.get::<_, String>("recipe")?) else {
                return spoilt(format!("how revision {id} was made larger cannot be read"));
            };
            Origin::Upscaled { upscaling, seconds: row.get("seconds")? }
        }
        _ => return spoilt(format!("nobody knows where revision {id} came from")),
    };
    let steps = match row.get::<_, Option<i64>>("steps")? {
        Some(blob) => Some(FoundSteps {
            blob,
            count: row.get("step_count")?,
            bits: row.get("step_bits")?,
            channels: row.get("channels")?,
            height: row.get("latent_height")?,
            width: row.get("latent_width")?,
        }),
        None => None,
    };
    let found = Found {
        id,
        redo: row.get("redo")?,
        parent: row.get("parent")?,
        made_at: row.get("made_at")?,
        name: row.get("name")?,
        starred: row.get("starred")?,
        origin,
        picture: Kept { blob: row.get("picture")?, width: row.get("width")?, height: row.get("height")?, bits: row.get("bits")? },
        steps,
        local: local::Found::of(row)?,
    };
    if let Some(what) = found.picture.complaint() {
        return spoilt(format!("revision {id} {what}"));
    }
    if found.steps.is_some_and(|s| s.bytes().is_none()) {
        return spoilt(format!("the steps of revision {id} are absurdly large"));
    }
    Ok(Ok(found))
}

/// Bytes of memory that all of them take, with or without the pictures themselves; what is the same is counted once.
pub(super) fn memory(found: &[Found], with_pictures: bool) -> u64 {
    let (mut pictures, mut masks) = (HashMap::new(), HashMap::new());
    // Who lies about the size of a picture does not make it smaller: the largest counts.
    let count = |all: &mut HashMap<i64, u64>, blob, bytes: u64| {
        let counted = all.entry(blob).or_insert(0);
        *counted = bytes.max(*counted);
    };
    for f in found {
        if with_pictures {
            count(&mut pictures, f.picture.blob, f.picture.bytes());
        }
        if let Some((kept, mask)) = f.local.as_ref().map(local::Found::large) {
            kept.for_each(|kept| count(&mut pictures, kept.blob, kept.bytes()));
            mask.into_iter().for_each(|blob| count(&mut masks, blob, Mask::most_bytes(f.picture.size())));
        }
    }
    let steps = found.iter().filter_map(|f| f.steps).map(|s| s.bytes().unwrap_or_default() * 32 / u64::from(s.bits.max(1)));
    pictures.values().chain(masks.values()).sum::<u64>() + steps.sum::<u64>()
}

/// Reads what is large; the picture itself where it is wanted. `seen` holds what was read before.
///
/// # Errors      what is there is not what the row says
pub(super) fn fill(connection: &Connection, path: &Path, found: Found, with_picture: bool, seen: &mut Seen) -> Result<Revision> {
    let id = found.id;
    let kept = found.picture;
    let picture = if with_picture {
        kept.read(connection, path, &format!("the picture of revision {id}"), seen)?.into()
    } else {
        Held::away(kept.width, kept.height, kept.bits)
    };
    let steps = found.steps.map(|steps| read_steps(connection, path, steps)).transpose()?;
    let local = found.local.map(|local| local.fill(connection, path, id, found.picture.size(), seen)).transpose()?;
    Ok(Revision {
        id: RevisionId(id),
        parent: found.parent.map(RevisionId),
        origin: found.origin,
        picture,
        made_at: found.made_at,
        steps,
        local: local.map(Arc::new),
        name: found.name,
        starred: found.starred,
    })
}

fn read_steps(connection: &Connection, path: &Path, found: FoundSteps) -> Result<Steps> {
    let spoilt = || Error::damaged(path, "the steps of a revision are not what was said");
    let size = found.bytes().ok_or_else(spoilt)?;
    let bytes = blobs::read(connection, path, found.blob, size)?;
    if bytes.len() as u64 != size || found.count == 0 {
        return Err(spoilt());
    }
    let values = bytes.chunks((size / u64::from(found.count)) as usize).map(|step| match found.bits {
        16 => step.as_chunks::<2>().0.iter().map(|v| f16::from_le_bytes(*v).to_f32()).collect(),
        _ => step.as_chunks::<4>().0.iter().map(|v| f32::from_le_bytes(*v)).collect(),
    });
    Steps::new(found.channels, found.height, found.width, values.collect()).ok_or_else(spoilt)
}
