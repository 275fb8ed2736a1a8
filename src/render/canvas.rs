//! The canvas in the window: what is drawn for one picture with the passes of `shaders/canvas.wgsl`.

use super::pages::SeenPage;
use super::passes::{Draw, Kind};
use super::placement::{Placement, Span};
use super::tiles::Key;
use super::{Gpu, PreviewImage, Renderer, Sampled, Selection, ToolImage};
use crate::imaging::{Mask, Pyramid};
use bytemuck::{Pod, Zeroable};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, ScreenDescriptor};
use egui::epaint::{PaintCallback, PaintCallbackInfo, ViewportInPixels};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Points along one side of a square of the checkerboard.
const SQUARE: f32 = 8.0;

/// A picture to be drawn on a canvas, with what lies under and over it. Build the shape with [`CanvasPaint::shape`].
#[derive(Clone, Debug)]
pub struct CanvasPaint {
    /// From the canvas's top left corner to the picture's, in physical pixels. At a whole scale it is rounded to whole
    /// pixels, so that the picture's pixels are the screen's.
    pub origin: [f64; 2],
    /// Physical pixels per pixel of the picture.
    pub scale: f64,
    /// Width and height in pixels of the picture. A base of another size is stretched to this one's width.
    pub size: [u32; 2],
    /// The picture. None leaves the checkerboard bare.
    pub base: Option<Arc<Pyramid>>,
    /// What is drawn over the picture.
    pub over: Option<Over>,
    /// A plain tool that is tried, in the picture's place; leave the base out then.
    pub tool: Option<Tried>,
    /// What is drawn over all of them.
    pub selection: Option<Selection>,
    /// Whether an enlarged picture is soft; else its pixels are blocks.
    pub soft: bool,
    /// Lines between the picture's pixels where those are large enough, which is from 8 physical pixels on.
    pub pixel_grid: bool,
    /// The two opaque colours of the checkerboard under what is transparent: red, green, blue and alpha.
    pub checker: [[u8; 4]; 2],
}

/// A preview over the picture.
#[derive(Clone, Debug)]
pub struct Over {
    pub preview: Arc<PreviewImage>,
    /// Left, top, width and height in pixels of the picture. What is outside of the picture is not drawn.
    pub place: [f64; 4],
    /// 0 is not there, 1 hides the picture.
    pub opacity: f32,
    /// Shows the preview only as far as the picture is covered by this. It must be as large as the picture, or nothing of the
    /// preview is drawn.
    pub through: Option<Mask>,
}

/// A tool that is tried.
#[derive(Clone, Debug)]
pub struct Tried {
    pub image: ToolImage,
    /// Left, top, width and height in pixels of the picture.
    pub place: [f64; 4],
}

impl CanvasPaint {
    /// The shape to add to a painter. `rect` is the canvas, in points; the painter's clip rectangle holds as well.
    pub fn shape(self, rect: egui::Rect) -> PaintCallback {
        Callback::new_paint_callback(rect, Placed { paint: self, rect, canvas: AtomicUsize::new(usize::MAX) })
    }
}

/// The numbers of one draw, as `Quad` in the shader, which says what they are.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Quad {
    pub rect: [f32; 4],
    pub canvas: [f32; 4],
    pub texel_at: [f32; 2],
    pub texel_step: [f32; 2],
    pub colours: [[f32; 4]; 2],
    pub sharpness: f32,
    pub spread: f32,
    pub opacity: f32,
    pub grid: f32,
    pub mask_at: [f32; 2],
    pub mask_step: [f32; 2],
}

/// A paint and its place, as egui calls it back.
struct Placed {
    paint: CanvasPaint,
    rect: egui::Rect,
    /// Which of the frame's canvases it is, from `prepare` to `paint`.
    canvas: AtomicUsize,
}

impl CallbackTrait for Placed {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(renderer) = resources.get_mut::<Renderer>() {
            renderer.begin_canvas();
            let draws = self.plan(renderer, device, queue, screen, encoder).unwrap_or_default();
            self.canvas.store(renderer.frame.canvases.len(), Ordering::Relaxed);
            renderer.frame.canvases.push(draws);
        }
        Vec::new()
    }

    fn finish_prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(renderer) = resources.get_mut::<Renderer>() {
            renderer.finish(device, queue);
        }
        Vec::new()
    }

    fn paint(&self, _info: PaintCallbackInfo, pass: &mut wgpu::RenderPass<'static>, resources: &CallbackResources) {
        let Some(renderer) = resources.get::<Renderer>() else { return };
        let Some(draws) = renderer.frame.canvases.get(self.canvas.load(Ordering::Relaxed)) else { return };
        renderer.canvas.draw(pass, draws);
    }
}

