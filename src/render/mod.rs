//! The picture on the screen, by the graphics card: the canvas with its tiles, the preview of a running job, and a selection.
//!
//! The window calls [`install`] once and then puts a [`CanvasPaint`] in its list of shapes in each frame. Colours go
//! through unchanged: textures and target hold sRGB's own bytes, as egui draws all the rest.

pub mod adapter;
mod average;
pub mod canvas;
mod page;
mod pages;
mod passes;
mod placement;
pub mod preview;
pub mod selection;
mod tiles;
pub mod tools;

pub use canvas::{CanvasPaint, Over, Tried};
pub use page::{MASK_BYTES_PER_FRAME, MASK_TILES_PER_FRAME};
pub use preview::PreviewImage;
pub use selection::Selection;
pub use tiles::{CACHE_BYTES, UPLOAD_BYTES_PER_FRAME};
pub use tools::{ToolImage, ToolSource};

use eframe::egui_wgpu::RenderState;
use std::sync::Arc;

/// Makes the pipelines and leaves them with egui's renderer. `context` is asked for another frame while tiles are to be uploaded.
///
/// Errors of the device, such as full memory, go to the log from now on: what failed is not drawn, and the window stays.
pub fn install(state: &RenderState, context: &egui::Context) {
    state.device.on_uncaptured_error(Arc::new(|error: wgpu::Error| tracing::error!("the graphics device failed: {error}")));
    let renderer = Renderer::new(&state.device, state.target_format, context.clone());
    state.renderer.write().callback_resources.insert(renderer);
}

/// What lies in the graphics card's memory, and whether all of the last frame was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    /// Bytes of all tiles.
    pub tile_bytes: u64,
    /// Bytes of all pages of masks.
    pub mask_bytes: u64,
    /// How many times the frame wrote a tile of a mask into a page.
    pub mask_tiles_written: u32,
    /// Bytes that the frame wrote into pages of masks.
    pub mask_bytes_written: u64,
    /// True where coarser levels stood in for tiles that later frames will upload, or masks were not drawn as they are now.
    /// Such frames are asked for already.
    pub uploads_pending: bool,
}

/// What the last frame left. All zero where nothing is installed.
pub fn residency(state: &RenderState) -> Residency {
    state.renderer.read().callback_resources.get::<Renderer>().map_or_else(Residency::default, |renderer| Residency {
        tile_bytes: renderer.tiles.bytes(),
        mask_bytes: renderer.pages.bytes(),
        mask_tiles_written: renderer.pages.written(),
        mask_bytes_written: renderer.pages.uploaded(),
        uploads_pending: renderer.tiles.pending() || renderer.pages.pending(),
    })
}

/// Sets how many bytes of tiles may stay in the graphics card's memory, which is [`CACHE_BYTES`] at first.
pub fn set_cache_bytes(state: &RenderState, bytes: u64) {
    if let Some(renderer) = state.renderer.write().callback_resources.get_mut::<Renderer>() {
        renderer.tiles.set_budget(bytes);
    }
}

/// A texture as a pass samples it.
#[derive(Clone)]
struct Sampled {
    bind_group: wgpu::BindGroup,
    texture: wgpu::Texture,
}

/// What it takes to make textures and fill them.
struct Gpu<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    layout: &'a wgpu::BindGroupLayout,
    sampler: &'a wgpu::Sampler,
}

impl Gpu<'_> {
    fn sampled(&self, texture: wgpu::Texture) -> Sampled {
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let entries = [
            wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) },
            wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Sampler(self.sampler) },
        ];
        let descriptor = wgpu::BindGroupDescriptor { label: Some("canvas texture"), layout: self.layout, entries: &entries };
        Sampled { bind_group: self.device.create_bind_group(&descriptor), texture }
    }
}

/// Runs what may find the device full or lost, and says so instead of leaving a broken texture behind.
fn guarded<T>(device: &wgpu::Device, make: impl FnOnce() -> T) -> Result<T, wgpu::Error> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let made = make();
    let errors = [ready(validation.pop()), ready(internal.pop()), ready(memory.pop())];
    errors.into_iter().flatten().next().map_or(Ok(made), Err)
}

/// The value of a future that is ready at once, as those of error scopes are but in a browser.
fn ready<T>(future: impl Future<Output = Option<T>>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => None,
    }
}

/// All that lives with egui's renderer between frames.
struct Renderer {
    canvas: passes::Passes,
    previews: preview::Previews,
    tools: tools::Tools,
    tiles: tiles::Tiles,
    pages: pages::Pages,
    frame: Frame,
    context: egui::Context,
}

/// The draws of one frame, in one list per canvas, and their numbers for the shader.
#[derive(Default)]
struct Frame {
    uniforms: Vec<u8>,
    canvases: Vec<Vec<passes::Draw>>,
    /// Set once all canvases are prepared: the next one begins a new frame.
    complete: bool,
}

impl Renderer {
    fn new(device: &wgpu::Device, target: wgpu::TextureFormat, context: egui::Context) -> Self {
        let (canvas, previews) = (passes::Passes::new(device, target), preview::Previews::new(device));
        Self {
            canvas,
            previews,
            tools: tools::Tools::new(device),
            tiles: tiles::Tiles::new(),
            pages: pages::Pages::new(),
            frame: Frame::default(),
            context,
        }
    }

    fn begin_canvas(&mut self) {
        if self.frame.complete || self.frame.canvases.is_empty() {
            self.frame = Frame::default();
            self.tiles.begin_frame();
            self.previews.begin_frame();
            self.tools.begin_frame();
            self.pages.begin_frame();
        }
    }

    /// Hands the numbers of all canvases to the device, once per frame.
    fn finish(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) {
        if self.frame.complete {
            return;
        }
        self.frame.complete = true;
        self.canvas.write(device, queue, &self.frame.uniforms);
        self.pages.end_frame();
        if self.tiles.pending() || self.pages.pending() {
            self.context.request_repaint();
        }
    }
}
