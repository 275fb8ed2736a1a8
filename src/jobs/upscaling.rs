//! The lane that makes pictures larger, one after the other: seconds for a small one, a minute for a large one.

use super::{CancelToken, Event, JobId, Larger, Up, lower_priority, now, storage};
use crate::imaging::Picture;
use crate::pipeline::{UpscaleProgress, Upscaled, Upscaler};
use crate::recipe::Upscaling;
use crossbeam_channel::Receiver;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A picture that is to be larger.
pub(super) struct Wish {
    pub id: JobId,
    pub picture: Picture,
    pub how: Upscaling,
}

/// Works until the window is gone. Every wish is answered by one `Upscaled`.
pub(super) fn run(wishes: &Receiver<(Wish, CancelToken)>, up: &Up) {
    lower_priority();
    // The network is small: it stays from the first picture on.
    let mut network = None;
    for (Wish { id, picture, how }, cancel) in wishes {
        let mut tell = |progress: &UpscaleProgress| {
            up.tell(Event::Upscaling { id, progress: *progress });
            if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut make = || -> Result<Option<Box<Larger>>, String> {
            if cancel.is_cancelled() {
                return Ok(None);
            }
            let ready = match network.take() {
                Some(ready) => ready,
                None => Upscaler::open(how.network).map_err(|e| e.to_string())?,
            };
            match network.insert(ready).upscale(&picture, how, &mut tell).map_err(|e| e.to_string())? {
                Upscaled::Cancelled => Ok(None),
                Upscaled::Done { picture, seconds } => {
                    let (pyramid, thumbnail) = storage::for_screen(&picture);
                    Ok(Some(Box::new(Larger { picture, pyramid, thumbnail, at: now(), seconds })))
                }
            }
        };
        let ended = catch_unwind(AssertUnwindSafe(&mut make));
        let result = ended.unwrap_or_else(|_| Err("the computation broke off; please report it".to_owned()));
        up.send(Event::Upscaled { id, result });
    }
}
