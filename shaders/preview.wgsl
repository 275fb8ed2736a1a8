// Turns latents into colours by a linear map: a block of colours for each latent pixel. Twin: src/render/preview.rs; the
// same on the CPU: PreviewMap::apply in src/pipeline/preview.rs. Numbers come in textures, since GL may have no storage buffers.

struct Map {
    channels: u32,
    // Latent pixels from top to bottom.
    height: u32,
    // Colours along one side of a latent pixel's block.
    block: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> map: Map;
// Channel c's row y is row c * height + y.
@group(0) @binding(1) var latents: texture_2d<f32>;
// A row per channel, then the constant; along it red, green and blue of a block, row by row.
@group(0) @binding(2) var weights: texture_2d<f32>;

// One triangle over the whole target.
@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    return vec4(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

fn row(channel: u32, column: u32) -> vec3<f32> {
    return vec3(
        textureLoad(weights, vec2(column, channel), 0).r,
        textureLoad(weights, vec2(column + 1u, channel), 0).r,
        textureLoad(weights, vec2(column + 2u, channel), 0).r,
    );
}

@fragment
fn colours(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let pixel = vec2<u32>(position.xy);
    let latent = pixel / map.block;
    let inside = pixel % map.block;
    let column = 3u * (inside.y * map.block + inside.x);
    var colour = row(map.channels, column);
    for (var c = 0u; c < map.channels; c++) {
        colour += textureLoad(latents, vec2(latent.x, c * map.height + latent.y), 0).r * row(c, column);
    }
    return vec4(clamp(colour, vec3(0.0), vec3(1.0)), 1.0);
}
