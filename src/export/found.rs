//! What a file says of how its picture was made.

use super::{comfy, parameters};
use crate::document::Chain;
use crate::imaging::Said;

/// The words that another program has left in a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    pub prompt: String,
    /// What was not to be painted.
    pub negative: Option<String>,
    pub seed: Option<u64>,
    pub steps: Option<usize>,
    pub guidance: Option<f32>,
    pub model: Option<String>,
}

/// What is found in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Our own recipe.
    pub chain: Option<Chain>,
    /// What others can read and write.
    pub words: Option<Words>,
}

impl Found {
    /// `None` where the file says nothing that is understood.
    pub fn of(said: &Said) -> Option<Self> {
        let chain =
            said.recipe().and_then(|text| Chain::from_json(&text).inspect_err(|e| tracing::info!("a recipe is left out: {e}")).ok());
        let texts = [said.text("parameters"), said.comment.as_deref(), said.text("Description"), said.text("Comment")];
        let words = texts.into_iter().flatten().find_map(parameters::read);
        let words = words.or_else(|| said.text("prompt").and_then(comfy::of_prompt));
        let words = words.or_else(|| said.text("workflow").and_then(comfy::of_workflow));
        (chain.is_some() || words.is_some()).then_some(Self { chain, words })
    }

    /// The prompt of the last edit.
    pub fn prompt(&self) -> Option<&str> {
        let own = self.chain.as_ref().and_then(|chain| chain.recipes().next_back()).map(|recipe| recipe.prompt.as_str());
        own.or_else(|| self.words.as_ref().map(|words| words.prompt.as_str())).filter(|prompt| !prompt.is_empty())
    }
}