impl Placed {
    /// Uploads what is needed and lists the draws, from the bottom up. None where nothing is to be seen.
    fn plan(
        &self,
        renderer: &mut Renderer,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
    ) -> Option<Vec<Draw>> {
        let Renderer { canvas: passes, previews, tools, tiles, pages, frame, .. } = renderer;
        let gpu = passes.gpu(device, queue);
        let paint = &self.paint;
        let ppp = screen.pixels_per_point;
        let viewport = ViewportInPixels::from_points(&self.rect, ppp, screen.size_in_pixels);
        // The viewport ends at the window's edges; the paint's origin counts from the canvas's own corner.
        let cut = [(ppp * self.rect.min.x).round() - viewport.left_px as f32, (ppp * self.rect.min.y).round() - viewport.top_px as f32];
        let origin = [paint.origin[0] + f64::from(cut[0]), paint.origin[1] + f64::from(cut[1])];
        let area = [viewport.width_px, viewport.height_px].map(|side| u32::try_from(side).unwrap_or(0));
        let placement = Placement::new(origin, paint.scale, paint.size, area)?;
        let mut list = List {
            quad: Quad {
                canvas: [viewport.left_px as f32, viewport.top_px as f32, area[0] as f32, area[1] as f32],
                colours: paint.checker.map(|colour| colour.map(|v| f32::from(v) / 255.0)),
                opacity: 1.0,
                sharpness: 1.0,
                ..Quad::zeroed()
            },
            uniforms: &mut frame.uniforms,
            stride: passes.stride,
            draws: Vec::new(),
        };
        let picture = paint.base.as_ref().and_then(|pyramid| {
            let size = pyramid.size();
            let scale = if size == paint.size { paint.scale } else { paint.scale * f64::from(paint.size[0]) / f64::from(size[0]) };
            let placement = Placement::new(placement.origin, scale, size, area)?;
            let tiles = seen_tiles(&gpu, tiles, pyramid, placement);
            Some((pyramid, placement, tiles))
        });
        let hidden = picture.as_ref().is_some_and(|(pyramid, _, tiles)| {
            pyramid.is_opaque() && pyramid.size() == paint.size && tiles.iter().all(|tile| tile.texture.is_some())
        });
        if !hidden {
            list.checkerboard(&placement, (SQUARE * ppp).round().max(1.0));
        }
        if let Some((pyramid, placement, tiles)) = picture {
            for tile in tiles {
                list.tile(pyramid, &placement, &tile, paint);
            }
        }
        if let Some(tried) = &paint.tool
            && let Some(colours) = tools.get(&gpu, encoder, &tried.image)
        {
            let everywhere: Vec<SeenPage> = pages.everywhere(&gpu, 255, &placement).into_iter().collect();
            list.over(&placement, tried.place, 1.0, &colours, &everywhere, paint.soft);
        }
        if let Some(over) = paint.over.as_ref().filter(|over| over.opacity > 0.0)
            && let Some(colours) = previews.get(&gpu, encoder, &over.preview)
        {
            let through = match &over.through {
                Some(mask) => pages.seen(&gpu, mask, &placement),
                None => pages.everywhere(&gpu, 255, &placement).into_iter().collect(),
            };
            list.over(&placement, over.place, over.opacity, &colours, &through, paint.soft);
        }
        if let Some(selection) = &paint.selection {
            let seen = pages.seen(&gpu, &selection.mask, &placement);
            list.selection(&placement, selection, &seen, ppp, paint.soft);
        }
        Some(list.draws)
    }
}

/// A seen part of the picture, and the texture that shows it.
struct SeenTile {
    across: Span,
    down: Span,
    /// The tile that is drawn: the wanted one, or a coarser one while that is not uploaded.
    key: Key,
    texture: Option<Sampled>,
}

/// The part of the picture that is on the canvas, by tiles, after the uploads that this frame may do.
fn seen_tiles(gpu: &Gpu, tiles: &mut super::tiles::Tiles, pyramid: &Arc<Pyramid>, placement: Placement) -> Vec<SeenTile> {
    let levels = pyramid.levels().len();
    let level = placement.level(levels);
    let mut seen: Vec<SeenTile> = placement
        .squares(level)
        .into_iter()
        .map(|[across, down]| SeenTile { across, down, key: Key::new(level, across.tile, down.tile), texture: None })
        .collect();
    // Something of all first, then from the middle outwards.
    let overview = pyramid.overview().max(level);
    let mut wanted: Vec<Key> = seen.iter().map(|tile| tile.key).collect();
    if let Some(first) = wanted.first().copied() {
        wanted.insert(0, first.within(overview));
    }
    tiles.upload(gpu, pyramid, &wanted);
    for tile in &mut seen {
        let keys = (level..levels).map(|coarser| tile.key.within(coarser));
        if let Some((key, texture)) = keys.into_iter().find_map(|key| Some((key, tiles.get(pyramid.id(), key)?.clone()))) {
            (tile.key, tile.texture) = (key, Some(texture));
        }
    }
    seen
}

