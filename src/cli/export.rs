//! `pentimento export`: a picture of a project, or a picture file, into another file.

use super::write::{self, Writing};
use crate::document::{Document, Origin, RevisionId};
use crate::export;
use crate::imaging::{self, Picture};
use crate::project::{self, Project};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The most memory that a project's steps may take.
const MOST_BYTES: u64 = 8 << 30;

/// What `export` is told.
#[derive(Args, Debug)]
pub struct ExportArguments {
    /// A project (.pentimento) or a picture
    pub file: PathBuf,
    /// Where it goes: .png, .jpg, .webp, .tif, .ora (a layer for each picture on the way) or .json (the recipe alone)
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// Of a project: which picture, by its number; the one that was looked at if left out
    #[arg(long, value_name = "N")]
    pub revision: Option<u32>,
    #[command(flatten)]
    pub writing: Writing,
}

pub fn export(arguments: &ExportArguments) -> Result<ExitCode> {
    let ExportArguments { file, out, revision, writing } = arguments;
    let ending = out.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_project = file.extension().is_some_and(|e| e == project::ENDING);
    let format = if matches!(ending.as_str(), "ora" | "json") { None } else { Some(writing.format(out)?) };
    let (document, project, id, chain);
    if is_project {
        let opened = Project::open_read_only(file)?;
        document = opened.document_without_pictures(MOST_BYTES)?;
        let current = document.current().map(|r| r.id);
        id = revision.map(RevisionId).or(current).with_context(|| format!("there is no picture in {}", file.display()))?;
        chain = document.chain(id).with_context(|| format!("there is no picture {} in {}", id.0, file.display()))?;
        project = Some(opened);
    } else {
        if revision.is_some() {
            bail!("{} is a picture, which has no revisions", file.display());
        }
        let (picture, found) = write::open(file)?;
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut one = Document::default();
        id = one.record(None, Origin::Opened { name }, picture);
        (document, project, chain) = (one, None, found);
    }
    let picture = |id: RevisionId| -> Result<Picture> {
        let here = document.revision(id).and_then(|r| r.picture.here().cloned());
        match (here, &project) {
            (Some(picture), _) => Ok(picture),
            (None, Some(project)) => Ok(project.picture(id)?),
            (None, None) => bail!("the picture is not there"),
        }
    };
    match format {
        Some(format) => writing.write(&picture(id)?, &chain, out, format)?,
        None if ending == "json" => write_text(out, &chain.to_json())?,
        None => {
            let layers = export::layers_of(&document, id);
            let layers = layers.into_iter().map(|layer| Ok((picture(layer.id)?, layer))).collect::<Result<Vec<_>>>()?;
            let layers: Vec<_> = layers.into_iter().map(|(picture, layer)| (layer, picture)).collect();
            imaging::write_whole(out, &export::open_raster(&layers)?)?;
        }
    }
    eprintln!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    Ok(imaging::write_whole(path, text.as_bytes())?)
}
