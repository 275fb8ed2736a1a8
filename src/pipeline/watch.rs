//! Between the stages and whoever watches them: progress, previews, dumps, and the place where a wish to stop is heard.

use super::{Blueprint, Latents, Made, Observer, Palette, Plan, Preview, Progress, Stage};
use crate::models::Probe;
use candle_core::{Result, Tensor, bail};
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::sync::Arc;
use std::time::Instant;

/// Carries news to the observer and keeps the time.
pub struct Watch<'a> {
    observer: Option<&'a mut dyn Observer>,
    started: Instant,
    timings: Vec<(Stage, f64)>,
    /// Where memory is still to run out, and whether it just did.
    faults: Vec<(Stage, usize)>,
    is_struck: bool,
    /// Which of the variations is being worked on, and how many there are.
    pub variation: (usize, usize),
}

impl<'a> Watch<'a> {
    /// `faults` are steps of stages after which memory runs out, once each.
    pub fn new(observer: &'a mut dyn Observer, faults: &[(Stage, usize)]) -> Self {
        Self { observer: Some(observer), faults: faults.to_vec(), ..Self::silent() }
    }

    /// Tells nobody.
    pub fn silent() -> Watch<'static> {
        Watch { observer: None, started: Instant::now(), timings: Vec::new(), faults: Vec::new(), is_struck: false, variation: (0, 1) }
    }

    pub fn start(&mut self, stage: Stage, total: usize) {
        self.started = Instant::now();
        self.step(stage, 0, total);
    }

    pub fn step(&mut self, stage: Stage, done: usize, total: usize) {
        let progress = Progress { stage, done, total, seconds: self.started.elapsed().as_secs_f64(), variation: self.variation };
        if let Some(observer) = &mut self.observer {
            observer.progress(&progress);
        }
        if let Some(i) = self.faults.iter().position(|fault| *fault == (stage, done)) {
            self.faults.remove(i);
            self.is_struck = true;
        }
    }

    /// Ends a stage and notes how long it took.
    pub fn finish(&mut self, stage: Stage) {
        self.step(stage, 1, 1);
        self.timings.push((stage, self.started.elapsed().as_secs_f64()));
    }

    /// Seconds of every stage so far, in order.
    pub fn timings(&self) -> &[(Stage, f64)] {
        &self.timings
    }

    pub fn is_cancelled(&self) -> bool {
        self.observer.as_ref().is_some_and(|o| o.is_cancelled())
    }

    pub fn is_enough(&self) -> bool {
        self.observer.as_ref().is_some_and(|o| o.is_enough())
    }

    pub fn wants_previews(&self) -> bool {
        self.observer.as_ref().is_some_and(|o| o.wants_previews())
    }

    pub fn blueprint(&mut self, make: impl FnOnce() -> Blueprint) {
        if let Some(observer) = &mut self.observer
            && observer.wants_previews()
        {
            observer.blueprint(make());
        }
    }

    pub fn palette(&mut self, palette: &Arc<Palette>) {
        if let Some(observer) = &mut self.observer {
            observer.palette(palette);
        }
    }

    pub fn plan(&mut self, plan: &Plan) {
        if let Some(observer) = &mut self.observer {
            observer.plan(plan);
        }
    }

    pub fn tokens(&mut self, variation: usize, tokens: &[u32]) {
        if let Some(observer) = &mut self.observer {
            observer.tokens(variation, tokens);
        }
    }

    pub fn latents(&mut self, step: usize, latents: &Tensor) -> Result<()> {
        if let Some(observer) = &mut self.observer {
            observer.latents(self.variation.0, step, &Latents::from_tensor(latents)?);
        }
        Ok(())
    }

    pub fn made(&mut self, made: &Made) {
        if let Some(observer) = &mut self.observer {
            observer.made(made);
        }
    }

    pub fn preview(&mut self, preview: Preview) {
        if let Some(observer) = &mut self.observer {
            observer.preview(preview);
        }
    }

    pub fn dumps(&mut self) -> bool {
        self.observer.as_mut().is_some_and(|o| o.dump().is_some())
    }

    /// Keeps a tensor where a dump is wanted.
    pub fn dump(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        match self.observer.as_mut().and_then(|o| o.dump()) {
            Some(dump) => dump.add(name, tensor),
            None => Ok(()),
        }
    }

    /// The same watch inside the transformer: only the first step's inner tensors are kept, under `dit.0.`.
    pub fn in_step<'b>(&'b mut self, step: usize) -> InStep<'b, 'a> {
        InStep { watch: self, step }
    }
}

impl Probe for Watch<'_> {
    fn see(&mut self, name: Arguments<'_>, tensor: &Tensor) -> Result<()> {
        self.pulse()?;
        match self.observer.as_mut().and_then(|o| o.dump()) {
            Some(dump) => dump.add(name.to_string(), tensor),
            None => Ok(()),
        }
    }

    fn pulse(&mut self) -> Result<()> {
        if self.is_cancelled() {
            bail!("cancelled");
        }
        if std::mem::take(&mut self.is_struck) {
            bail!("out of memory, as asked for");
        }
        Ok(())
    }

    fn keeps(&mut self) -> bool {
        self.dumps()
    }
}

/// [`Watch::in_step`].
pub struct InStep<'b, 'a> {
    watch: &'b mut Watch<'a>,
    step: usize,
}

impl Probe for InStep<'_, '_> {
    fn see(&mut self, name: Arguments<'_>, tensor: &Tensor) -> Result<()> {
        if self.step == 0 { self.watch.see(format_args!("dit.0.{name}"), tensor) } else { self.watch.pulse() }
    }

    fn pulse(&mut self) -> Result<()> {
        self.watch.pulse()
    }
}

/// Gathers what the two branches of guidance show one after the other, so that it is dumped as one batch of two.
#[derive(Default)]
pub struct Branch {
    seen: BTreeMap<String, Vec<Tensor>>,
}

impl Branch {
    pub fn watching<'b, 'a>(&'b mut self, watch: &'b mut Watch<'a>) -> BranchProbe<'b, 'a> {
        BranchProbe { branch: self, watch }
    }

    pub fn dump(self, watch: &mut Watch) -> Result<()> {
        for (name, tensors) in self.seen {
            watch.dump(&name, &Tensor::cat(&tensors, 0)?)?;
        }
        Ok(())
    }
}

/// [`Branch::watching`].
pub struct BranchProbe<'b, 'a> {
    branch: &'b mut Branch,
    watch: &'b mut Watch<'a>,
}

impl Probe for BranchProbe<'_, '_> {
    fn see(&mut self, name: Arguments<'_>, tensor: &Tensor) -> Result<()> {
        if self.watch.dumps() {
            self.branch.seen.entry(name.to_string()).or_default().push(tensor.clone());
        }
        self.watch.pulse()
    }

    fn pulse(&mut self) -> Result<()> {
        self.watch.pulse()
    }

    fn keeps(&mut self) -> bool {
        self.watch.dumps()
    }
}
