//! The lane for what a hand draws on a selection: at once, and never behind slower work on pixels.

use super::{Command, Draw, Event, Form, Up, WholeDrawing};
use crossbeam_channel::Receiver;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Draws until the window is gone.
pub(super) fn run(commands: &Receiver<Command>, up: &Up) {
    for command in commands {
        let Command::Draw(draw) = command else { continue };
        let (number, mask, ends) = (draw.number, draw.mask.clone(), draw.before.is_some());
        up.send(catch_unwind(AssertUnwindSafe(|| draw.done())).unwrap_or_else(|_| {
            tracing::error!("drawing on a selection broke off");
            let whole = ends.then(|| Box::new(WholeDrawing { back: None, bounds: mask.bounds() }));
            Event::Drawn { number, mask, dirty: crate::imaging::Rect::default(), whole }
        }));
    }
}

impl Draw {
    /// Draws; what the lane answers.
    pub fn done(self) -> Event {
        let Self { number, mut mask, form, before } = self;
        let dirty = match form {
            Form::Stroke { way, brush } => mask.stroke_along(&way, brush),
            Form::Rectangle { rect, mode, clears } => {
                if clears {
                    mask.fill(0);
                }
                mask.rectangle(rect, mode)
            }
            Form::Lasso { points, mode, clears } => {
                if clears {
                    mask.fill(0);
                }
                mask.lasso(&points, mode)
            }
        };
        let whole = before.map(|before| {
            let back = mask.back_to(&before).ok().filter(|back| !back.is_empty());
            Box::new(WholeDrawing { back, bounds: mask.bounds() })
        });
        Event::Drawn { number, mask, dirty, whole }
    }
}
