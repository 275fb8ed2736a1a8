//! The plan of the next run, asked of the worker that would run it: it knows what its model holds, and its device.

use super::parent::{Gone, Heard};
use super::words::{Down, News, Up};
use super::{LISTEN, WorkerBackend};
use crate::jobs::{Backend, Forecast, Intent};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a worker may take to open a model.
const MOST: Duration = Duration::from_mins(1);

impl WorkerBackend {
    /// Never ends the program's use of a device: a run tries it again, and says what it does then.
    pub(super) fn ask_forecast(&mut self, intent: &Intent) -> Result<Forecast, String> {
        let program = self.program(intent.device).map_err(|failure| failure.why)?;
        let Some(program) = program else { return self.inside.forecast(intent) };
        self.count_for(&intent.model);
        // One that has died since the last job is found out by talking to it.
        let mut told = self.ask_worker(&program, intent);
        if let Err(Gone { .. }) = told {
            told = self.ask_worker(&program, intent);
        }
        told.unwrap_or_else(|Gone { how, .. }| Err(format!("the part of the program that paints broke off ({how})")))
    }

    fn ask_worker(&mut self, program: &Path, intent: &Intent) -> Result<Result<Forecast, String>, Gone> {
        self.next_order += 1;
        let (number, step_down, is_cuda) = (self.next_order, self.step_down.1, self.programs.cuda.as_deref() == Some(program));
        let question = Down::Forecast { number, step_down, intent: Box::new(intent.clone()) };
        let worker = match self.worker(program).and_then(|worker| worker.say(&question).map(|()| worker)) {
            Ok(worker) => worker,
            Err(why) if is_cuda => return Ok(Err(format!("CUDA cannot be used: {why}"))),
            // A run would be in this process then, too.
            Err(_) => return Ok(self.inside.forecast(intent)),
        };
        let start = Instant::now();
        let gone = loop {
            match worker.listen(LISTEN) {
                Heard::Up(Up::News(n, News::Forecast(told))) if n == number => return Ok(*told),
                Heard::Gone(gone) => break gone,
                Heard::Up(_) | Heard::Nothing if start.elapsed() < MOST => {}
                Heard::Up(_) | Heard::Nothing => break Gone { how: "it says nothing".to_owned(), killed: false },
            }
        };
        self.worker = None;
        Err(gone)
    }
}
