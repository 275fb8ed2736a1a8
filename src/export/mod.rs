//! Pictures on their way out of the program and back: what a file says beside its pixels, and what is read from files that
//! say it, ours and others'.
//!
//! Three things can be left out: the mark that a model was at work, the recipe, and the camera's data. The colour profile
//! belongs to the pixels and always stays.

mod comfy;
mod found;
mod layers;
mod parameters;
mod recipe;

pub use found::{Found, Words};
pub use layers::{Layer, layers_of, open_raster};
pub use recipe::read_recipe;

use crate::document::{Chain, ChainError};
use crate::imaging::{self, Format, Notes, Picture};
use serde::{Deserialize, Serialize};

/// Why a picture could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Picture(#[from] imaging::Error),
    #[error(transparent)]
    Recipe(#[from] ChainError),
    #[error("it holds the prompt of another program, not a recipe that can be done again")]
    OtherProgram,
    #[error("it holds no recipe")]
    NoRecipe,
    #[error("the layers cannot be put into one file: {0}")]
    Layers(String),
}

/// The result of everything in this room.
pub type Result<T> = std::result::Result<T, Error>;

/// What is written beside the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// That a model made the picture or a part of it (IPTC `DigitalSourceType`).
    pub mark: bool,
    /// Prompts, seeds and settings, from which the picture can be made again.
    pub recipe: bool,
    /// What the camera wrote: time, place, lens.
    pub camera: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { mark: true, recipe: true, camera: true }
    }
}

/// What goes into a file beside the pixels of a picture that was made by `chain`.
pub fn notes(picture: &Picture, chain: &Chain, format: Format, switches: Switches) -> Notes {
    let tags = picture.tags();
    let with_recipe = switches.recipe && !chain.edits.is_empty();
    let size = [picture.width(), picture.height()];
    let mut notes = Notes {
        profile: tags.profile.clone(),
        exif: tags.exif.clone().filter(|_| switches.camera),
        source: chain.source_type(tags.source).filter(|_| switches.mark),
        parameters: if with_recipe { parameters::text(chain, size) } else { None },
        recipe: with_recipe.then(|| chain.to_json()),
    };
    if matches!(format, Format::Jpeg(_)) && !notes.fits_jpeg() {
        notes.recipe = Some(chain.clone().without_selections().to_json());
    }
    notes
}

/// The bytes of a file. `None` where `stops` said to stop.
///
/// # Errors      the encoder refuses, such as a side too long for the format
pub fn file(
    picture: &Picture,
    chain: &Chain,
    format: Format,
    switches: Switches,
    stops: &(dyn Fn() -> bool + Sync),
) -> imaging::Result<Option<Vec<u8>>> {
    imaging::encode_with(picture, format, &notes(picture, chain, format, switches), stops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Begins, Link};
    use crate::imaging::{Said, SourceType, Tags, Tool};
    use crate::recipe::{ModelId, Recipe};

    #[test]
    fn each_switch_leaves_out_what_it_says() {
        let recipe = Box::new(Recipe { seed: 77, ..Recipe::new(ModelId::Nano, "ein Fuchs, 🦊") });
        let chain = Chain::new(Begins::Picture, vec![Link::Model { recipe, place: None }, Link::Tool(Tool::Mirror)]);
        let picture = Picture::from_rgb8(9, 7, &[120; 189]).unwrap();
        let exif = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0Cam\0\0\0\0\0".as_slice();
        let picture = picture.with_tags(Tags { exif: Some(exif.into()), ..Tags::default() });
        for format in [Format::Png, Format::Jpeg(90), Format::WebP, Format::WebPLossy(90), Format::Tiff] {
            for bits in 0..8 {
                let switches = Switches { mark: bits & 1 > 0, recipe: bits & 2 > 0, camera: bits & 4 > 0 };
                let bytes = file(&picture, &chain, format, switches, &|| false).unwrap().unwrap();
                let said = Said::of(&bytes);
                let again = imaging::decode(&bytes).unwrap();
                let mark = switches.mark.then_some(SourceType::CompositeWithTrainedAlgorithmicMedia);
                assert_eq!((said.source_type(), again.tags().source), (mark, mark), "{format:?} {switches:?}");
                let has_camera = bytes.windows(4).any(|w| w == b"Cam\0");
                assert_eq!(has_camera, switches.camera, "{format:?} {switches:?}");
                let found = Found::of(&said);
                assert_eq!(found.as_ref().and_then(|f| f.chain.clone()), switches.recipe.then(|| chain.clone()), "{format:?} {switches:?}");
                let words = found.and_then(|f| f.words);
                assert_eq!(
                    words.as_ref().map(|w| (w.prompt.as_str(), w.seed)),
                    switches.recipe.then_some(("ein Fuchs, 🦊", Some(77))),
                    "{format:?}"
                );
            }
        }
    }
}
