//! The lane that finds out how long a file would be, for a slider that moves: only the newest question is answered.

use super::{Event, MeasureRequest, Up, lower_priority};
use crate::export;
use crossbeam_channel::Receiver;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of the question that counts. Another number stops what is being found out.
pub(super) type Newest = Arc<AtomicU64>;

/// Works until the window is gone.
pub(super) fn run(requests: &Receiver<Box<MeasureRequest>>, newest: &Newest, up: &Up) {
    lower_priority();
    for request in requests {
        let MeasureRequest { ticket, picture, format, chain, switches } = &*request;
        let stops = || newest.load(Ordering::Relaxed) != *ticket;
        if stops() {
            continue;
        }
        let encoded = catch_unwind(AssertUnwindSafe(|| export::file(picture, chain, *format, *switches, &stops)));
        let bytes = match encoded {
            Ok(Ok(None)) => continue,
            Ok(Ok(Some(bytes))) => Ok(bytes.len() as u64),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the encoder stumbled; please report it".to_owned()),
        };
        up.send(Event::ExportMeasured { ticket: *ticket, bytes });
    }
}
