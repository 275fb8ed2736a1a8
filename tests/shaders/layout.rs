//! Every shader is valid, and its uniforms are laid out as the Rust structs that fill them.

use naga::TypeInner;
use pentimento::render::{canvas::Quad, preview::Map, selection::Area, tools::Work};
use std::mem::offset_of;
use std::path::Path;

fn parsed(name: &str) -> naga::Module {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders").join(name);
    let source = std::fs::read_to_string(&path).unwrap();
    naga::front::wgsl::parse_str(&source).unwrap_or_else(|error| panic!("{}", error.emit_to_string_with_path(&source, name)))
}

#[test]
fn every_shader_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() >= 2);
    for name in names {
        let module = parsed(&name);
        // No capability: what the simplest device has must do.
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        // The twin of the same name.
        let twin = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render").join(Path::new(&name).with_extension("rs"));
        assert!(twin.exists(), "{name} has no twin");
    }
}

/// A struct's size and members as the shader has them.
fn check(shader: &str, name: &str, size: usize, members: &[(&str, usize)]) {
    let module = parsed(shader);
    let (_, found) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).unwrap();
    let TypeInner::Struct { members: found, span } = &found.inner else { panic!("{name} is no struct") };
    let found: Vec<(&str, usize)> = found.iter().map(|member| (member.name.as_deref().unwrap(), member.offset as usize)).collect();
    assert_eq!(found, members, "{shader}: {name}");
    assert_eq!(*span as usize, size, "{shader}: {name}");
}

macro_rules! members {
    ($type:ty: $($member:ident),*) => { [$((stringify!($member), offset_of!($type, $member))),*] };
}

#[test]
fn uniforms_have_the_same_layout_on_both_sides() {
    let quad = members!(Quad: rect, canvas, texel_at, texel_step, colours, sharpness, spread, opacity, grid, mask_at, mask_step);
    check("canvas.wgsl", "Quad", size_of::<Quad>(), &quad);
    let area = members!(Area: rect, canvas, picture, colours, texel_at, texel_step, sharpness, outline, dash_at, dash_step);
    check("selection.wgsl", "Area", size_of::<Area>(), &area);
    let work = members!(Work: before, size, kind, premultiplied, unused, across, down, turn, light, curve);
    check("tools.wgsl", "Work", size_of::<Work>(), &work);
    check("preview.wgsl", "Map", size_of::<Map>(), &members!(Map: channels, height, block, unused));
}
