//! The equal layers of a network: all in memory, or built one at a time from where the weights lie.

use candle_core::Result;
use candle_nn::VarBuilder;
use std::ops::Range;
use std::sync::Arc;

/// How many layers of a network stay in memory. The others are built when their turn comes and dropped behind it.
#[derive(Clone)]
pub struct Hold {
    /// Counted from the first layer on.
    pub layers: usize,
    /// Told the prefix of the layer that will be built next, while another one computes.
    pub ahead: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Hold {
    /// Every layer stays.
    pub fn all() -> Self {
        Self { layers: usize::MAX, ahead: Arc::new(|_| {}) }
    }
}

/// Builds a layer from what lies below its prefix.
type Build<L> = Box<dyn Fn(&VarBuilder<'static>) -> Result<L> + Send + Sync>;

/// Layers in their order. What they compute does not depend on how they are held.
pub struct Stack<L> {
    held: Vec<L>,
    len: usize,
    vb: VarBuilder<'static>,
    build: Build<L>,
    hold: Hold,
}

impl<L> Stack<L> {
    /// `len` layers, the i-th from `vb.pp(i)`.
    ///
    /// # Errors      a layer that stays cannot be built
    pub fn new(
        len: usize,
        vb: &VarBuilder<'static>,
        hold: &Hold,
        build: impl Fn(&VarBuilder<'static>) -> Result<L> + Send + Sync + 'static,
    ) -> Result<Self> {
        let held = (0..len.min(hold.layers)).map(|i| build(&vb.pp(i))).collect::<Result<_>>()?;
        Ok(Self { held, len, vb: vb.clone(), build: Box::new(build), hold: hold.clone() })
    }

    /// Visits every layer with its number.
    ///
    /// # Errors      the first one of a visit, or a layer cannot be built
    pub fn each(&self, visit: impl FnMut(usize, &L) -> Result<()>) -> Result<()> {
        self.some(0..self.len, visit)
    }

    /// Visits some layers with their numbers.
    ///
    /// # Errors      as for [`Self::each`]
    pub fn some(&self, range: Range<usize>, mut visit: impl FnMut(usize, &L) -> Result<()>) -> Result<()> {
        for i in range.start..range.end.min(self.len) {
            let built = if i < self.held.len() { None } else { Some((self.build)(&self.vb.pp(i))?) };
            let next = i + 1;
            if next >= self.held.len() && next < range.end.min(self.len) {
                (self.hold.ahead)(&self.vb.pp(next).prefix());
            }
            if let Some(layer) = built.as_ref().or_else(|| self.held.get(i)) {
                visit(i, layer)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn layers_come_in_order_however_few_are_held() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu).pp("layers");
        for layers in [0, 1, 3, 4, usize::MAX] {
            let told = Arc::new(Mutex::new(Vec::new()));
            let tell = told.clone();
            let hold = Hold { layers, ahead: Arc::new(move |prefix: &str| tell.lock().unwrap().push(prefix.to_owned())) };
            let built = Arc::new(AtomicUsize::new(0));
            let count = built.clone();
            let build = move |vb: &VarBuilder<'static>| {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(vb.prefix())
            };
            let stack = Stack::new(4, &vb, &hold, build).unwrap();
            assert_eq!(built.load(Ordering::Relaxed), layers.min(4));
            let mut seen = Vec::new();
            stack
                .each(|i, layer| {
                    seen.push((i, layer.clone()));
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, (0..4).map(|i| (i, format!("layers.{i}"))).collect::<Vec<_>>());
            assert_eq!(built.load(Ordering::Relaxed), 4, "each is built once in a pass");
            assert_eq!(*told.lock().unwrap(), (layers.clamp(1, 4)..4).map(|i| format!("layers.{i}")).collect::<Vec<_>>());
        }
    }
}
