//! What a plain tool makes of a picture, while a person still moves its slider: the pass of `shaders/tools.wgsl`.

use super::{Gpu, Renderer, Sampled, guarded};
use crate::imaging::{Pyramid, Tool};
use bytemuck::{Pod, Zeroable};
use eframe::egui_wgpu::RenderState;
use std::sync::{Arc, Weak};

/// The longest side of a picture that is worked on for the screen.
const LONGEST: u32 = 2048;

/// A picture for tools: as large as the screen needs it.
#[derive(Debug)]
pub struct ToolSource {
    size: [u32; 2],
    /// Of the whole picture.
    of: [u32; 2],
    /// Red, green, blue (not multiplied) and alpha.
    rgba: Arc<[u8]>,
}

impl ToolSource {
    /// Pixels of a picture in 8 bits, in sRGB.
    pub fn new(size: [u32; 2], rgba: Arc<[u8]>) -> Self {
        Self { size, of: size, rgba }
    }

    /// The finest level of a picture that is small enough.
    pub fn of(pyramid: &Pyramid) -> Self {
        let levels = pyramid.levels();
        let level = levels.iter().find(|l| l.width() <= LONGEST && l.height() <= LONGEST).unwrap_or(&levels[levels.len() - 1]);
        let own = |v: u8, a: u8| ((u32::from(v) * 255 + u32::from(a) / 2) / u32::from(a.max(1))).min(255) as u8;
        let straight =
            || level.pixels().as_chunks::<4>().0.iter().flat_map(|[r, g, b, a]| [own(*r, *a), own(*g, *a), own(*b, *a), *a]).collect();
        let rgba = if pyramid.is_opaque() { level.pixels().into() } else { straight() };
        Self { size: [level.width(), level.height()], of: pyramid.size(), rgba }
    }
}

/// A tool on a picture.
#[derive(Clone, Debug)]
pub struct ToolImage {
    pub source: Arc<ToolSource>,
    pub tool: Tool,
}

impl ToolImage {
    /// The tool for the source at its own size.
    fn scaled(&self) -> Tool {
        let ToolSource { size, of, .. } = *self.source;
        match self.tool {
            // The screen needs no more pixels than it has.
            Tool::Resize { width, height, of: made_for } if size != of => {
                let share = |to: u32, axis: usize| ((f64::from(to) / f64::from(of[axis]) * f64::from(size[axis])).round() as u32).max(1);
                Tool::Resize { width: share(width, 0), height: share(height, 1), of: if made_for == of { size } else { made_for } }
            }
            tool => tool,
        }
    }

    fn work(&self, premultiplied: bool) -> Option<Work> {
        let size = self.source.size;
        let tool = self.scaled();
        let to = tool.size(size);
        let [w, h] = size.map(|side| side as i32);
        let (mut kind, mut across, mut down) = (0, [1, 0, 0, 0], [0, 1, 0, 0]);
        let mut work = Work::zeroed();
        match tool {
            Tool::Crop { .. } => {
                let part = tool.part(size)?;
                (across[2], down[2]) = (part.left as i32, part.top as i32);
            }
            Tool::Turn { quarters } => match quarters % 4 {
                1 => (across, down) = ([0, 1, 0, 0], [-1, 0, h - 1, 0]),
                2 => (across, down) = ([-1, 0, w - 1, 0], [0, -1, h - 1, 0]),
                3 => (across, down) = ([0, -1, w - 1, 0], [1, 0, 0, 0]),
                _ => {}
            },
            Tool::Mirror => across = [-1, 0, w - 1, 0],
            Tool::Flip => down = [0, -1, h - 1, 0],
            Tool::Straighten { degrees } => {
                kind = 1;
                let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
                work.turn = [cos as f32, sin as f32, 0.0, 0.0];
            }
            Tool::Resize { .. } => kind = 2,
            Tool::Tone(tone) => {
                kind = 3;
                [work.light, work.curve] = tone.uniform();
            }
        }
        let sides = |size: [u32; 2]| size.map(|side| side as i32);
        Some(Work { before: sides(size), size: sides(to), kind, premultiplied: u32::from(premultiplied), across, down, ..work })
            .filter(|work| tool.complaint().is_none() && work.size.iter().all(|side| *side > 0))
    }
}

/// The numbers of the pass, as `Work` in the shader.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Work {
    pub before: [i32; 2],
    pub size: [i32; 2],
    pub kind: u32,
    pub premultiplied: u32,
    pub unused: [u32; 2],
    pub across: [i32; 4],
    pub down: [i32; 4],
    pub turn: [f32; 4],
    pub light: [f32; 4],
    pub curve: [f32; 4],
}

