//! The canvas in the window: the passes of `shaders/canvas.wgsl`, and what is drawn with them for one picture.

use super::placement::{Placement, Span};
use super::tiles::Key;
use super::{Gpu, PreviewImage, Renderer, Sampled, guarded};
use crate::imaging::Pyramid;
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
}

/// Which fragment shader a draw runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Checkerboard,
    Tile,
    Over,
}

/// One quad to draw.
pub(super) struct Draw {
    kind: Kind,
    /// Where its [`Quad`] begins in the frame's uniform buffer.
    offset: u32,
    texture: Option<wgpu::BindGroup>,
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
        let Renderer { canvas: passes, previews, tiles, frame, .. } = renderer;
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
        if let Some(over) = paint.over.as_ref().filter(|over| over.opacity > 0.0)
            && let Some(colours) = previews.get(&gpu, encoder, &over.preview)
        {
            list.over(&placement, over, &colours);
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
    let across = placement.spans(0, level);
    let mut seen: Vec<SeenTile> = placement
        .spans(1, level)
        .into_iter()
        .flat_map(|down| across.iter().map(move |across| (*across, down)))
        .map(|(across, down)| SeenTile { across, down, key: Key::new(level, across.tile, down.tile), texture: None })
        .collect();
    let middle = |span: &Span, axis: usize| (span.from + span.to - i64::from(placement.canvas[axis])).pow(2);
    seen.sort_by_key(|tile| middle(&tile.across, 0) + middle(&tile.down, 1));
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
struct List<'a> {
    /// What all its quads have in common.
    quad: Quad,
    uniforms: &'a mut Vec<u8>,
    stride: usize,
    draws: Vec<Draw>,
}

impl List<'_> {
    fn push(&mut self, kind: Kind, quad: Quad, texture: Option<&Sampled>) {
        let offset = self.uniforms.len();
        self.uniforms.extend_from_slice(bytemuck::bytes_of(&quad));
        self.uniforms.resize(offset + self.stride, 0);
        self.draws.push(Draw { kind, offset: offset as u32, texture: texture.map(|texture| texture.bind_group.clone()) });
    }

    fn checkerboard(&mut self, placement: &Placement, square: f32) {
        let (across, down) = (whole(placement, 0), whole(placement, 1));
        let Some(rect) = rect(across, down) else { return };
        // In squares from the picture's corner; whole pairs of them are left out, since an f32 has no room for thousands.
        let at = |axis: usize, pixel: i64| (((pixel as f64 - placement.origin[axis].round()) / f64::from(square)).rem_euclid(2.0)) as f32;
        let quad = Quad { rect, texel_at: [at(0, across[0]), at(1, down[0])], texel_step: [1.0 / square; 2], ..self.quad };
        self.push(Kind::Checkerboard, quad, None);
    }

    fn tile(&mut self, pyramid: &Pyramid, placement: &Placement, tile: &SeenTile, paint: &CanvasPaint) {
        let (Some(texture), level) = (&tile.texture, usize::from(tile.key.level)) else { return };
        let Some(rect) = rect([tile.across.from, tile.across.to], [tile.down.from, tile.down.to]) else { return };
        let scale = placement.scale_of(level);
        let [left, top, ..] = tile.key.region(pyramid);
        let texel = |axis: usize, pixel: i64, start: u32| (placement.place(axis, pixel) / (1u64 << level) as f64 - f64::from(start)) as f32;
        let quad = Quad {
            rect,
            texel_at: [texel(0, tile.across.from, left), texel(1, tile.down.from, top)],
            texel_step: [(1.0 / scale) as f32; 2],
            // A coarser level that stands in is drawn smoothly: its pixels are not the picture's.
            sharpness: if level == 0 && !paint.soft { scale.max(1.0) as f32 } else { 1.0 },
            spread: ((1.0 / scale - 1.0) / 2.0).clamp(0.0, 0.5) as f32,
            grid: if paint.pixel_grid && level == 0 { (scale - 7.0).clamp(0.0, 1.0) as f32 } else { 0.0 },
            ..self.quad
        };
        self.push(Kind::Tile, quad, Some(texture));
    }

    fn over(&mut self, placement: &Placement, over: &Over, colours: &Sampled) {
        let [left, top, width, height] = over.place;
        let sane = [left, top, width, height].iter().all(|v| v.is_finite()) && width > 0.0 && height > 0.0;
        let span = |axis: usize, from: f64, length: f64| {
            let whole = whole(placement, axis);
            [placement.pixel(axis, from).max(whole[0]), placement.pixel(axis, from + length).min(whole[1])]
        };
        let (across, down) = (span(0, left, width), span(1, top, height));
        let Some(rect) = rect(across, down).filter(|_| sane) else { return };
        let texel = |axis: usize, pixel: i64, from: f64, length: f64| {
            let texels = f64::from([colours.texture.width(), colours.texture.height()][axis]);
            ((placement.place(axis, pixel) - from) / length * texels, texels / (length * placement.scale))
        };
        let (x, y) = (texel(0, across[0], left, width), texel(1, down[0], top, height));
        let quad = Quad {
            rect,
            texel_at: [x.0 as f32, y.0 as f32],
            texel_step: [x.1 as f32, y.1 as f32],
            opacity: over.opacity.min(1.0),
            ..self.quad
        };
        self.push(Kind::Over, quad, Some(colours));
    }
}

