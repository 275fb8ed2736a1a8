//! Chains of edits, done again: on another picture, or from words. What a chain needs is a picture, the models that it
//! names, and time; the same chain on the same picture gives the same result.

mod sheet;

pub use sheet::{SIDE as SHEET_SIDE, contact_sheet};

use crate::document::{Begins, Chain, ChainError, Link, LinkPlace, LocalEdit, Placing};
use crate::imaging::{self, Picture};
use crate::pipeline::{self, Engine, Observer, Outcome, Request, Settings, Upscaled, Upscaler};
use crate::recipe::{ModelId, Recipe};
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
    #[error("the recipe is for the model {0}, which is not here; fetch it, or name its folder")]
    NoModel(String),
    #[error("the recipe changes a picture, and none was given")]
    NoPicture,
}

/// The result of everything in this room.
pub type Result<T> = std::result::Result<T, Error>;

/// Finds a model by what a chain calls it.
pub type FindModel = Box<dyn Fn(&ModelId) -> Option<ModelId> + Send>;

/// Does chains, one picture after the other, and keeps the model from picture to picture.
pub struct Replayer {
    settings: Settings,
    find: FindModel,
    engine: Option<(ModelId, Engine)>,
}

impl Replayer {
    pub fn new(settings: Settings, find: FindModel) -> Self {
        Self { settings, find, engine: None }
    }

    /// Does all edits. A chain that begins with words needs no picture and takes none. `None` where the observer cancelled.
    ///
    /// # Errors      no picture, no model, or an edit that cannot be done
    pub fn run(&mut self, chain: &Chain, source: Option<&Picture>, observer: &mut dyn Observer) -> Result<Option<Picture>> {
        let mut picture = source.filter(|_| chain.begins == Begins::Picture).cloned();
        for link in &chain.edits {
            if observer.is_cancelled() {
                return Ok(None);
            }
            picture = match (link, picture) {
                (Link::Tool(tool), Some(picture)) => Some(tool.apply(&picture)?),
                (Link::Upscale(how), Some(picture)) => {
                    let mut tell = |_: &_| if observer.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                    let Upscaled::Done { picture, .. } = Upscaler::open(how.network)?.upscale(&picture, *how, &mut tell)? else {
                        return Ok(None);
                    };
                    Some(picture)
                }
                (Link::Tool(_) | Link::Upscale(_), None) => return Err(Error::NoPicture),
                (Link::Model { recipe, place }, picture) => {
                    if picture.is_none() && (place.is_some() || chain.begins == Begins::Picture) {
                        return Err(Error::NoPicture);
                    }
                    let Some(made) = self.made(recipe, place.as_ref(), picture.as_ref(), observer)? else { return Ok(None) };
                    Some(made)
                }
            };
        }
        picture.ok_or(Error::NoPicture).map(Some)
    }

    fn engine(&mut self, wanted: &ModelId) -> Result<&mut Engine> {
        let id = (self.find)(wanted).ok_or_else(|| Error::NoModel(wanted.name()))?;
        let engine = match self.engine.take().filter(|(open, _)| *open == id) {
            Some(open) => open,
            None => (id.clone(), Engine::open(&id, &self.settings)?),
        };
        Ok(&mut self.engine.insert(engine).1)
    }

    fn made(
        &mut self,
        recipe: &Recipe,
        place: Option<&LinkPlace>,
        source: Option<&Picture>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Picture>> {
        let engine = self.engine(&recipe.model)?;
        let mut request = Request::new(Recipe { model: engine.checkpoint().id.clone(), ..recipe.clone() });
        request.reference = source.cloned();
        let side = engine.checkpoint().configs.side() as u32;
        let place = source.zip(place);
        let place = place.map(|(source, place)| Ok::<_, Error>((source, place.on([source.width(), source.height()], [side; 2])?)));
        let place = place.transpose()?;
        if let Some((source, (seen, placing))) = &place {
            let changes = matches!(placing, Placing::Change { .. });
            engine.edit_part(&mut request, source, *seen, placing.reach().as_ref(), changes)?;
        }
        let Outcome::Done { made, .. } = engine.run(&request, observer)? else { return Ok(None) };
        let made = made.into_iter().next().ok_or(Error::NoPicture)?;
        Ok(Some(match place {
            Some((source, (seen, placing))) => {
                LocalEdit { seen, result: made.picture, reconstruction: made.reconstruction, placing }.placed(source)?.picture
            }
            None => made.picture,
        }))
    }
}
