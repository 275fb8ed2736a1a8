//! A screen without a window: egui's own renderer on the first software device, shared by all tests.

use eframe::egui_wgpu::{RenderState, Renderer, RendererOptions, ScreenDescriptor, WgpuConfiguration};
use egui::epaint::{ClippedPrimitive, Primitive};
use egui::mutex::RwLock;
use pentimento::render::{self, CanvasPaint};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

const NO_DEVICE: &str = "no graphics device was found. These tests need one, and one in software will do: install the package \
    mesa-vulkan-drivers (Debian, Ubuntu, Fedora), vulkan-swrast (Arch) or mesa-vulkan-swrast (Alpine)";

pub struct Screen {
    pub state: RenderState,
    context: egui::Context,
    repaints: Arc<AtomicBool>,
}

/// The screen, for one test at a time.
pub fn screen() -> MutexGuard<'static, Screen> {
    static SCREEN: OnceLock<Mutex<Screen>> = OnceLock::new();
    let screen = SCREEN.get_or_init(|| Mutex::new(Screen::new()));
    screen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The value of a future that needs no waker, as wgpu's are outside of a browser.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}

impl Screen {
    fn new() -> Self {
        let setup = egui_kittest::wgpu::default_wgpu_setup();
        let instance = wait(setup.new_instance());
        let configuration = WgpuConfiguration { wgpu_setup: setup, ..Default::default() };
        let state = wait(RenderState::create(&configuration, &instance, None, RendererOptions::PREDICTABLE))
            .unwrap_or_else(|error| panic!("{NO_DEVICE} ({error})"));
        let screen = Self::of(state);
        screen.be_strict();
        screen
    }

    /// From now on any error that the room did not expect fails the test that made it.
    fn be_strict(&self) {
        self.state.device.on_uncaptured_error(Arc::new(|error: wgpu::Error| panic!("{error}")));
    }

    /// A screen of its own on the same device.
    pub fn with_format(&self, target_format: wgpu::TextureFormat) -> Self {
        let renderer = Renderer::new(&self.state.device, target_format, RendererOptions::PREDICTABLE);
        let screen = Self::of(RenderState { target_format, renderer: Arc::new(RwLock::new(renderer)), ..self.state.clone() });
        screen.be_strict();
        screen
    }

    fn of(state: RenderState) -> Self {
        let context = egui::Context::default();
        let repaints = Arc::new(AtomicBool::new(false));
        let asked = repaints.clone();
        context.set_request_repaint_callback(move |_| asked.store(true, Ordering::Relaxed));
        render::install(&state, &context);
        Self { state, context, repaints }
    }

    /// A screen on a device of its own, whose errors are handled as in the window.
    pub fn with_own_device(&self) -> Self {
        let (device, queue) = wait(self.state.adapter.request_device(&wgpu::DeviceDescriptor::default())).unwrap();
        let renderer = Renderer::new(&device, self.state.target_format, RendererOptions::PREDICTABLE);
        Self::of(RenderState { device, queue, renderer: Arc::new(RwLock::new(renderer)), ..self.state.clone() })
    }

    /// True where the last frame asked for another one.
    pub fn asks_for_another_frame(&self) -> bool {
        self.repaints.load(Ordering::Relaxed)
    }

    /// One frame of a window whose canvases are `canvases`, in points.
    pub fn frame(&self, size: [u32; 2], ppp: f32, canvases: &[(egui::Rect, CanvasPaint)]) -> Frame {
        Frame { width: size[0], height: size[1], pixels: self.read(&self.draw(size, ppp, canvases)) }
    }

    /// The same, without looking at it.
    pub fn draw(&self, size: [u32; 2], ppp: f32, canvases: &[(egui::Rect, CanvasPaint)]) -> wgpu::Texture {
        // A new context asks for a few frames by itself; only what comes after these passes is asked for by the canvas.
        for _ in 0..4 {
            self.context.begin_pass(egui::RawInput::default());
            let _ = self.context.end_pass();
        }
        self.repaints.store(false, Ordering::Relaxed);
        let window = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(size[0] as f32, size[1] as f32) / ppp);
        let jobs: Vec<ClippedPrimitive> = canvases
            .iter()
            .map(|(rect, paint)| ClippedPrimitive {
                clip_rect: rect.intersect(window),
                primitive: Primitive::Callback(paint.clone().shape(*rect)),
            })
            .collect();
        let RenderState { device, queue, .. } = &self.state;
        let extent = wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 };
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("screen"),
            size: extent,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: self.state.target_format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let screen = ScreenDescriptor { size_in_pixels: size, pixels_per_point: ppp };
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut renderer = self.state.renderer.write();
        let commands = renderer.update_buffers(device, queue, &mut encoder, &jobs, &screen);
        {
            let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
            let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("screen"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT), store: wgpu::StoreOp::Store },
                })],
                ..Default::default()
            });
            renderer.render(&mut pass.forget_lifetime(), &jobs, &screen);
        }
        queue.submit(commands.into_iter().chain([encoder.finish()]));
        texture
    }

    /// Frames of one canvas that fills a window, until all tiles are there; the last one.
    pub fn settled(&self, size: [u32; 2], paint: &CanvasPaint) -> Frame {
        let canvas = (egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(size[0] as f32, size[1] as f32)), paint.clone());
        for _ in 0..100 {
            let frame = self.frame(size, 1.0, std::slice::from_ref(&canvas));
            if !render::residency(&self.state).uploads_pending {
                return frame;
            }
        }
        panic!("the uploads never end");
    }

    /// The pixels of an RGBA8 texture.
    pub fn read(&self, texture: &wgpu::Texture) -> Vec<[u8; 4]> {
        let RenderState { device, queue, .. } = &self.state;
        let pitch = (4 * texture.width()).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read"),
            size: u64::from(pitch) * u64::from(texture.height()),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch), rows_per_image: None };
        encoder.copy_texture_to_buffer(texture.as_image_copy(), wgpu::TexelCopyBufferInfo { buffer: &buffer, layout }, texture.size());
        let index = queue.submit([encoder.finish()]);
        buffer.slice(..).map_async(wgpu::MapMode::Read, |mapped| mapped.unwrap());
        device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None }).unwrap();
        let bytes = buffer.slice(..).get_mapped_range().unwrap();
        bytes.chunks(pitch as usize).flat_map(|row| row[..4 * texture.width() as usize].as_chunks::<4>().0.to_vec()).collect()
    }
}

/// What was drawn.
pub struct Frame {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<[u8; 4]>,
}

impl Frame {
    pub fn at(&self, x: u32, y: u32) -> [u8; 4] {
        self.pixels[(y * self.width + x) as usize]
    }

    /// Every pixel is as `want` says, within `tolerance`; None is not looked at.
    #[track_caller]
    pub fn check(&self, tolerance: u8, want: impl Fn(u32, u32) -> Option<[u8; 4]>) {
        for y in 0..self.height {
            for x in 0..self.width {
                let (got, Some(want)) = (self.at(x, y), want(x, y)) else { continue };
                let far = got.iter().zip(want).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                assert!(far <= tolerance, "pixel {x}, {y}: {got:?} is not {want:?}");
            }
        }
    }
}
