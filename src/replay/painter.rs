//! Who paints the edits of a chain: an engine of one's own, or whoever has one already.

use super::{Error, Result};
use crate::document::Placing;
use crate::imaging::{ContextBox, Picture};
use crate::pipeline::{Engine, Made, Observer, Outcome, Request, Settings};
use crate::recipe::{ModelId, Recipe};

/// An edit by a model, or a picture from words where there is no source.
pub struct Task<'a> {
    pub recipe: &'a Recipe,
    pub source: Option<&'a Picture>,
    /// What the model sees of the source, and by what it paints; `None`: the model's own picture is the result.
    pub place: Option<(ContextBox, &'a Placing)>,
}

/// Paints pictures by what models a chain names.
pub trait Painter {
    /// The side of a model's own pictures, in pixels.
    ///
    /// # Errors      it is not here, or cannot be opened
    fn side(&mut self, model: &ModelId) -> Result<u32>;

    /// The model's own picture. `None` where the observer cancelled.
    ///
    /// # Errors      the model is not here, or the run fails
    fn paint(&mut self, task: &Task, observer: &mut dyn Observer) -> Result<Option<Made>>;
}

/// Finds a model by what a chain calls it.
pub type FindModel = Box<dyn Fn(&ModelId) -> Option<ModelId> + Send>;

/// Where a model is that a chain names.
///
/// # Errors      it is not here
pub fn found(find: &FindModel, wanted: &ModelId) -> Result<ModelId> {
    find(wanted).ok_or_else(|| Error::NoModel(wanted.name()))
}

/// Paints by itself, and keeps the model from picture to picture.
pub struct OwnEngine {
    settings: Settings,
    find: FindModel,
    engine: Option<(ModelId, Engine)>,
}

impl OwnEngine {
    pub fn new(settings: Settings, find: FindModel) -> Self {
        Self { settings, find, engine: None }
    }

    fn engine(&mut self, wanted: &ModelId) -> Result<&mut Engine> {
        let id = found(&self.find, wanted)?;
        let engine = match self.engine.take().filter(|(open, _)| *open == id) {
            Some(open) => open,
            None => (id.clone(), Engine::open(&id, &self.settings)?),
        };
        Ok(&mut self.engine.insert(engine).1)
    }
}

impl Painter for OwnEngine {
    fn side(&mut self, model: &ModelId) -> Result<u32> {
        Ok(self.engine(model)?.checkpoint().configs.side() as u32)
    }

    fn paint(&mut self, task: &Task, observer: &mut dyn Observer) -> Result<Option<Made>> {
        let engine = self.engine(&task.recipe.model)?;
        let mut request = Request::new(Recipe { model: engine.checkpoint().id.clone(), ..task.recipe.clone() });
        request.reference = task.source.cloned();
        if let (Some(source), Some((seen, placing))) = (task.source, task.place) {
            let changes = matches!(placing, Placing::Change { .. });
            engine.edit_part(&mut request, source, seen, placing.reach().as_ref(), changes)?;
        }
        match engine.run(&request, observer)? {
            Outcome::Done { made, .. } => made.into_iter().next().ok_or(Error::NoPicture).map(Some),
            Outcome::Cancelled { .. } => Ok(None),
        }
    }
}
