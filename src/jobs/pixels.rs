//! The lane for work on pixels: results put into pictures, comparisons, selections, and what the screen shows.

use super::{Adjusted, Changed, Command, Event, Shape, Up, lower_priority, now, storage};
use crate::document::{LocalEdit, Placing};
use crate::imaging::{Difference, Mask, Picture, Pyramid, compare, heat_map};
use crossbeam_channel::Receiver;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How much plainer than they are small differences are shown.
const HEAT_GAIN: f32 = 4.0;

/// Works until the window is gone.
pub(super) fn run(commands: &Receiver<Command>, up: &Up) {
    lower_priority();
    let mut next = commands.recv().ok();
    while let Some(command) = next.take() {
        let after = commands.try_recv().ok();
        // A slider asks more often than can be answered: the newest counts.
        let stale = matches!(
            (&command, &after),
            (Command::Adjust { of, .. }, Some(Command::Adjust { of: again, .. })) if of == again
        );
        if !stale && catch_unwind(AssertUnwindSafe(|| work(command, up))).is_err() {
            tracing::error!("work on pixels broke off");
        }
        next = after.or_else(|| commands.recv().ok());
    }
}

fn work(command: Command, up: &Up) {
    match command {
        Command::Prepare { revision, picture } => {
            up.send(Event::Prepared { revision, pyramid: Arc::new(Pyramid::new(&picture)) });
        }
        Command::Adjust { of, source, edit } => {
            let result = edit.placed(&source).map_err(|e| e.to_string()).map(|placed| {
                let (pyramid, thumbnail) = storage::for_screen(&placed.picture);
                Box::new(Adjusted { edit: *edit, picture: placed.picture, pyramid, thumbnail, at: now() })
            });
            up.send(Event::Adjusted { of, result });
        }
        Command::Change { of, source, tool } => {
            let result = tool.apply(&source).map_err(|e| e.to_string()).map(|picture| {
                let (pyramid, thumbnail) = storage::for_screen(&picture);
                Box::new(Changed { picture, pyramid, thumbnail, at: now() })
            });
            up.send(Event::Changed { of, tool, result });
        }
        Command::Compare { of, before, after, local } => {
            if let Some(found) = difference(&before, &after, local.as_deref()) {
                up.send(Event::Compared { of, found });
            }
        }
        Command::HeatMap { of, with, before, after } => {
            if let Ok(picture) = heat_map(&before, &after, HEAT_GAIN) {
                up.send(Event::HeatMapped { of, with, pyramid: Arc::new(Pyramid::new(&picture)) });
            }
        }
        Command::FindChange { of, source, local } => {
            if let Ok(placed) = local.placed(&source) {
                up.send(Event::ChangeFound { of, change: placed.change });
            }
        }
        Command::ShapeMask { mut mask, by } => {
            match by {
                Shape::Grow(by) => mask = mask.grown(by),
                Shape::Shrink(by) => mask = mask.shrunk(by),
                Shape::Soften(by) => mask = mask.feathered(by),
                Shape::Invert => mask.invert(),
            }
            up.send(Event::MaskShaped { mask });
        }
        _ => {}
    }
}

/// What differs, and how much of it lies outside the selection and its feather, where the edit had one.
fn difference(before: &Picture, after: &Picture, local: Option<&LocalEdit>) -> Option<Difference> {
    let limit: Option<Mask> = match local.map(|l| &l.placing) {
        Some(Placing::Selection { mask, blend }) => Some(mask.grown(blend.feather)),
        _ => None,
    };
    compare(before, after, limit.as_ref()).ok()
}
