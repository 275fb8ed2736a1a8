//! The pipelines of what is drawn into the window, and the buffer with the numbers of a frame's quads.

use super::canvas::Quad;
use super::selection::Area;
use super::{Gpu, guarded};

/// Which fragment shader a draw runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Checkerboard,
    Tile,
    Over,
    Selection,
}

/// One quad to draw.
pub(super) struct Draw {
    pub(super) kind: Kind,
    /// Where its numbers begin in the frame's uniform buffer: a [`Quad`] or an [`Area`].
    pub(super) offset: u32,
    /// What it samples, in groups 1 and 2.
    pub(super) textures: [Option<wgpu::BindGroup>; 2],
}

/// The most bytes of numbers that a draw has.
const NUMBERS: usize = if size_of::<Quad>() > size_of::<Area>() { size_of::<Quad>() } else { size_of::<Area>() };

/// The pipelines, and the buffer of a frame's quads.
pub(super) struct Passes {
    checkerboard: wgpu::RenderPipeline,
    tile: wgpu::RenderPipeline,
    over: wgpu::RenderPipeline,
    selection: wgpu::RenderPipeline,
    quad_layout: wgpu::BindGroupLayout,
    texture_layout: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
    quads: Option<Quads>,
    /// Bytes from one quad to the next.
    pub(super) stride: usize,
}

struct Quads {
    buffer: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
}

impl Passes {
    pub(super) fn new(device: &wgpu::Device, target: wgpu::TextureFormat) -> Self {
        let module = |name: &str, source: &'static str| {
            device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(name), source: wgpu::ShaderSource::Wgsl(source.into()) })
        };
        let canvas = module("canvas", include_str!("../../shaders/canvas.wgsl"));
        let selection = module("selection", include_str!("../../shaders/selection.wgsl"));
        let quad_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("canvas quad"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: true,
                    min_binding_size: wgpu::BufferSize::new(NUMBERS as u64),
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
        let pipeline = |module: &wgpu::ShaderModule, fragment: &str, layouts: &[Option<&wgpu::BindGroupLayout>]| {
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
                vertex: wgpu::VertexState { module, entry_point: Some("corner"), compilation_options: options.clone(), buffers: &[] },
                primitive: wgpu::PrimitiveState { topology: wgpu::PrimitiveTopology::TriangleStrip, ..Default::default() },
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module,
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
            checkerboard: pipeline(&canvas, "checkerboard", &[Some(&quad_layout)]),
            tile: pipeline(&canvas, "tile", &[Some(&quad_layout), Some(&texture_layout)]),
            over: pipeline(&canvas, "over", &[Some(&quad_layout), Some(&texture_layout), Some(&texture_layout)]),
            selection: pipeline(&selection, "selection", &[Some(&quad_layout), Some(&texture_layout)]),
            quad_layout,
            texture_layout,
            sampler,
            quads: None,
            stride: NUMBERS.next_multiple_of(alignment),
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
                    size: wgpu::BufferSize::new(NUMBERS as u64),
                }),
            }],
        });
        Quads { buffer, bind_group }
    }

    pub(super) fn draw(&self, pass: &mut wgpu::RenderPass<'static>, draws: &[Draw]) {
        let Some(quads) = &self.quads else { return };
        for draw in draws {
            pass.set_pipeline(match draw.kind {
                Kind::Checkerboard => &self.checkerboard,
                Kind::Tile => &self.tile,
                Kind::Over => &self.over,
                Kind::Selection => &self.selection,
            });
            pass.set_bind_group(0, &quads.bind_group, &[draw.offset]);
            for (group, texture) in (1..).zip(&draw.textures) {
                if let Some(texture) = texture {
                    pass.set_bind_group(group, texture, &[]);
                }
            }
            pass.draw(0..4, 0..1);
        }
    }
}
