// Draws the canvas: a checkerboard, tiles of the picture over it, and a running job's preview over both, one quad each, but
// of a preview that is seen through a mask one for each of the mask's pages.
// Colours are sRGB's own values with premultiplied alpha, as the window blends them. Twin: src/render/canvas.rs.

// True where the target converts from linear light by itself. The window avoids such targets where it can.
override LINEAR_TARGET: bool = false;

struct Quad {
    // Left, top, right and bottom in whole physical pixels from the canvas's corner.
    rect: vec4<f32>,
    // Left and top of the canvas in the target, and its width and height, in physical pixels.
    canvas: vec4<f32>,
    // What lies at the quad's corner, in texels (checkerboard: squares), and how many of them a physical pixel is.
    texel_at: vec2<f32>,
    texel_step: vec2<f32>,
    // The two colours of the checkerboard.
    colours: array<vec4<f32>, 2>,
    // Physical pixels per texel where the picture (preview: the mask) is enlarged, else 1.
    sharpness: f32,
    // Texels from the middle to each of the four samples where it is reduced, else 0.
    spread: f32,
    opacity: f32,
    // Strength of the lines between pixels, 0 to 1.
    grid: f32,
    // What the preview is seen through: as texel_at and texel_step.
    mask_at: vec2<f32>,
    mask_step: vec2<f32>,
}

@group(0) @binding(0) var<uniform> quad: Quad;
@group(1) @binding(0) var picture: texture_2d<f32>;
@group(1) @binding(1) var smooth_sampler: sampler;
@group(2) @binding(0) var mask: texture_2d<f32>;

@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let pixel = vec2(
        select(quad.rect.x, quad.rect.z, (index & 1u) == 1u),
        select(quad.rect.y, quad.rect.w, (index & 2u) == 2u),
    );
    let at = pixel / quad.canvas.zw * 2.0 - 1.0;
    return vec4(at.x, -at.y, 0.0, 1.0);
}

// Where the middle of a physical pixel lies in the texture, in texels.
fn texel(position: vec4<f32>) -> vec2<f32> {
    return quad.texel_at + (position.xy - quad.canvas.xy - quad.rect.xy) * quad.texel_step;
}

fn to_target(colour: vec4<f32>) -> vec4<f32> {
    if !LINEAR_TARGET || colour.a <= 0.0 {
        return colour;
    }
    let srgb = colour.rgb / colour.a;
    let linear = select(pow((srgb + 0.055) / 1.055, vec3(2.4)), srgb / 12.92, srgb <= vec3(0.04045));
    return vec4(linear * colour.a, colour.a);
}

@fragment
fn checkerboard(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let square = vec2<i32>(floor(texel(position)));
    return to_target(quad.colours[(square.x + square.y) & 1]);
}

// A place rounded to 1/256 texel, as the filters of most devices do, and a quarter of that added: so the middle of a texel
// gives just that texel both where they truncate and where they round.
fn rounded(at: vec2<f32>) -> vec2<f32> {
    return (floor(at * 256.0 + 0.5) + 0.25) / 256.0;
}

// One filtered sample.
fn sample(at: vec2<f32>) -> vec4<f32> {
    return textureSampleLevel(picture, smooth_sampler, rounded(at) / vec2<f32>(textureDimensions(picture)), 0.0);
}

// Enlarged: blocks, whose edges alone are mixed, over one physical pixel. At 1 this is the linear filter.
fn blocks(at: vec2<f32>) -> vec2<f32> {
    let edge = floor(at + 0.5);
    return edge + clamp((at - edge) * quad.sharpness, vec2(-0.5), vec2(0.5));
}

// Reduced by less than two: four samples that together cover the physical pixel, averaged in near linear light (gamma 2).
fn reduced(at: vec2<f32>) -> vec4<f32> {
    var light = vec3(0.0);
    var alpha = 0.0;
    for (var i = 0; i < 4; i++) {
        let side = vec2(f32(i & 1), f32(i >> 1u)) * 2.0 - 1.0;
        let one = sample(at + side * quad.spread);
        light += one.rgb * one.rgb / max(one.a, 1e-4);
        alpha += one.a;
    }
    return vec4(sqrt(light * alpha), alpha) / 4.0;
}

@fragment
fn tile(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let at = texel(position);
    var colour: vec4<f32>;
    if quad.spread > 0.0 {
        colour = reduced(at);
    } else {
        colour = sample(blocks(at));
    }
    if quad.grid > 0.0 && any(floor(at) != floor(at - quad.texel_step)) {
        // The first physical pixel of a picture's pixel: away from its own brightness, so that the line always shows.
        let bright = dot(colour.rgb, vec3(0.2126, 0.7152, 0.0722)) > 0.5 * colour.a;
        colour = mix(colour, vec4(vec3(select(1.0, 0.0, bright)), 1.0), 0.25 * quad.grid);
    }
    return to_target(colour);
}

// A few colours enlarged a lot, softly: the cubic B-spline, sixteen texels by four filtered samples.
@fragment
fn over(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let at = texel(position) - 0.5;
    let base = floor(at);
    let t = at - base;
    let s = 1.0 - t;
    let far_left = s * s * s / 6.0;
    let left = (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0;
    let right = (4.0 - 6.0 * s * s + 3.0 * s * s * s) / 6.0;
    let far_right = t * t * t / 6.0;
    var weights = array(far_left + left, right + far_right);
    var places = array(base - 0.5 + left / weights[0], base + 1.5 + far_right / weights[1]);
    let size = vec2<f32>(textureDimensions(picture));
    var colour = vec3(0.0);
    for (var i = 0; i < 4; i++) {
        let x = i & 1;
        let y = i >> 1u;
        let place = vec2(places[x].x, places[y].y);
        colour += weights[x].x * weights[y].y * textureSampleLevel(picture, smooth_sampler, place / size, 0.0).rgb;
    }
    let through = rounded(blocks(quad.mask_at + (position.xy - quad.canvas.xy - quad.rect.xy) * quad.mask_step));
    let covered = textureSampleLevel(mask, smooth_sampler, through / vec2<f32>(textureDimensions(mask)), 0.0).r;
    return to_target(vec4(colour, 1.0) * quad.opacity * covered);
}
