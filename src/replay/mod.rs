//! Chains of edits, done again: on another picture, or from words. What a chain needs is a picture, the models that it
//! names, and time; the same chain on the same picture gives the same result.

mod painter;
mod sheet;

pub use painter::{FindModel, OwnEngine, Painter, Task, found};
pub use sheet::{SIDE as SHEET_SIDE, contact_sheet};

use crate::document::{Begins, Chain, ChainError, Link, LinkPlace, LocalEdit};
use crate::imaging::{self, Picture};
use crate::pipeline::{self, Latents, Observer, UpscaleProgress, Upscaled, Upscaler};
use crate::recipe::Recipe;
use std::ops::ControlFlow;

/// Why a chain could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Model(#[from] pipeline::Error),
    #[error(transparent)]
    Picture(#[from] imaging::Error),
    #[error(transparent)]
    Recipe(#[from] ChainError),
    #[error("the recipe is for the model {0}, which is not here; fetch it, or choose another for it")]
    NoModel(String),
    #[error("the recipe changes a picture, and none was given")]
    NoPicture,
    /// By a painter or a witness, in a sentence of their own.
    #[error("{0}")]
    Other(String),
}

/// The result of everything in this room.
pub type Result<T> = std::result::Result<T, Error>;

/// What an edit came to.
pub struct Edited<'a> {
    pub link: &'a Link,
    pub picture: &'a Picture,
    pub how: How,
}

/// What besides the picture there is to know of an edit.
pub enum How {
    Tool,
    Upscaled {
        seconds: f64,
    },
    /// By a model: with what, and how it was put into the picture before.
    Made {
        recipe: Box<Recipe>,
        tokens: Vec<u32>,
        path: Vec<Latents>,
        local: Option<Box<LocalEdit>>,
    },
}

/// Watches a chain being done, and says when to stop.
pub trait Witness: Observer {
    /// An edit begins: which one, from 0.
    fn begins(&mut self, _nth: usize, _link: &Link) {}

    fn upscaling(&mut self, _: &UpscaleProgress) {}

    /// An edit is done.
    ///
    /// # Errors      it cannot be kept; then the chain ends here
    fn edited(&mut self, _: Edited) -> Result<()> {
        Ok(())
    }
}

/// Does all edits. A chain that begins with words needs no picture and takes none. `None` where the witness cancelled.
///
/// # Errors      no picture, no model, or an edit that cannot be done
pub fn replay(chain: &Chain, source: Option<&Picture>, painter: &mut dyn Painter, witness: &mut dyn Witness) -> Result<Option<Picture>> {
    let mut picture = source.filter(|_| chain.begins == Begins::Picture).cloned();
    for (nth, link) in chain.edits.iter().enumerate() {
        if witness.is_cancelled() {
            return Ok(None);
        }
        witness.begins(nth, link);
        let (after, how) = match (link, &picture) {
            (Link::Tool(tool), Some(picture)) => (tool.apply(picture)?, How::Tool),
            (Link::Upscale(how), Some(picture)) => {
                let mut tell = |progress: &UpscaleProgress| {
                    witness.upscaling(progress);
                    if witness.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                let Upscaled::Done { picture, seconds } = Upscaler::open(how.network)?.upscale(picture, *how, &mut tell)? else {
                    return Ok(None);
                };
                (picture, How::Upscaled { seconds })
            }
            (Link::Tool(_) | Link::Upscale(_), None) => return Err(Error::NoPicture),
            (Link::Model { recipe, place }, before) => {
                if before.is_none() && (place.is_some() || chain.begins == Begins::Picture) {
                    return Err(Error::NoPicture);
                }
                let Some(done) = made(recipe, place.as_ref(), before.as_ref(), painter, witness)? else { return Ok(None) };
                done
            }
        };
        witness.edited(Edited { link, picture: &after, how })?;
        picture = Some(after);
    }
    picture.ok_or(Error::NoPicture).map(Some)
}

fn made(
    recipe: &Recipe,
    place: Option<&LinkPlace>,
    source: Option<&Picture>,
    painter: &mut dyn Painter,
    witness: &mut dyn Witness,
) -> Result<Option<(Picture, How)>> {
    let side = painter.side(&recipe.model)?;
    let here = source.zip(place).map(|(source, place)| ([source.width(), source.height()], place));
    let placed = here.map(|(size, place)| place.on(size, [side; 2])).transpose()?;
    let painted = here.map(|(size, place)| place.painted_on(size)).transpose()?.flatten();
    let task = Task { recipe, source, place: placed.as_ref().map(|(seen, placing)| (*seen, painted.as_ref().unwrap_or(placing))) };
    let Some(made) = painter.paint(&task, witness)? else { return Ok(None) };
    let (recipe, tokens, path) = (Box::new(made.recipe), made.tokens, made.path);
    Ok(Some(match (source, placed) {
        (Some(source), Some((seen, placing))) => {
            let local = LocalEdit { seen, result: made.picture, reconstruction: made.reconstruction, placing };
            (local.placed(source)?.picture, How::Made { recipe, tokens, path, local: Some(Box::new(local)) })
        }
        _ => (made.picture, How::Made { recipe, tokens, path, local: None }),
    }))
}
