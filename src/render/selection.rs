//! A selection over the picture: the pass of `shaders/selection.wgsl`.

use super::canvas::{List, rect, sharpness};
use super::pages::SeenPage;
use super::passes::Kind;
use super::placement::Placement;
use crate::imaging::Mask;
use bytemuck::{Pod, Zeroable};

/// Points along a dash, black or white.
const DASH: f32 = 4.0;

/// What is selected of a picture, to be drawn over it.
#[derive(Clone, Debug)]
pub struct Selection {
    /// As large as the picture. One of another size is not drawn.
    pub mask: Mask,
    /// The tint of what is selected: red, green, blue and alpha, not multiplied.
    pub colour: [u8; 4],
    /// A line of black and white dashes where the coverage crosses one half, and where the picture ends. It is a point wide,
    /// but one or two physical pixels.
    pub outline: bool,
    /// Tints what is not selected instead. The outline stays the same.
    pub invert: bool,
    /// Where the dashes are on their way: 1 is as 0 again, a black and a white dash farther up and left.
    pub phase: f32,
}

/// The numbers of one draw, as `Area` in the shader, which says what they are.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Area {
    pub rect: [f32; 4],
    pub canvas: [f32; 4],
    pub picture: [f32; 4],
    pub colours: [[f32; 4]; 2],
    pub texel_at: [f32; 2],
    pub texel_step: [f32; 2],
    pub sharpness: f32,
    pub outline: f32,
    pub dash_at: f32,
    pub dash_step: f32,
}

impl List<'_> {
    /// Adds what is seen of a selection. `ppp` is physical pixels per point.
    pub(super) fn selection(&mut self, placement: &Placement, selection: &Selection, seen: &[SeenPage], ppp: f32, soft: bool) {
        let [r, g, b, alpha] = selection.colour.map(|v| f32::from(v) / 255.0);
        let tint = [r * alpha, g * alpha, b * alpha, alpha];
        let dash = (DASH * ppp).round().max(1.0);
        let phase = if selection.phase.is_finite() { selection.phase.rem_euclid(1.0) } else { 0.0 };
        // Far outside of the canvas it does not matter where, and an f32 has no room for it.
        let edges = |axis: usize| placement.edges(axis).map(|edge| edge.clamp(-2, i64::from(placement.canvas[axis]) + 2) as f32);
        let ([left, right], [top, bottom]) = (edges(0), edges(1));
        let common = Area {
            canvas: self.quad.canvas,
            picture: [left, top, right, bottom],
            colours: if selection.invert { [tint, [0.0; 4]] } else { [[0.0; 4], tint] },
            outline: if selection.outline { ppp.round().clamp(1.0, 2.0) } else { 0.0 },
            dash_step: 1.0 / dash,
            ..Area::zeroed()
        };
        for page in seen {
            let outlined = selection.outline && page.even.is_none_or(|value| value > 127);
            if page.even == Some(if selection.invert { 255 } else { 0 }) && !outlined {
                continue;
            }
            let Some(rect) = rect([page.across.from, page.across.to], [page.down.from, page.down.to]) else { continue };
            let corner = [page.across.from, page.down.from];
            let (texel_at, texel_step) = page.texels(placement, corner);
            // From the picture's corner, so that dashes move with it; whole pairs are left out, as of the checkerboard.
            let along = corner[0] as f64 - placement.origin[0].round() + corner[1] as f64 - placement.origin[1].round();
            let dash_at = (along / f64::from(dash) + 2.0 * f64::from(phase)).rem_euclid(2.0) as f32;
            let area = Area { rect, texel_at, texel_step, sharpness: sharpness(placement, page.level, soft), dash_at, ..common };
            self.push(Kind::Selection, &area, [Some(&page.texture), None]);
        }
    }
}
