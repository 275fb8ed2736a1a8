//! Light and colour: what the sliders do. `shaders/tools.wgsl` does the same on the GPU.

use super::super::samples::{Painter, Sample, painted};
use super::super::{Picture, Rect, Result, light};
use serde::{Deserialize, Serialize};

/// What the sliders of light and colour say. All at rest leave a picture as it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tone {
    /// The value that becomes black, 0 to 0.9, below `white`.
    pub black: f32,
    /// The value that becomes white, 0.1 to 1.
    pub white: f32,
    /// What lies between is made brighter above 1, darker below; 0.1 to 10.
    pub gamma: f32,
    /// In stops, -5 to 5.
    pub exposure: f32,
    /// -1 to 1; neither black nor white moves.
    pub contrast: f32,
    /// -1 (grey) to 1 (twice).
    pub saturation: f32,
    /// -1 (cool) to 1 (warm).
    pub temperature: f32,
}

impl Default for Tone {
    fn default() -> Self {
        Self { black: 0.0, white: 1.0, gamma: 1.0, exposure: 0.0, contrast: 0.0, saturation: 0.0, temperature: 0.0 }
    }
}

/// How much of light each colour is (ITU-R BT.709).
const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];
/// Stops between red and green at the warm end, and between green and blue.
const WARMTH: f32 = 0.5;
/// Nearer than this black and white do not come.
const SPAN: f32 = 0.01;

impl Tone {
    pub fn is_neutral(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn is_sane(&self) -> bool {
        let one = -1.0..=1.0;
        (0.0..=0.9).contains(&self.black)
            && (0.1..=1.0).contains(&self.white)
            && self.white - self.black >= SPAN
            && (0.1..=10.0).contains(&self.gamma)
            && (-5.0..=5.0).contains(&self.exposure)
            && one.contains(&self.contrast)
            && one.contains(&self.saturation)
            && one.contains(&self.temperature)
    }

    /// What linear light of each colour is multiplied by: exposure and temperature.
    pub fn gains(&self) -> [f32; 3] {
        let tint = [(WARMTH * self.temperature).exp2(), 1.0, (-WARMTH * self.temperature).exp2()];
        // A grey stays as bright as it was.
        let luma: f32 = tint.iter().zip(LUMA).map(|(t, l)| t * l).sum();
        tint.map(|t| t / luma * self.exposure.exp2())
    }

    /// As the shader wants it: gains and saturation, then black, the factor behind it, the power of levels and of contrast.
    pub fn uniform(&self) -> [[f32; 4]; 2] {
        let [r, g, b] = self.gains();
        [[r, g, b, 1.0 + self.saturation], [self.black, 1.0 / (self.white - self.black).max(SPAN), 1.0 / self.gamma, self.contrast.exp2()]]
    }
}

pub(super) fn apply(picture: &Picture, tone: Tone) -> Result<Picture> {
    painted(picture, Rect { left: 0, top: 0, width: picture.width(), height: picture.height() }, &Toner { tone, uniform: tone.uniform() })
}

struct Toner {
    tone: Tone,
    uniform: [[f32; 4]; 2],
}

impl Painter for Toner {
    fn paint<T: Sample>(&self, _: Rect, rows: Vec<&mut [[T; 4]]>) {
        let [[red, green, blue, saturation], [black, factor, gamma, power]] = self.uniform;
        let curves = (self.tone.black, self.tone.white, self.tone.gamma, self.tone.contrast) != (0.0, 1.0, 1.0, 0.0);
        for pixel in rows.into_iter().flatten() {
            let light = [pixel[0].light() * red, pixel[1].light() * green, pixel[2].light() * blue];
            let luma: f32 = light.iter().zip(LUMA).map(|(v, l)| v * l).sum();
            for (sample, v) in pixel.iter_mut().zip(light) {
                let v = light::srgb(luma + (v - luma) * saturation);
                *sample = T::nearest(if curves { curve(v, black, factor, gamma, power) } else { v } * T::MAX);
            }
        }
    }
}

/// Levels, then contrast, of sRGB's own value.
fn curve(v: f32, black: f32, factor: f32, gamma: f32, power: f32) -> f32 {
    let v = ((v - black) * factor).clamp(0.0, 1.0).powf(gamma);
    let (up, down) = (v.powf(power), (1.0 - v).powf(power));
    up / (up + down)
}

#[cfg(test)]
mod tests {
    use super::super::super::Pixels;
    use super::*;

    fn check(tone: Tone, from: [u8; 3], want: [u8; 3]) {
        let picture = Picture::new(1, 1, Pixels::Rgba8([from[0], from[1], from[2], 77].into())).unwrap();
        let made = apply(&picture, tone).unwrap();
        let Pixels::Rgba8(v) = made.pixels() else { unreachable!() };
        assert_eq!((&v[..3], v[3]), (&want[..], 77), "{tone:?}");
    }

    #[test]
    fn each_slider_does_what_it_says() {
        let rest = Tone::default();
        check(rest, [1, 128, 254], [1, 128, 254]);
        // One stop more is twice the light: 0.2158 becomes 0.4317.
        check(Tone { exposure: 1.0, ..rest }, [128, 0, 255], [176, 0, 255]);
        check(Tone { black: 0.2, white: 0.6, ..rest }, [51, 103, 153], [0, 130, 255]);
        check(Tone { gamma: 2.0, ..rest }, [64, 0, 255], [128, 0, 255]);
        check(Tone { contrast: 1.0, ..rest }, [64, 0, 255], [26, 0, 255]);
        check(Tone { contrast: -1.0, ..rest }, [64, 0, 255], [93, 0, 255]);
        check(Tone { saturation: -1.0, ..rest }, [255, 0, 0], [127, 127, 127]);
        check(Tone { saturation: 1.0, ..rest }, [77, 77, 77], [77, 77, 77]);
        let gains = Tone { temperature: 1.0, ..rest }.gains();
        assert!(gains[0] > 1.2 && gains[2] < 0.7 && (gains.iter().zip(LUMA).map(|(g, l)| g * l).sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
