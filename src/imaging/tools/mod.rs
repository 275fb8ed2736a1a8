//! Plain tools: what a person does to a picture without a model. Each is a pure function of picture and settings, at 8 and 16
//! bits and with alpha, so that a list of them can be done again on another picture.

mod geometry;
mod scale;
mod tone;

pub use geometry::{Ratio, straightened_size};
pub use tone::Tone;

use super::{Error, MAX_PIXELS, MAX_SIDE, Picture, Rect, Result};
use serde::{Deserialize, Serialize};

/// The most degrees that a picture is straightened by, to each side.
pub const MOST_DEGREES: f32 = 45.0;

/// A plain tool and its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tool", rename_all = "snake_case")]
pub enum Tool {
    /// Cuts out a part of a picture of the size `of`; of another picture the same share.
    Crop { left: u32, top: u32, width: u32, height: u32, of: [u32; 2] },
    /// Turns the picture clockwise about its middle and cuts it to the largest part of its own shape without empty corners.
    Straighten { degrees: f32 },
    /// Turns the picture clockwise by quarters.
    Turn { quarters: u8 },
    /// Swaps left and right.
    Mirror,
    /// Swaps top and bottom.
    Flip,
    /// To a size in pixels, made for a picture of the size `of`; another one keeps its shape and fits into the same box.
    Resize { width: u32, height: u32, of: [u32; 2] },
    /// Light and colour.
    Tone(Tone),
}

impl Tool {
    /// A few words for the history.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Crop { .. } => "Crop",
            Self::Straighten { .. } => "Straighten",
            Self::Turn { quarters } => match quarters % 4 {
                1 => "Turn right",
                3 => "Turn left",
                _ => "Turn around",
            },
            Self::Mirror => "Mirror",
            Self::Flip => "Flip",
            Self::Resize { .. } => "Resize",
            Self::Tone(_) => "Light and colour",
        }
    }

    /// Whether it leaves every picture of `size` as it is.
    pub fn is_idle(&self, size: [u32; 2]) -> bool {
        match *self {
            Self::Straighten { degrees } => degrees == 0.0,
            Self::Turn { quarters } => quarters % 4 == 0,
            Self::Tone(tone) => tone.is_neutral(),
            Self::Mirror | Self::Flip => false,
            Self::Crop { .. } | Self::Resize { .. } => self.size(size) == size,
        }
    }

    /// The size of the result for a picture of `size`.
    pub fn size(&self, size: [u32; 2]) -> [u32; 2] {
        match *self {
            Self::Crop { .. } => self.part(size).map_or(size, |part| [part.width, part.height]),
            Self::Straighten { degrees } => straightened_size(size, degrees),
            Self::Turn { quarters } if quarters % 2 == 1 => [size[1], size[0]],
            Self::Resize { width, height, of } if of == size => [width, height],
            Self::Resize { width, height, .. } => {
                let scale = (f64::from(width) / f64::from(size[0])).min(f64::from(height) / f64::from(size[1]));
                size.map(|side| ((f64::from(side) * scale).round() as u32).max(1))
            }
            Self::Turn { .. } | Self::Mirror | Self::Flip | Self::Tone(_) => size,
        }
    }

    /// What a crop keeps of a picture of `size`; `None` for other tools.
    pub fn part(&self, size: [u32; 2]) -> Option<Rect> {
        let Self::Crop { left, top, width, height, of } = *self else { return None };
        let whole = Rect { left: 0, top: 0, width: size[0], height: size[1] };
        let wanted = Rect { left, top, width, height };
        if of == size {
            return Some(wanted.intersection(whole));
        }
        let at = |v: u32, axis: usize| (f64::from(v) / f64::from(of[axis].max(1)) * f64::from(size[axis])).round() as u32;
        let [left, top] = [at(left, 0).min(size[0] - 1), at(top, 1).min(size[1] - 1)];
        let [right, bottom] = [at(wanted.right(), 0).max(left + 1), at(wanted.bottom(), 1).max(top + 1)];
        Some(Rect::between(left, top, right, bottom).intersection(whole))
    }

    /// Why the settings make no sense, where they make none. What comes from a file is asked this first.
    pub fn complaint(&self) -> Option<&'static str> {
        match *self {
            Self::Crop { width, height, of, .. } if width == 0 || height == 0 || of.contains(&0) => Some("the part is empty"),
            Self::Straighten { degrees } if !(-MOST_DEGREES..=MOST_DEGREES).contains(&degrees) => {
                Some("a picture is straightened by 45 degrees at most")
            }
            Self::Resize { width, height, of } if width == 0 || height == 0 || of.contains(&0) => Some("the size is zero"),
            Self::Resize { width, height, .. }
                if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS =>
            {
                Some("the size is larger than a picture can be here")
            }
            Self::Tone(tone) if !tone.is_sane() => Some("a slider is beyond its end"),
            _ => None,
        }
    }

    /// The picture with the tool applied; tags, depth and colour profile stay. Takes time: not for the window's thread.
    ///
    /// # Errors      the settings make no sense, or the result would be too large or have no pixels
    pub fn apply(&self, picture: &Picture) -> Result<Picture> {
        let size = [picture.width(), picture.height()];
        let [width, height] = self.size(size);
        if let Some(why) = self.complaint() {
            return Err(Error::Tool(why));
        }
        if width == 0 || height == 0 {
            return Err(Error::Tool("the part lies outside of the picture"));
        }
        if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(Error::TooLarge { width: width.into(), height: height.into() });
        }
        if self.is_idle(size) {
            return Ok(picture.clone());
        }
        let made = match *self {
            Self::Crop { .. } => geometry::crop(picture, self.part(size).unwrap_or_default()),
            Self::Straighten { degrees } => geometry::straighten(picture, degrees),
            Self::Turn { quarters } => geometry::turn(picture, quarters % 4),
            Self::Mirror => geometry::mirror(picture),
            Self::Flip => geometry::flip(picture),
            Self::Resize { .. } => scale::resize(picture, [width, height]),
            Self::Tone(tone) => tone::apply(picture, tone),
        };
        Ok(made?.with_tags(picture.tags().clone()))
    }
}

