//! `OpenRaster`: every picture on the way as a layer, for GIMP, Krita and others.

use super::{Error, Result};
use crate::document::{Document, Origin, RevisionId};
use crate::imaging::{self, Format, Picture, Pixels, Tool, escaped};
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The longest side of the small picture, as the format has it.
const THUMBNAIL: u32 = 256;

/// A picture on the way, at its place on the last one.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub id: RevisionId,
    pub name: String,
    /// Left and top, in pixels of the last picture. What a crop took away lies outside.
    pub at: [i64; 2],
}

/// The pictures on the way to a revision, from the first on.
pub fn layers_of(document: &Document, id: RevisionId) -> Vec<Layer> {
    let mut at = [0i64; 2];
    let mut layers = Vec::new();
    for revision in document.path_to(id).into_iter().rev().filter_map(|id| document.revision(id)) {
        layers.push(Layer { id: revision.id, name: revision.title().to_owned(), at });
        let source = revision.parent.and_then(|p| document.revision(p)).map(|p| p.picture.size());
        if let (Origin::Changed { tool: tool @ Tool::Crop { .. } }, Some(size)) = (&revision.origin, source)
            && let Some(part) = tool.part(size)
        {
            at = [at[0] - i64::from(part.left), at[1] - i64::from(part.top)];
        }
    }
    layers.reverse();
    layers
}

/// A file of layers, the first one lowest. The merged picture is the last layer.
///
/// # Errors      no layer, or a picture cannot be encoded
pub fn open_raster(layers: &[(Layer, Picture)]) -> Result<Vec<u8>> {
    let (_, last) = layers.last().ok_or_else(|| Error::Layers("there is none".to_owned()))?;
    let (width, height) = (last.width(), last.height());
    let failed = |e: zip::result::ZipError| Error::Layers(e.to_string());
    let written = |e: std::io::Error| Error::Layers(e.to_string());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // Pictures are packed already.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut put = |name: &str, bytes: &[u8]| {
        zip.start_file(name, options).map_err(failed)?;
        zip.write_all(bytes).map_err(written)
    };
    put("mimetype", b"image/openraster")?;
    let mut stack =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<image version=\"0.0.3\" w=\"{width}\" h=\"{height}\">\n <stack>\n");
    // What shines through the last one is not to be seen.
    let covers = is_opaque(last);
    for (i, (layer, picture)) in layers.iter().enumerate().rev() {
        let shows = i + 1 == layers.len() || covers && layer.at == [0, 0] && [picture.width(), picture.height()] == [width, height];
        let _ = writeln!(
            stack,
            "  <layer name=\"{}\" src=\"data/layer{i:03}.png\" x=\"{}\" y=\"{}\" opacity=\"1.0\" visibility=\"{}\" composite-op=\"svg:src-over\"/>",
            escaped(&layer.name).replace('\n', " "),
            layer.at[0],
            layer.at[1],
            if shows { "visible" } else { "hidden" },
        );
        put(&format!("data/layer{i:03}.png"), &imaging::encode(&picture.in_srgb(), Format::Png)?)?;
    }
    stack.push_str(" </stack>\n</image>\n");
    put("stack.xml", stack.as_bytes())?;
    put("mergedimage.png", &imaging::encode(&last.in_srgb(), Format::Png)?)?;
    put("Thumbnails/thumbnail.png", &imaging::encode(&thumbnail(last)?, Format::Png)?)?;
    Ok(zip.finish().map_err(failed)?.into_inner())
}

fn is_opaque(picture: &Picture) -> bool {
    match picture.pixels() {
        Pixels::Rgba8(v) => v.as_chunks::<4>().0.iter().all(|p| p[3] == u8::MAX),
        Pixels::Rgba16(v) => v.as_chunks::<4>().0.iter().all(|p| p[3] == u16::MAX),
    }
}

/// At most 256 pixels a side, in 8 bits.
fn thumbnail(picture: &Picture) -> imaging::Result<Picture> {
    let size = [picture.width(), picture.height()];
    imaging::fitted(&Picture::new(size[0], size[1], Pixels::Rgba8(picture.to_rgba8()))?, [THUMBNAIL; 2])
}
