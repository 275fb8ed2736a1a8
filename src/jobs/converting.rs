//! The lane that makes models ready: one conversion after the other, each of which takes minutes.

use super::{CancelToken, Event, Up, lower_priority};
use crate::pipeline::{self, ConvertRequest, Converted};
use crossbeam_channel::Receiver;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Works until the window is gone. Every request is answered by one `Converted`.
pub(super) fn run(requests: &Receiver<(Box<ConvertRequest>, CancelToken)>, up: &Up) {
    lower_priority();
    for (request, cancel) in requests {
        let out = request.out.clone();
        let mut tell = |progress: &pipeline::ConvertProgress| {
            up.tell(Event::Converting { out: out.clone(), progress: *progress });
            if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let result = if cancel.is_cancelled() {
            Ok(Converted::Cancelled)
        } else {
            let ended = catch_unwind(AssertUnwindSafe(|| pipeline::convert(&request, &mut tell)));
            match ended {
                Ok(ended) => ended.map_err(|e| e.to_string()),
                Err(_) => Err("a file of the model made the program stumble; please report it".to_owned()),
            }
        };
        up.send(Event::Converted { out: request.out, result });
    }
}
