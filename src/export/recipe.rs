//! Recipes in files: of their own, or in a picture that has one.

use super::{Error, Found, Result};
use crate::document::{Chain, MOST_RECIPE_BYTES};
use crate::imaging::{self, Said};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The bytes by which a recipe of its own is told from a picture.
const HEAD: usize = 64;

/// The recipe of a file.
///
/// # Errors      the file cannot be read, is too long, or holds none that can be done again
pub fn read_recipe(path: &Path) -> Result<Chain> {
    let read = |source| Error::Picture(imaging::Error::Read { path: path.to_owned(), source });
    let facts = std::fs::metadata(path).map_err(read)?;
    if facts.is_file() {
        let mut head = Vec::new();
        let mut file = File::open(path).map_err(read)?;
        file.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(read)?;
        if head.trim_ascii_start().starts_with(b"{") {
            // Not longer than it may be, also where it grows meanwhile.
            let mut text = head;
            file.take((MOST_RECIPE_BYTES + 1) as u64).read_to_end(&mut text).map_err(read)?;
            return Ok(Chain::from_json(&String::from_utf8_lossy(&text))?);
        }
    }
    let found = Found::of(&Said::of(&imaging::read(path)?));
    match found {
        Some(Found { chain: Some(chain), .. }) => Ok(chain),
        Some(Found { words: Some(_), .. }) => Err(Error::OtherProgram),
        _ => Err(Error::NoRecipe),
    }
}
