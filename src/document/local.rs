//! How a model's result was put into a picture: enough to put it there in another way, without the model.

use crate::imaging::{self, Blend, ContextBox, Mask, Mode, Picture, blend, crop_to_model, preserve, through_srgb};

/// What a model saw of a picture, what it made of that, and how it was taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalEdit {
    /// The part of the source that it saw.
    pub seen: ContextBox,
    /// What it made of that, at its own size.
    pub result: Picture,
    /// What its autoencoder alone makes of what it saw, as large as the result. [`Placing::Change`] needs it.
    pub reconstruction: Option<Picture>,
    pub placing: Placing,
}

/// What of a result is taken over.
#[derive(Clone, Debug, PartialEq)]
pub enum Placing {
    /// All of it.
    Whole,
    /// What lies under a selection, as large as the source.
    Selection { mask: Mask, blend: Blend },
    /// What the model has changed. How small a change still counts: 0 to 1.
    Change { reach: f32 },
}

impl Placing {
    /// All that a selection and its feather touch; `None` where there is no selection.
    pub fn reach(&self) -> Option<Mask> {
        match self {
            Self::Selection { mask, blend } => Some(mask.grown(blend.feather)),
            Self::Whole | Self::Change { .. } => None,
        }
    }
}

/// The reach that is right for most pictures.
pub const USUAL_REACH: f32 = 0.5;

/// A result in its place.
#[derive(Clone, Debug)]
pub struct Placed {
    pub picture: Picture,
    /// Where the picture may differ from the source: what is 0 here is the source's to the last bit.
    pub change: Mask,
}

impl LocalEdit {
    /// The source with the result in it. Takes time: not for the window's thread.
    ///
    /// # Errors      the selection or the reconstruction are of another size
    pub fn placed(&self, source: &Picture) -> imaging::Result<Placed> {
        let (picture, change) = through_srgb(source, |source| self.placed_in_srgb(source).map(|placed| (placed.picture, placed.change)))?;
        Ok(Placed { picture, change })
    }

    fn placed_in_srgb(&self, source: &Picture) -> imaging::Result<Placed> {
        let size = [source.width(), source.height()];
        match (&self.placing, &self.reconstruction) {
            (Placing::Change { reach }, Some(reconstruction)) => {
                let shown = crop_to_model(source, self.seen, [self.result.width(), self.result.height()])?;
                let made = preserve(source, self.seen, &shown, reconstruction, &self.result, *reach)?;
                Ok(Placed { picture: made.picture, change: made.change })
            }
            (Placing::Selection { mask, blend: how }, _) => {
                let picture = blend(source, &self.result, self.seen, mask, *how)?;
                Ok(Placed { picture, change: mask.grown(how.feather) })
            }
            (Placing::Whole | Placing::Change { .. }, _) => {
                let mut all = Mask::new(size[0], size[1])?;
                all.rectangle(self.seen.visible(size), Mode::Add);
                let picture = blend(source, &self.result, self.seen, &all, Blend { feather: 0, matching: 0.0 })?;
                Ok(Placed { picture, change: all })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{Rect, compare};

    /// A scene, and what an imperfect autoencoder makes of it.
    fn scene() -> (Picture, Picture, Picture) {
        let value = |x: usize, y: usize| [(x * 2) as u8, (y * 2) as u8, ((x * 7 + y * 3) % 64) as u8];
        let draw = |of: &dyn Fn(usize, usize) -> [u8; 3]| {
            Picture::from_rgb8(64, 64, &(0..64 * 64).flat_map(|i| of(i % 64, i / 64)).collect::<Vec<u8>>()).unwrap()
        };
        let blurred = |x: usize, y: usize| value(x, y).map(|v| v.saturating_add(3));
        let changed = |x: usize, y: usize| if (20..40).contains(&x) && (20..40).contains(&y) { [250, 20, 20] } else { blurred(x, y) };
        (draw(&value), draw(&blurred), draw(&changed))
    }

    #[test]
    fn each_way_of_placing_leaves_alone_what_it_says() {
        let (source, reconstruction, result) = scene();
        let seen = ContextBox { left: 0, top: 0, width: 64, height: 64 };
        let mut mask = Mask::new(64, 64).unwrap();
        mask.rectangle(Rect { left: 22, top: 22, width: 10, height: 10 }, Mode::Add);
        let selection = Placing::Selection { mask, blend: Blend { feather: 2, matching: 0.0 } };
        for placing in [Placing::Whole, selection, Placing::Change { reach: USUAL_REACH }] {
            let edit = LocalEdit { seen, result: result.clone(), reconstruction: Some(reconstruction.clone()), placing: placing.clone() };
            let placed = edit.placed(&source).unwrap();
            let found = compare(&source, &placed.picture, Some(&placed.change)).unwrap();
            assert!(found.pixels > 0 && found.outside == 0, "{placing:?}: {found:?}");
            match placing {
                Placing::Whole => assert_eq!(placed.picture, result),
                Placing::Selection { .. } => assert!(found.pixels <= 14 * 14),
                Placing::Change { .. } => assert!((300..900).contains(&found.pixels), "{found:?}"),
            }
        }
        // A model that has changed nothing gives the source back.
        let idle = LocalEdit {
            seen,
            result: reconstruction.clone(),
            reconstruction: Some(reconstruction),
            placing: Placing::Change { reach: 1.0 },
        };
        assert_eq!(idle.placed(&source).unwrap().picture, source);
    }
}
