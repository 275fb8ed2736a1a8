//! How results were put into their pictures, as rows, and back. What is read here may have been written by a stranger.

use super::pictures::{Kept, Seen, fits};
use super::{Error, Result, blobs};
use crate::document::{LocalEdit, Placing};
use crate::imaging::{self, Blend, ContextBox, Format, MAX_SIDE, Mask, Picture};
use rusqlite::{Connection, Row, Transaction, params};
use std::path::Path;

/// A model that is much wider than tall sees a box that is longer than any picture.
const LONGEST_SIDE: u32 = 4 * MAX_SIDE;
/// The columns of the table. None of them is called as one of a revision's.
pub(super) const COLUMNS: &str =
    "local.revision AS edited, seen_left, seen_top, seen_width, seen_height, result, result_width, result_height,
    result_bits, reconstruction, reconstruction_bits, placing, mask, feather, matching, reach";

/// A local edit made ready to be kept.
pub(super) struct Ready<'a> {
    edit: &'a LocalEdit,
    result: Vec<u8>,
    reconstruction: Option<Vec<u8>>,
    mask: Option<Vec<u8>>,
}

impl<'a> Ready<'a> {
    /// Of an edit of a picture of `size`.
    ///
    /// # Errors      what could not be read back, in a few words
    pub(super) fn new(edit: &'a LocalEdit, size: [u32; 2]) -> std::result::Result<Self, String> {
        let side = |picture: &Picture| [picture.width(), picture.height()];
        if !fits(side(&edit.result)) {
            return Err(format!("a result of {} x {} pixels", edit.result.width(), edit.result.height()));
        }
        if edit.reconstruction.as_ref().is_some_and(|r| side(r) != side(&edit.result)) {
            return Err("a reconstruction of another size than its result".to_owned());
        }
        let (mask, numbers) = match &edit.placing {
            Placing::Whole => (None, Numbers::Whole),
            Placing::Selection { mask, blend } if mask.size() == size => (Some(mask), Numbers::Selection(*blend)),
            Placing::Selection { .. } => return Err("a selection of another size than its picture".to_owned()),
            Placing::Change { reach } => (None, Numbers::Change { reach: *reach }),
        };
        if !is_sane(edit.seen, size) || !numbers.are_sane() {
            return Err("an edit with numbers that cannot be right".to_owned());
        }
        let png = |picture: &Picture| imaging::encode(picture, Format::Png).map_err(|e| e.to_string());
        Ok(Self {
            edit,
            result: png(&edit.result)?,
            reconstruction: edit.reconstruction.as_ref().map(png).transpose()?,
            mask: mask.map(Mask::pack).transpose().map_err(|e| e.to_string())?,
        })
    }

    pub(super) fn keep(&self, transaction: &Transaction<'_>, revision: u32) -> rusqlite::Result<()> {
        let LocalEdit { seen, result, reconstruction, placing } = self.edit;
        let put = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| blobs::put(transaction, bytes)).transpose();
        let (placing, blend, reach) = match placing {
            Placing::Whole => ("whole", None, None),
            Placing::Selection { blend, .. } => ("selection", Some(blend), None),
            Placing::Change { reach } => ("change", None, Some(*reach)),
        };
        transaction
            .prepare_cached(
                "INSERT INTO local (revision, seen_left, seen_top, seen_width, seen_height, result, result_width, result_height, result_bits,
                    reconstruction, reconstruction_bits, placing, mask, feather, matching, reach)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?
            .execute(params![
                revision,
                seen.left,
                seen.top,
                seen.width,
                seen.height,
                blobs::put(transaction, &self.result)?,
                result.width(),
                result.height(),
                result.bits(),
                put(&self.reconstruction)?,
                reconstruction.as_ref().map(Picture::bits),
                placing,
                put(&self.mask)?,
                blend.map(|b| b.feather),
                blend.map(|b| b.matching),
                reach,
            ])?;
        Ok(())
    }
}

/// A placing without its mask.
#[derive(Clone, Copy)]
enum Numbers {
    Whole,
    Selection(Blend),
    Change { reach: f32 },
}

impl Numbers {
    fn are_sane(self) -> bool {
        let is_share = |v: f32| (0.0..=1.0).contains(&v);
        match self {
            Self::Whole => true,
            Self::Selection(blend) => blend.feather <= MAX_SIDE && is_share(blend.matching),
            Self::Change { reach } => is_share(reach),
        }
    }
}

/// Whether a model can have seen that of a picture of `size`: some of it at least.
fn is_sane(seen: ContextBox, size: [u32; 2]) -> bool {
    let sides = [seen.width, seen.height].iter().all(|side| (1..=LONGEST_SIDE).contains(side));
    // Before anything is reckoned with them.
    let corner = [seen.left, seen.top].iter().all(|at| at.unsigned_abs() <= u64::from(LONGEST_SIDE));
    sides && corner && !seen.visible(size).is_empty()
}