/// The largest size of the shape of `size` that fits into `room`; what fits already stays.
pub fn fit(size: [u32; 2], room: [u32; 2]) -> [u32; 2] {
    let scale = (f64::from(room[0]) / f64::from(size[0])).min(f64::from(room[1]) / f64::from(size[1])).min(1.0);
    size.map(|side| ((f64::from(side) * scale).round() as u32).max(1))
}

/// A copy that fits into `room`.
///
/// # Errors      none for a picture that is in order
pub fn fitted(picture: &Picture, room: [u32; 2]) -> Result<Picture> {
    let of = [picture.width(), picture.height()];
    let [width, height] = fit(of, room);
    Tool::Resize { width, height, of }.apply(picture)
}

#[cfg(test)]
mod tests {
    use super::super::{Pixels, Tags};
    use super::*;
    use proptest::prelude::*;

    fn any_tool() -> impl Strategy<Value = Tool> {
        let of = [1u32..50, 1u32..50];
        prop_oneof![
            (0u32..60, 0u32..60, 0u32..60, 0u32..60, of.clone()).prop_map(|(left, top, width, height, of)| Tool::Crop {
                left,
                top,
                width,
                height,
                of
            }),
            (-50f32..50.0).prop_map(|degrees| Tool::Straighten { degrees }),
            any::<u8>().prop_map(|quarters| Tool::Turn { quarters }),
            Just(Tool::Mirror),
            Just(Tool::Flip),
            (0u32..60, 0u32..60, of).prop_map(|(width, height, of)| Tool::Resize { width, height, of }),
            prop::array::uniform7(-1.2f32..1.2).prop_map(|[a, b, c, d, e, f, g]| Tool::Tone(Tone {
                black: a.abs() * 0.4,
                white: 1.0 - b.abs() * 0.4,
                gamma: 1.0 + c * 0.7,
                exposure: d * 4.0,
                contrast: e,
                saturation: f,
                temperature: g,
            })),
        ]
    }

