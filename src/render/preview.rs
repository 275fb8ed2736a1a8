//! What latents look like: the pass of `shaders/preview.wgsl`.

use super::{Gpu, Renderer, Sampled, guarded};
use bytemuck::{Pod, Zeroable};
use eframe::egui_wgpu::RenderState;
use std::sync::{Arc, Weak};

/// Latents, and the linear map from them to colours. The same on the CPU is `PreviewMap::apply`.
///
/// # Shapes      C channels, h/w latent pixels, B colours along one side of a latent pixel
/// - `values`: `(C, h, w)`
/// - `weights`: `(C + 1, B, B, 3)`, a row per channel and the constant; colours in 0..1
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewImage {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Arc<[f32]>,
    pub weights: Arc<[f32]>,
    pub block: usize,
}

impl PreviewImage {
    /// Width and height of the picture that the map makes.
    pub fn size(&self) -> [u32; 2] {
        [(self.width * self.block) as u32, (self.height * self.block) as u32]
    }

    /// What the device cannot take, in words.
    fn flaw(&self, limits: &wgpu::Limits) -> Option<&'static str> {
        let Self { channels, height, width, values, weights, block } = self;
        let largest = limits.max_texture_dimension_2d as usize;
        if values.is_empty() || values.len() != channels * height * width {
            Some("the latents' count is not channels x height x width")
        } else if weights.is_empty() || weights.len() != (channels + 1) * block * block * 3 {
            Some("the map is for another number of channels")
        } else if channels * height > largest || width * block > largest || height * block > largest || block * block * 3 > largest {
            Some("it is larger than the graphics device's textures")
        } else {
            None
        }
    }
}

/// The colours of a preview as a texture, `Rgba8Unorm`. None where the device cannot take it, or nothing is installed.
pub fn texture(state: &RenderState, image: &Arc<PreviewImage>) -> Option<wgpu::Texture> {
    let mut encoder = state.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut renderer = state.renderer.write();
    let Renderer { canvas, previews, .. } = renderer.callback_resources.get_mut()?;
    let sampled = previews.get(&canvas.gpu(&state.device, &state.queue), &mut encoder, image)?;
    state.queue.submit([encoder.finish()]);
    Some(sampled.texture)
}

/// The numbers of the pass, as `Map` in the shader.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Map {
    pub channels: u32,
    pub height: u32,
    pub block: u32,
    pub unused: u32,
}

/// The pass, and the previews that were drawn of late.
pub(super) struct Previews {
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
    entries: Vec<Entry>,
    frame: u64,
}

struct Entry {
    /// Kept, so that its address is not another image's.
    image: Weak<PreviewImage>,
    /// None where it cannot be drawn, which was said once.
    sampled: Option<Sampled>,
    seen: u64,
}

/// A preview that was not drawn for so many frames is forgotten.
const FRAMES_KEPT: u64 = 120;

impl Previews {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("preview"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/preview.wgsl").into()),
        });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::FRAGMENT, ty, count: None };
        let numbers = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: wgpu::BufferSize::new(size_of::<Map>() as u64),
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("preview"),
            entries: &[entry(0, uniform), entry(1, numbers), entry(2, numbers)],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("preview"),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("preview"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("colours"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(wgpu::TextureFormat::Rgba8Unorm.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        Self { layout, pipeline, entries: Vec::new(), frame: 0 }
    }

    pub(super) fn begin_frame(&mut self) {
        let frame = self.frame;
        self.entries.retain(|entry| entry.image.strong_count() > 0 && frame - entry.seen < FRAMES_KEPT);
        self.frame += 1;
    }

    /// The colours of a preview. The first time, the pass that makes them is put into `encoder`.
    pub(super) fn get(&mut self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, image: &Arc<PreviewImage>) -> Option<Sampled> {
        if let Some(entry) = self.entries.iter_mut().find(|entry| std::ptr::eq(entry.image.as_ptr(), Arc::as_ptr(image))) {
            entry.seen = self.frame;
            return entry.sampled.clone();
        }
        let made = match image.flaw(&gpu.device.limits()) {
            Some(flaw) => Err(flaw.to_owned()),
            None => guarded(gpu.device, || self.prepare(gpu, image)).map_err(|error| error.to_string()),
        };
        let sampled = match made {
            Ok((sampled, target, bindings)) => {
                self.draw(encoder, &target, &bindings);
                Some(sampled)
            }
            Err(error) => {
                tracing::warn!("the preview cannot be drawn: {error}");
                None
            }
        };
        self.entries.push(Entry { image: Arc::downgrade(image), sampled: sampled.clone(), seen: self.frame });
        sampled
    }

    fn prepare(&self, gpu: &Gpu, image: &PreviewImage) -> (Sampled, wgpu::TextureView, wgpu::BindGroup) {
        let PreviewImage { channels, height, width, values, weights, block } = image;
        let map = Map { channels: *channels as u32, height: *height as u32, block: *block as u32, unused: 0 };
        let uniform = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("preview"),
            size: size_of::<Map>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        gpu.queue.write_buffer(&uniform, 0, bytemuck::bytes_of(&map));
        let latents = numbers(gpu, *width, channels * height, values);
        let weights = numbers(gpu, block * block * 3, channels + 1, weights);
        let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("preview"),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::TextureView(&latents) },
                wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(&weights) },
            ],
        });
        let [width, height] = image.size();
        let usage = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_SRC;
        let colours = empty(gpu, [width, height], wgpu::TextureFormat::Rgba8Unorm, usage);
        let target = colours.create_view(&wgpu::TextureViewDescriptor::default());
        (gpu.sampled(colours), target, bindings)
    }

    fn draw(&self, encoder: &mut wgpu::CommandEncoder, target: &wgpu::TextureView, bindings: &wgpu::BindGroup) {
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("preview"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: target,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, bindings, &[]);
        pass.draw(0..3, 0..1);
    }
}

fn empty(gpu: &Gpu, [width, height]: [u32; 2], format: wgpu::TextureFormat, usage: wgpu::TextureUsages) -> wgpu::Texture {
    gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("preview"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    })
}

/// Rows of numbers as a texture.
fn numbers(gpu: &Gpu, width: usize, height: usize, values: &[f32]) -> wgpu::TextureView {
    let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
    let texture = empty(gpu, [width as u32, height as u32], wgpu::TextureFormat::R32Float, usage);
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * width as u32), rows_per_image: None };
    gpu.queue.write_texture(texture.as_image_copy(), bytemuck::cast_slice(values), layout, texture.size());
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