/// The result of a tool as a texture, `Rgba8Unorm`, not multiplied by alpha. None where the device cannot take it, or nothing
/// is installed.
pub fn texture(state: &RenderState, image: &ToolImage) -> Option<wgpu::Texture> {
    let mut encoder = state.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut renderer = state.renderer.write();
    let Renderer { canvas, tools, .. } = renderer.callback_resources.get_mut()?;
    let sampled = tools.made(&canvas.gpu(&state.device, &state.queue), &mut encoder, image, false)?;
    state.queue.submit([encoder.finish()]);
    Some(sampled.texture)
}

/// The pass, the picture that was worked on last, and what was made of it.
pub(super) struct Tools {
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
    source: Option<(Weak<ToolSource>, wgpu::TextureView)>,
    latest: Option<(Weak<ToolSource>, Tool, Sampled)>,
}

impl Tools {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("tools"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/tools.wgsl").into()),
        });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::FRAGMENT, ty, count: None };
        let texture = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: wgpu::BufferSize::new(size_of::<Work>() as u64),
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("tools"),
            entries: &[entry(0, uniform), entry(1, texture)],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("tools"),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let options = wgpu::PipelineCompilationOptions::default;
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("tools"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState { module: &module, entry_point: Some("corner"), compilation_options: options(), buffers: &[] },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("worked"),
                compilation_options: options(),
                targets: &[Some(wgpu::TextureFormat::Rgba8Unorm.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        Self { layout, pipeline, source: None, latest: None }
    }

    /// The result for the canvas. What was made last is not made again.
    pub(super) fn get(&mut self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, image: &ToolImage) -> Option<Sampled> {
        if let Some((source, tool, sampled)) = &self.latest
            && std::ptr::eq(source.as_ptr(), Arc::as_ptr(&image.source))
            && *tool == image.tool
        {
            return Some(sampled.clone());
        }
        let sampled = self.made(gpu, encoder, image, true)?;
        self.latest = Some((Arc::downgrade(&image.source), image.tool, sampled.clone()));
        Some(sampled)
    }

    fn made(&mut self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, image: &ToolImage, premultiplied: bool) -> Option<Sampled> {
        let work = image.work(premultiplied)?;
        let largest = gpu.device.limits().max_texture_dimension_2d;
        let sides = image.source.size.into_iter().chain(work.size.map(|side| side as u32));
        if sides.into_iter().any(|side| side > largest) {
            return None;
        }
        let made = guarded(gpu.device, || {
            let source = self.source(gpu, &image.source);
            let uniform = gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("tools"),
                size: size_of::<Work>() as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            gpu.queue.write_buffer(&uniform, 0, bytemuck::bytes_of(&work));
            let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("tools"),
                layout: &self.layout,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() },
                    wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::TextureView(&source) },
                ],
            });
            let usage = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_SRC;
            let result = empty(gpu, work.size.map(|side| side as u32), usage);
            let target = result.create_view(&wgpu::TextureViewDescriptor::default());
            (gpu.sampled(result), target, bindings)
        });
        let (sampled, target, bindings) = made.inspect_err(|error| tracing::warn!("a tool cannot be shown: {error}")).ok()?;
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("tools"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &target,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT), store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.draw(0..3, 0..1);
        drop(pass);
        Some(sampled)
    }

    /// The picture on the device; the last one stays there.
    fn source(&mut self, gpu: &Gpu, source: &Arc<ToolSource>) -> wgpu::TextureView {
        if let Some((known, view)) = self.source.as_ref().filter(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(source))) {
            // The weak reference keeps the address from being another's.
            debug_assert!(known.strong_count() > 0);
            return view.clone();
        }
        let texture = empty(gpu, source.size, wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST);
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * source.size[0]), rows_per_image: None };
        gpu.queue.write_texture(texture.as_image_copy(), &source.rgba, layout, texture.size());
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        self.source = Some((Arc::downgrade(source), view.clone()));
        view
    }

    /// Lets go of a picture that nobody has any more.
    pub(super) fn begin_frame(&mut self) {
        self.source.take_if(|(source, _)| source.strong_count() == 0);
        self.latest.take_if(|(source, ..)| source.strong_count() == 0);
    }
}

fn empty(gpu: &Gpu, [width, height]: [u32; 2], usage: wgpu::TextureUsages) -> wgpu::Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("tools"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage,
        view_formats: &[],
    })
}
