//! Where the picture lies in the viewport.
//!
//! Spaces: *image* pixels from the picture's top left corner, *screen* pixels (physical ones) from the viewport's.

/// The smallest and largest zoom, in screen pixels per image pixel.
const ZOOM: (f64, f64) = (0.005, 64.0);
/// Room around a fitted picture, in screen pixels.
const MARGIN: f64 = 24.0;

/// Zoom and place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// The whole picture, as large as it goes.
    Fit,
    Free {
        scale: f64,
        /// The image point in the middle of the viewport.
        center: [f64; 2],
    },
}

/// How a picture of some size is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    mode: Mode,
    /// Of the viewport, in screen pixels.
    viewport: [f64; 2],
    /// Of the picture.
    image: [u32; 2],
}

impl Default for View {
    fn default() -> Self {
        Self { mode: Mode::Fit, viewport: [1.0, 1.0], image: [1, 1] }
    }
}

impl View {
    pub fn set_viewport(&mut self, size: [f64; 2]) {
        self.viewport = size.map(|v| v.max(1.0));
    }

    /// Of the viewport, in screen pixels.
    pub fn viewport(&self) -> [f64; 2] {
        self.viewport
    }

    /// The picture's size. Another size is fitted.
    pub fn set_image(&mut self, size: [u32; 2]) {
        if self.image != size {
            *self = Self { mode: Mode::Fit, image: size.map(|v| v.max(1)), ..*self };
        }
    }

    pub fn image(&self) -> [u32; 2] {
        self.image
    }

    pub fn is_fit(&self) -> bool {
        self.mode == Mode::Fit
    }

    /// Screen pixels per image pixel.
    pub fn scale(&self) -> f64 {
        match self.mode {
            Mode::Fit => {
                let side = |i: usize| (self.viewport[i] - 2.0 * MARGIN).max(8.0) / f64::from(self.image[i]);
                side(0).min(side(1)).clamp(ZOOM.0, ZOOM.1)
            }
            Mode::Free { scale, .. } => scale,
        }
    }

    /// Where the picture's top left corner is, in screen pixels. On whole pixels, so that 100 % is sharp.
    pub fn origin(&self) -> [f64; 2] {
        let (scale, center) = (self.scale(), self.center());
        std::array::from_fn(|i| (self.viewport[i] / 2.0 - center[i] * scale).round())
    }

    fn center(&self) -> [f64; 2] {
        match self.mode {
            Mode::Fit => self.image.map(|v| f64::from(v) / 2.0),
            Mode::Free { center, .. } => center,
        }
    }

    /// The image point under a screen point.
    pub fn image_from_screen(&self, at: [f64; 2]) -> [f64; 2] {
        let (scale, origin) = (self.scale(), self.origin());
        std::array::from_fn(|i| (at[i] - origin[i]) / scale)
    }

    /// Zoom and middle, unless the whole picture is shown.
    pub fn free_place(&self) -> Option<(f64, [f64; 2])> {
        match self.mode {
            Mode::Fit => None,
            Mode::Free { scale, center } => Some((scale, center)),
        }
    }

    /// To a zoom and middle of before; nonsense is left alone.
    pub fn go_to(&mut self, scale: f64, center: [f64; 2]) {
        if scale.is_finite() && scale > 0.0 && center.iter().all(|v| v.is_finite()) {
            self.free(scale.clamp(ZOOM.0, ZOOM.1), center);
        }
    }

    pub fn fit(&mut self) {
        self.mode = Mode::Fit;
    }

    /// One screen pixel per image pixel, around what is in the middle.
    pub fn actual_size(&mut self) {
        self.free(1.0, self.center());
    }

    /// Zooms by a factor; what is under `at` (screen pixels) stays there.
    pub fn zoom(&mut self, factor: f64, at: [f64; 2]) {
        if !(factor.is_finite() && factor > 0.0) {
            return;
        }
        let under: [f64; 2] = self.image_from_screen(at);
        let scale = (self.scale() * factor).clamp(ZOOM.0, ZOOM.1);
        self.free(scale, std::array::from_fn(|i| under[i] + (self.viewport[i] / 2.0 - at[i]) / scale));
    }

    /// Moves the picture by screen pixels.
    pub fn pan(&mut self, by: [f64; 2]) {
        let (scale, center) = (self.scale(), self.center());
        self.free(scale, std::array::from_fn(|i| center[i] - by[i] / scale));
    }

    /// The picture never leaves the viewport wholly.
    fn free(&mut self, scale: f64, center: [f64; 2]) {
        let center = std::array::from_fn(|i| center[i].clamp(0.0, f64::from(self.image[i])));
        self.mode = Mode::Free { scale, center };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_picture_is_fitted_until_the_person_zooms() {
        let mut view = View::default();
        view.set_viewport([1048.0, 548.0]);
        view.set_image([2000, 500]);
        assert_eq!((view.scale(), view.origin()), (0.5, [24.0, 149.0]));
        view.actual_size();
        assert_eq!((view.scale(), view.is_fit()), (1.0, false));
        view.set_image([2000, 500]);
        assert!(!view.is_fit(), "the same size keeps the place");
        view.set_image([500, 500]);
        assert!(view.is_fit());
    }

    proptest! {
        #[test]
        fn what_is_under_the_pointer_stays(x in 0.0..800.0f64, y in 0.0..600.0f64, factor in 0.2..5.0f64) {
            let mut view = View::default();
            view.set_viewport([800.0, 600.0]);
            view.set_image([640, 480]);
            let inside = view.image_from_screen([x, y]);
            prop_assume!(inside[0] > 0.0 && inside[1] > 0.0 && inside[0] < 640.0 && inside[1] < 480.0);
            view.zoom(factor, [x, y]);
            let (after, tolerance) = (view.image_from_screen([x, y]), 1.5 / view.scale());
            // Unless the picture would leave the viewport.
            let center = view.image_from_screen([400.0, 300.0]);
            let held = (0..2).any(|i| center[i] <= tolerance || center[i] >= [640.0, 480.0][i] - tolerance);
            prop_assert!(held || (0..2).all(|i| (after[i] - inside[i]).abs() <= tolerance));
            prop_assert!(view.scale() <= 64.0 && view.scale() >= 0.005);
        }
    }
}
