// What plain tools make of a picture, for the eye before it is done. Twin: src/render/tools.rs; the same on the CPU, which
// decides: Tool::apply in src/imaging/tools. Colours are sRGB's own values, not multiplied by alpha.

struct Work {
    // Sizes of the picture and of the result.
    before: vec2<i32>,
    size: vec2<i32>,
    kind: u32,
    // 1: the result is multiplied by alpha, as the canvas wants it.
    premultiplied: u32,
    unused: vec2<u32>,
    // The pixel of the picture for one of the result: factors of its column and row, and a constant.
    across: vec4<i32>,
    down: vec4<i32>,
    // Cosine and sine.
    turn: vec4<f32>,
    // Gains and saturation.
    light: vec4<f32>,
    // Black, the factor behind it, the power of levels, the power of contrast.
    curve: vec4<f32>,
}

const PICKED: u32 = 0u;
const STRAIGHTENED: u32 = 1u;
const RESIZED: u32 = 2u;

const PI: f32 = 3.14159265358979;
const LUMA: vec3<f32> = vec3(0.2126, 0.7152, 0.0722);

@group(0) @binding(0) var<uniform> work: Work;
@group(0) @binding(1) var picture: texture_2d<f32>;

// One triangle over the whole target.
@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    return vec4(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

fn linear(v: vec3<f32>) -> vec3<f32> {
    return select(pow((v + 0.055) / 1.055, vec3(2.4)), v / 12.92, v <= vec3(0.04045));
}

fn srgb(light: vec3<f32>) -> vec3<f32> {
    let v = clamp(light, vec3(0.0), vec3(1.0));
    return select(1.055 * pow(v, vec3(1.0 / 2.4)) - 0.055, v * 12.92, v <= vec3(0.0031308));
}

// Linear light times alpha, and alpha; beyond the edge the last pixel again and again.
fn light(at: vec2<i32>) -> vec4<f32> {
    let pixel = textureLoad(picture, clamp(at, vec2(0), work.before - 1), 0);
    return vec4(linear(pixel.rgb) * pixel.a, pixel.a);
}

fn colour(light: vec4<f32>) -> vec4<f32> {
    var own = vec3(0.0);
    if light.a > 0.0 {
        own = light.rgb / light.a;
    }
    return vec4(srgb(own), clamp(light.a, 0.0, 1.0));
}

// Of the four samples about a point that lies t behind the second (Catmull and Rom).
fn cubic(t: f32) -> vec4<f32> {
    return vec4(
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    );
}

fn straightened(pixel: vec2<i32>) -> vec4<f32> {
    let d = vec2<f32>(pixel) + 0.5 - vec2<f32>(work.size) / 2.0;
    let turned = vec2(work.turn.x * d.x + work.turn.y * d.y, work.turn.x * d.y - work.turn.y * d.x);
    let place = turned + vec2<f32>(work.before) / 2.0 - 0.5;
    let first = floor(place);
    let across = cubic(place.x - first.x);
    let down = cubic(place.y - first.y);
    var sum = vec4(0.0);
    for (var j = 0; j < 4; j++) {
        for (var i = 0; i < 4; i++) {
            sum += across[i] * down[j] * light(vec2<i32>(first) + vec2(i, j) - 1);
        }
    }
    return colour(sum);
}

fn sinc(x: f32) -> f32 {
    if abs(x) < 1e-5 {
        return 1.0;
    }
    return sin(PI * x) / (PI * x);
}

fn lanczos(x: f32) -> f32 {
    if abs(x) >= 3.0 {
        return 0.0;
    }
    return sinc(x) * sinc(x / 3.0);
}

fn resized(pixel: vec2<i32>) -> vec4<f32> {
    let step = vec2<f32>(work.before) / vec2<f32>(work.size);
    let stretch = max(step, vec2(1.0));
    let middle = (vec2<f32>(pixel) + 0.5) * step;
    let first = vec2<i32>(floor(middle - 3.0 * stretch));
    let last = vec2<i32>(ceil(middle + 3.0 * stretch));
    var sum = vec4(0.0);
    var all = vec2(0.0);
    for (var y = first.y; y <= last.y; y++) {
        let down = lanczos((f32(y) + 0.5 - middle.y) / stretch.y);
        var row = vec4(0.0);
        all = vec2(0.0, all.y + down);
        for (var x = first.x; x <= last.x; x++) {
            let across = lanczos((f32(x) + 0.5 - middle.x) / stretch.x);
            row += across * light(vec2(x, y));
            all.x += across;
        }
        sum += down * row;
    }
    return colour(sum / (all.x * all.y));
}

// Light and colour.
fn toned(pixel: vec4<f32>) -> vec4<f32> {
    let gained = linear(pixel.rgb) * work.light.rgb;
    let luma = dot(gained, LUMA);
    var v = srgb(luma + (gained - luma) * work.light.a);
    v = pow(clamp((v - work.curve.x) * work.curve.y, vec3(0.0), vec3(1.0)), vec3(work.curve.z));
    let up = pow(v, vec3(work.curve.w));
    let down = pow(1.0 - v, vec3(work.curve.w));
    return vec4(up / (up + down), pixel.a);
}

@fragment
fn worked(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let pixel = vec2<i32>(position.xy);
    var out: vec4<f32>;
    if work.kind == STRAIGHTENED {
        out = straightened(pixel);
    } else if work.kind == RESIZED {
        out = resized(pixel);
    } else {
        let at = vec2(dot(work.across.xy, pixel) + work.across.z, dot(work.down.xy, pixel) + work.down.z);
        out = textureLoad(picture, at, 0);
        if work.kind != PICKED {
            out = toned(out);
        }
    }
    if work.premultiplied == 1u {
        out = vec4(out.rgb * out.a, out.a);
    }
    return out;
}