/// The draws of a canvas in the making.
pub(super) struct List<'a> {
    /// What all its quads have in common.
    pub(super) quad: Quad,
    uniforms: &'a mut Vec<u8>,
    stride: usize,
    draws: Vec<Draw>,
}

impl List<'_> {
    /// Adds a draw: its numbers as its shader takes them, and its textures from group 1 on.
    pub(super) fn push(&mut self, kind: Kind, numbers: &impl Pod, textures: [Option<&Sampled>; 2]) {
        let offset = self.uniforms.len();
        self.uniforms.extend_from_slice(bytemuck::bytes_of(numbers));
        self.uniforms.resize(offset + self.stride, 0);
        let textures = textures.map(|texture| texture.map(|texture| texture.bind_group.clone()));
        self.draws.push(Draw { kind, offset: offset as u32, textures });
    }

    fn checkerboard(&mut self, placement: &Placement, square: f32) {
        let (across, down) = (placement.whole(0), placement.whole(1));
        let Some(rect) = rect(across, down) else { return };
        // In squares from the picture's corner; whole pairs of them are left out, since an f32 has no room for thousands.
        let at = |axis: usize, pixel: i64| (((pixel as f64 - placement.origin[axis].round()) / f64::from(square)).rem_euclid(2.0)) as f32;
        let quad = Quad { rect, texel_at: [at(0, across[0]), at(1, down[0])], texel_step: [1.0 / square; 2], ..self.quad };
        self.push(Kind::Checkerboard, &quad, [None, None]);
    }

    fn tile(&mut self, pyramid: &Pyramid, placement: &Placement, tile: &SeenTile, paint: &CanvasPaint) {
        let (Some(texture), level) = (&tile.texture, usize::from(tile.key.level)) else { return };
        let Some(rect) = rect([tile.across.from, tile.across.to], [tile.down.from, tile.down.to]) else { return };
        let scale = placement.scale_of(level);
        let [left, top, ..] = tile.key.region(pyramid);
        let quad = Quad {
            rect,
            texel_at: [placement.texel(0, tile.across.from, level, left), placement.texel(1, tile.down.from, level, top)],
            texel_step: [(1.0 / scale) as f32; 2],
            sharpness: sharpness(placement, level, paint.soft),
            spread: ((1.0 / scale - 1.0) / 2.0).clamp(0.0, 0.5) as f32,
            grid: if paint.pixel_grid && level == 0 { (scale - 7.0).clamp(0.0, 1.0) as f32 } else { 0.0 },
            ..self.quad
        };
        self.push(Kind::Tile, &quad, [Some(texture), None]);
    }

    fn over(&mut self, placement: &Placement, place: [f64; 4], opacity: f32, colours: &Sampled, through: &[SeenPage], soft: bool) {
        let [left, top, width, height] = place;
        let sane = [left, top, width, height].iter().all(|v| v.is_finite()) && width > 0.0 && height > 0.0;
        if !sane {
            return;
        }
        let texel = |axis: usize, pixel: i64, from: f64, length: f64| {
            let texels = f64::from([colours.texture.width(), colours.texture.height()][axis]);
            ((placement.place(axis, pixel) - from) / length * texels, texels / (length * placement.scale))
        };
        for page in through.iter().filter(|page| page.even != Some(0)) {
            let part = |axis: usize, span: Span, from: f64, length: f64| {
                [placement.pixel(axis, from).max(span.from), placement.pixel(axis, from + length).min(span.to)]
            };
            let (across, down) = (part(0, page.across, left, width), part(1, page.down, top, height));
            let Some(rect) = rect(across, down) else { continue };
            let (x, y) = (texel(0, across[0], left, width), texel(1, down[0], top, height));
            let (mask_at, mask_step) = page.texels(placement, [across[0], down[0]]);
            let quad = Quad {
                rect,
                texel_at: [x.0 as f32, y.0 as f32],
                texel_step: [x.1 as f32, y.1 as f32],
                opacity: opacity.min(1.0),
                sharpness: sharpness(placement, page.level, soft),
                mask_at,
                mask_step,
                ..self.quad
            };
            self.push(Kind::Over, &quad, [Some(colours), Some(&page.texture)]);
        }
    }
}

/// How sharp the edges between texels of a level are. What is coarser than the picture is smooth: its pixels are not the
/// picture's.
pub(super) fn sharpness(placement: &Placement, level: usize, soft: bool) -> f32 {
    if level == 0 && !soft { placement.scale.max(1.0) as f32 } else { 1.0 }
}

pub(super) fn rect(across: [i64; 2], down: [i64; 2]) -> Option<[f32; 4]> {
    (across[0] < across[1] && down[0] < down[1]).then_some([across[0] as f32, down[0] as f32, across[1] as f32, down[1] as f32])
}