/// The physical pixels of the canvas that the whole picture takes along an axis.
fn whole(placement: &Placement, axis: usize) -> [i64; 2] {
    let start = placement.pixel(axis, 0.0);
    let end = placement.pixel(axis, f64::from(placement.size[axis])).max(start.saturating_add(1));
    [start.max(0), end.min(i64::from(placement.canvas[axis]))]
}

fn rect(across: [i64; 2], down: [i64; 2]) -> Option<[f32; 4]> {
    (across[0] < across[1] && down[0] < down[1]).then_some([across[0] as f32, down[0] as f32, across[1] as f32, down[1] as f32])
}

/// The pipelines of the canvas, and the buffer of a frame's quads.
pub(super) struct Passes {
    checkerboard: wgpu::RenderPipeline,
    tile: wgpu::RenderPipeline,
    over: wgpu::RenderPipeline,
    quad_layout: wgpu::BindGroupLayout,
    texture_layout: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
    quads: Option<Quads>,
    /// Bytes from one quad to the next.
    stride: usize,
}

struct Quads {
    buffer: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
}

impl Passes {
    pub(super) fn new(device: &wgpu::Device, target: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("canvas"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/canvas.wgsl").into()),
        });
        let quad_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("canvas quad"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: true,
                    min_binding_size: wgpu::BufferSize::new(size_of::<Quad>() as u64),
                },
                count: None,
            }],
        });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::FRAGMENT, ty, count: None };
        let picture = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let texture_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("canvas texture"),
            entries: &[entry(0, picture), entry(1, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering))],
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("canvas"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let pipeline = |fragment: &str, layouts: &[Option<&wgpu::BindGroupLayout>]| {
            let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(fragment),
                bind_group_layouts: layouts,
                ..Default::default()
            });
            let options = wgpu::PipelineCompilationOptions {
                constants: &[("LINEAR_TARGET", f64::from(u8::from(target.is_srgb())))],
                ..Default::default()
            };
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(fragment),
                layout: Some(&layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("corner"),
                    compilation_options: options.clone(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState { topology: wgpu::PrimitiveTopology::TriangleStrip, ..Default::default() },
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(fragment),
                    compilation_options: options.clone(),
                    targets: &[Some(wgpu::ColorTargetState {
                        format: target,
                        blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                        write_mask: wgpu::ColorWrites::ALL,
                    })],
                }),
                multiview_mask: None,
                cache: None,
            })
        };
        let alignment = device.limits().min_uniform_buffer_offset_alignment as usize;
        Self {
            checkerboard: pipeline("checkerboard", &[Some(&quad_layout)]),
            tile: pipeline("tile", &[Some(&quad_layout), Some(&texture_layout)]),
            over: pipeline("over", &[Some(&quad_layout), Some(&texture_layout)]),
            quad_layout,
            texture_layout,
            sampler,
            quads: None,
            stride: size_of::<Quad>().next_multiple_of(alignment),
        }
    }

    /// For textures that these passes sample.
    pub(super) fn gpu<'a>(&'a self, device: &'a wgpu::Device, queue: &'a wgpu::Queue) -> Gpu<'a> {
        Gpu { device, queue, layout: &self.texture_layout, sampler: &self.sampler }
    }

    /// Uploads the quads of a frame.
    pub(super) fn write(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, uniforms: &[u8]) {
        let bytes = uniforms.len() as u64;
        if self.quads.as_ref().is_none_or(|quads| quads.buffer.size() < bytes) {
            self.quads = guarded(device, || self.buffer(device, bytes.next_power_of_two().max(1 << 14)))
                .inspect_err(|error| tracing::warn!("the canvas cannot be drawn: {error}"))
                .ok();
        }
        if let Some(quads) = &self.quads {
            queue.write_buffer(&quads.buffer, 0, uniforms);
        }
    }

    fn buffer(&self, device: &wgpu::Device, size: u64) -> Quads {
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("canvas quads"),
            size,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("canvas quads"),
            layout: &self.quad_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffer,
                    offset: 0,
                    size: wgpu::BufferSize::new(size_of::<Quad>() as u64),
                }),
            }],
        });
        Quads { buffer, bind_group }
    }

    fn draw(&self, pass: &mut wgpu::RenderPass<'static>, draws: &[Draw]) {
        let Some(quads) = &self.quads else { return };
        for draw in draws {
            pass.set_pipeline(match draw.kind {
                Kind::Checkerboard => &self.checkerboard,
                Kind::Tile => &self.tile,
                Kind::Over => &self.over,
            });
            pass.set_bind_group(0, &quads.bind_group, &[draw.offset]);
            if let Some(texture) = &draw.texture {
                pass.set_bind_group(1, texture, &[]);
            }
            pass.draw(0..4, 0..1);
        }
    }
}