/// What a row says, before anything large is read.
pub(super) struct Found {
    seen: ContextBox,
    result: Kept,
    reconstruction: Option<Kept>,
    numbers: Numbers,
    /// The blob of the selection.
    mask: Option<i64>,
}

impl Found {
    /// `None` where the revision is no edit of a part.
    ///
    /// # Errors      a column is of the wrong kind; what it says is looked at by [`Self::complaint`]
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        if row.get::<_, Option<i64>>("edited")?.is_none() {
            return Ok(None);
        }
        let result = Kept {
            blob: row.get("result")?,
            width: row.get("result_width")?,
            height: row.get("result_height")?,
            bits: row.get("result_bits")?,
        };
        let reconstruction = match row.get("reconstruction")? {
            Some(blob) => Some(Kept { blob, bits: row.get("reconstruction_bits")?, ..result }),
            None => None,
        };
        let number = |column| row.get::<_, f64>(column).map(|n| n as f32);
        let (numbers, mask) = match row.get::<_, String>("placing")?.as_str() {
            "whole" => (Numbers::Whole, None),
            "selection" => {
                let blend = Blend { feather: row.get("feather")?, matching: number("matching")? };
                (Numbers::Selection(blend), Some(row.get("mask")?))
            }
            "change" => (Numbers::Change { reach: number("reach")? }, None),
            // Not sane, and told so.
            _ => (Numbers::Change { reach: f32::NAN }, None),
        };
        let seen = ContextBox {
            left: row.get("seen_left")?,
            top: row.get("seen_top")?,
            width: row.get("seen_width")?,
            height: row.get("seen_height")?,
        };
        Ok(Some(Self { seen, result, reconstruction, numbers, mask }))
    }

    /// What no edit of a picture of `size` can be, as the end of a sentence about the revision.
    pub(super) fn complaint(&self, size: [u32; 2]) -> Option<String> {
        if !is_sane(self.seen, size) {
            return Some("was made from a part that cannot be one of its picture".to_owned());
        }
        if !self.numbers.are_sane() {
            return Some("was put into its picture in a way that nobody knows".to_owned());
        }
        let pictures = std::iter::once(&self.result).chain(&self.reconstruction);
        pictures.into_iter().find_map(Kept::complaint).map(|what| format!("has a result that {what}"))
    }

    /// What is large of it: pictures, and the blob of the selection.
    pub(super) fn large(&self) -> (impl Iterator<Item = &Kept>, Option<i64>) {
        (std::iter::once(&self.result).chain(&self.reconstruction), self.mask)
    }

    /// Reads what is large. The edit is that of revision `id`, whose picture is of `size`.
    ///
    /// # Errors      what is there is not what the row says
    pub(super) fn fill(self, connection: &Connection, path: &Path, id: u32, size: [u32; 2], seen: &mut Seen) -> Result<LocalEdit> {
        let result = self.result.read(connection, path, &format!("the result of revision {id}"), seen)?;
        let mut reconstructed = |kept: Kept| kept.read(connection, path, &format!("the reconstruction of revision {id}"), seen);
        let reconstruction = self.reconstruction.map(&mut reconstructed).transpose()?;
        let placing = match (self.numbers, self.mask) {
            (Numbers::Selection(blend), Some(blob)) => {
                Placing::Selection { mask: read_mask(connection, path, id, blob, size, seen)?, blend }
            }
            (Numbers::Change { reach }, _) => Placing::Change { reach },
            (Numbers::Whole | Numbers::Selection(_), _) => Placing::Whole,
        };
        Ok(LocalEdit { seen: self.seen, result, reconstruction, placing })
    }
}

fn read_mask(connection: &Connection, path: &Path, id: u32, blob: i64, size: [u32; 2], seen: &mut Seen) -> Result<Mask> {
    let spoilt = || Error::damaged(path, format!("the selection of revision {id} is not one of its picture"));
    let mask = match seen.masks.get(&blob) {
        Some(mask) => mask.clone(),
        None => {
            let packed = blobs::read(connection, path, blob, 2 * u64::from(size[0]) * u64::from(size[1]) + (1 << 20))?;
            // The size is looked at before room is made for it.
            let head: Vec<u8> = size.iter().flat_map(|side| side.to_le_bytes()).collect();
            if !packed.starts_with(&head) {
                return Err(spoilt());
            }
            Mask::unpack(&packed).map_err(|_| Error::damaged(path, format!("the selection of revision {id} cannot be read")))?
        }
    };
    if mask.size() != size {
        return Err(spoilt());
    }
    seen.masks.insert(blob, mask.clone());
    Ok(mask)
}
