// Draws a selection over the picture, one quad for each page of its mask: a tint as far as each place is covered, and an
// outline of black and white dashes where the coverage crosses one half.
// Colours are sRGB's own values with premultiplied alpha, as the window blends them. Twin: src/render/selection.rs.

// True where the target converts from linear light by itself. The window avoids such targets where it can.
override LINEAR_TARGET: bool = false;

struct Area {
    // Left, top, right and bottom in whole physical pixels from the canvas's corner.
    rect: vec4<f32>,
    // Left and top of the canvas in the target, and its width and height, in physical pixels.
    canvas: vec4<f32>,
    // The whole picture, as rect, but it may reach beyond the canvas. What is outside of it is not selected.
    picture: vec4<f32>,
    // The tints of what is not covered and of what is.
    colours: array<vec4<f32>, 2>,
    // What lies at the quad's corner, in texels of the page, and how many of them a physical pixel is.
    texel_at: vec2<f32>,
    texel_step: vec2<f32>,
    // Physical pixels per texel where the mask is enlarged, else 1.
    sharpness: f32,
    // The outline in physical pixels: none, 1 inside of the edge, or 2 on both sides of it.
    outline: f32,
    // How many dashes lie before the quad's corner, and how many a physical pixel is, to the right as downwards.
    dash_at: f32,
    dash_step: f32,
}

@group(0) @binding(0) var<uniform> area: Area;
@group(1) @binding(0) var mask: texture_2d<f32>;
@group(1) @binding(1) var smooth_sampler: sampler;

@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let pixel = vec2(
        select(area.rect.x, area.rect.z, (index & 1u) == 1u),
        select(area.rect.y, area.rect.w, (index & 2u) == 2u),
    );
    let at = pixel / area.canvas.zw * 2.0 - 1.0;
    return vec4(at.x, -at.y, 0.0, 1.0);
}

fn to_target(colour: vec4<f32>) -> vec4<f32> {
    if !LINEAR_TARGET || colour.a <= 0.0 {
        return colour;
    }
    let srgb = colour.rgb / colour.a;
    let linear = select(pow((srgb + 0.055) / 1.055, vec3(2.4)), srgb / 12.92, srgb <= vec3(0.04045));
    return vec4(linear * colour.a, colour.a);
}

// The coverage at a place from the quad's corner, in physical pixels, with blocks and rounding as in canvas.wgsl.
fn coverage(place: vec2<f32>) -> f32 {
    let at = area.texel_at + place * area.texel_step;
    let edge = floor(at + 0.5);
    let block = edge + clamp((at - edge) * area.sharpness, vec2(-0.5), vec2(0.5));
    let rounded = (floor(block * 256.0 + 0.5) + 0.25) / 256.0;
    return textureSampleLevel(mask, smooth_sampler, rounded / vec2<f32>(textureDimensions(mask)), 0.0).r;
}

fn is_inside(place: vec2<f32>) -> bool {
    let pixel = place + area.rect.xy;
    return all(pixel > area.picture.xy) && all(pixel < area.picture.zw) && coverage(place) > 0.5;
}

// Whether one of the four physical pixels around is on the other side of the edge.
fn is_at_edge(place: vec2<f32>, inside: bool) -> bool {
    return is_inside(place + vec2(1.0, 0.0)) != inside || is_inside(place - vec2(1.0, 0.0)) != inside
        || is_inside(place + vec2(0.0, 1.0)) != inside || is_inside(place - vec2(0.0, 1.0)) != inside;
}

@fragment
fn selection(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let place = position.xy - area.canvas.xy - area.rect.xy;
    let covered = coverage(place);
    let inside = covered > 0.5;
    if area.outline > select(1.0, 0.0, inside) && is_at_edge(place, inside) {
        // Half a pixel back, so that no pixel's middle is at the end of a dash.
        let dash = i32(floor(area.dash_at + (place.x + place.y - 0.5) * area.dash_step));
        return to_target(vec4(vec3(f32(dash & 1)), 1.0));
    }
    return to_target(mix(area.colours[0], area.colours[1], covered));
}
