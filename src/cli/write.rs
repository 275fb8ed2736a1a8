//! Pictures into files: what is written beside the pixels, at what quality.

use crate::document::{Begins, Chain};
use crate::export::{self, Found, Switches};
use crate::imaging::{self, Format, Picture, Said};
use anyhow::{Context, Result};
use clap::Args;
use std::path::Path;

/// How a picture is written.
#[derive(Args, Clone, Copy, Debug)]
pub struct Writing {
    /// Of JPEG and WebP, 1 to 100; WebP is lossless without it
    #[arg(long, value_name = "1-100", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: Option<u8>,
    /// Do not say that a model made the picture or a part of it (IPTC `DigitalSourceType`)
    #[arg(long)]
    pub no_mark: bool,
    /// Leave out prompts, seeds and settings
    #[arg(long)]
    pub no_recipe: bool,
    /// Leave out what the camera wrote: time, place, lens
    #[arg(long)]
    pub no_camera: bool,
}

impl Writing {
    pub fn switches(self) -> Switches {
        Switches { mark: !self.no_mark, recipe: !self.no_recipe, camera: !self.no_camera }
    }

    /// By the ending of a file's name.
    pub fn format(self, path: &Path) -> Result<Format> {
        Ok(match (Format::of(path, self.quality.unwrap_or(92))?, self.quality) {
            (Format::WebP, Some(quality)) => Format::WebPLossy(quality),
            (format, _) => format,
        })
    }

    /// Writes a picture that `chain` has made. The file appears whole or not at all.
    pub fn write(self, picture: &Picture, chain: &Chain, path: &Path, format: Format) -> Result<()> {
        let bytes = export::file(picture, chain, format, self.switches(), &|| false)?.context("nothing was encoded")?;
        Ok(imaging::write_whole(path, &bytes)?)
    }
}

/// A picture, and the way to it as its file tells.
pub fn open(path: &Path) -> Result<(Picture, Chain)> {
    let open = || -> imaging::Result<_> {
        let bytes = imaging::read(path)?;
        Ok((imaging::decode(&bytes)?, Found::of(&Said::of(&bytes))))
    };
    let (picture, found) = open().with_context(|| format!("{} cannot be opened", path.display()))?;
    let chain = found.and_then(|f| f.chain).unwrap_or_else(|| Chain::new(Begins::Picture, Vec::new()));
    Ok((picture, chain))
}