    fn any_picture() -> impl Strategy<Value = Picture> {
        (1u32..40, 1u32..40, any::<bool>(), any::<u32>()).prop_map(|(w, h, deep, seed)| {
            let value = |i: u32| i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 12;
            let count = 4 * w * h;
            let pixels = if deep {
                Pixels::Rgba16((0..count).map(|i| value(i) as u16).collect())
            } else {
                Pixels::Rgba8((0..count).map(|i| value(i) as u8).collect())
            };
            let tags = Tags { exif: Some([1, 2, 3].into()), ..Tags::default() };
            Picture::new(w, h, pixels).unwrap().with_tags(tags)
        })
    }

    proptest! {
        #[test]
        fn every_tool_gives_what_it_says_or_a_reason(tool in any_tool(), picture in any_picture()) {
            let size = [picture.width(), picture.height()];
            match tool.apply(&picture) {
                Ok(made) => {
                    prop_assert_eq!(([made.width(), made.height()], made.bits(), made.tags()), (tool.size(size), picture.bits(), picture.tags()));
                    if tool.is_idle(size) {
                        prop_assert_eq!(&made, &picture);
                    }
                }
                Err(why) => prop_assert!(tool.complaint().is_some() || tool.size(size).contains(&0), "{why}"),
            }
            let text = serde_json::to_string(&tool).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tool>(&text).unwrap(), tool);
        }

        #[test]
        fn turning_and_mirroring_lose_nothing(picture in any_picture()) {
            let done = |tools: &[Tool]| tools.iter().fold(picture.clone(), |p, t| t.apply(&p).unwrap());
            let turn = |quarters| Tool::Turn { quarters };
            prop_assert_eq!(&done(&[turn(1), turn(3)]), &picture);
            prop_assert_eq!(&done(&[turn(1), turn(1)]), &done(&[turn(2)]));
            prop_assert_eq!(&done(&[Tool::Mirror, Tool::Flip]), &done(&[turn(2)]));
            prop_assert_eq!(&done(&[turn(1), Tool::Mirror, turn(3)]), &done(&[Tool::Flip]));
        }

        #[test]
        fn a_flat_picture_keeps_its_colour(rgba: [u16; 4], size in [1u32..30, 1u32..30], degrees in -45f32..45.0) {
            let flat = Picture::new(20, 15, Pixels::Rgba16((0..1200).map(|i| rgba[i % 4]).collect())).unwrap();
            for tool in [Tool::Resize { width: size[0], height: size[1], of: [20, 15] }, Tool::Straighten { degrees }] {
                let made = tool.apply(&flat).unwrap();
                let Pixels::Rgba16(v) = made.pixels() else { unreachable!() };
                for (c, s) in v.iter().enumerate() {
                    let far = s.abs_diff(rgba[c % 4]);
                    // What is hardly there has hardly a colour.
                    prop_assert!(far <= 2 || (c % 4 != 3 && rgba[3] < 2000), "{tool:?}: {s} for {rgba:?}");
                }
            }
        }
    }

    #[test]
    fn a_crop_of_another_picture_is_the_same_share() {
        let crop = Tool::Crop { left: 100, top: 50, width: 200, height: 100, of: [400, 200] };
        assert_eq!(crop.part([400, 200]), Some(Rect { left: 100, top: 50, width: 200, height: 100 }));
        assert_eq!(crop.part([800, 100]), Some(Rect { left: 200, top: 25, width: 400, height: 50 }));
        assert_eq!(crop.part([1, 1]), Some(Rect { left: 0, top: 0, width: 1, height: 1 }));
        let resize = Tool::Resize { width: 300, height: 100, of: [600, 200] };
        assert_eq!((resize.size([600, 200]), resize.size([100, 100]), resize.size([10, 2000])), ([300, 100], [100, 100], [1, 100]));
    }
}
