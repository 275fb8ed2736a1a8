//! What the embedded model draws and changes well, for those who do not know yet what to ask it for.

use super::{Action, Editor, Mode};
use crate::document::Origin;
use crate::jobs::Command;
use crate::recipe::ModelId;

/// A picture that the embedded model made at the usual settings, and makes again.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    pub prompt: &'static str,
    pub seed: u64,
    /// PNG. `tests/examples.rs` holds it against what the model makes, and writes it anew where the model is another.
    pub png: &'static [u8],
}

/// The picture that the first run opens with.
pub const WELCOME_NAME: &str = "welcome.png";

/// The gallery of the first run.
pub const EXAMPLES: [Example; 6] = [
    Example { prompt: "a panda on the grass", seed: 2, png: include_bytes!("../../assets/examples/panda.png") },
    Example { prompt: "a castle in the mountains", seed: 1, png: include_bytes!("../../assets/examples/castle.png") },
    Example { prompt: "a rocket at night", seed: 2, png: include_bytes!("../../assets/examples/rocket.png") },
    Example { prompt: "a burger on a blue background", seed: 1, png: include_bytes!("../../assets/examples/burger.png") },
    Example { prompt: "a penguin in the snow", seed: 3, png: include_bytes!("../../assets/examples/penguin.png") },
    Example { prompt: "a sailboat on the sea at sunset", seed: 4, png: include_bytes!("../../assets/examples/sailboat.png") },
];

/// Edits of the picture that the first run opens with.
const WELCOME_EDITS: [&str; 3] = ["make it winter", "change the background to the beach", "remove the fox"];
/// Edits of any picture of the small model's world.
const EDITS: [&str; 3] = ["change the background to the beach", "make it night", "make it winter"];
const PROMPTS: [&str; 3] = ["a lion in the desert", "three strawberries on a yellow background", "an apple to the left of a banana"];

impl Editor {
    /// Whether nothing was made yet, so that there is room to show what could be.
    pub fn greets(&self) -> bool {
        let revisions = self.document.revisions();
        let is_untouched = revisions.is_empty() || (revisions.len() == 1 && self.has_welcome());
        is_untouched && self.model.id == ModelId::Nano && self.run.is_none() && !self.is_opening()
    }

    fn has_welcome(&self) -> bool {
        self.document.current().is_some_and(|r| matches!(&r.origin, Origin::Opened { name } if name == WELCOME_NAME))
    }

    /// What could be asked for now: words that the model knows. None where nobody knows what the model knows.
    pub fn suggestions(&self) -> &'static [&'static str] {
        if self.model.id != ModelId::Nano || !self.draft.prompt.is_empty() {
            return &[];
        }
        match self.mode() {
            Mode::Edit if self.has_welcome() => &WELCOME_EDITS,
            Mode::Edit => &EDITS,
            Mode::Generate => &PROMPTS,
        }
    }

    /// Makes the picture of an example again: the same words and seed.
    pub(super) fn run_example(&mut self, at: usize, commands: &mut Vec<Command>) {
        let Some(example) = EXAMPLES.get(at) else { return };
        self.act(Action::SetMode(Mode::Generate), commands);
        self.act(Action::SetPrompt(example.prompt.to_owned()), commands);
        let is_locked = self.draft.seed_locked;
        self.act(Action::SetSeed(example.seed), commands);
        self.draft.seed_locked = is_locked;
        self.act(Action::Run, commands);
    }
}
