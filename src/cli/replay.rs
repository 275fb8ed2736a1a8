//! `pentimento replay`: the edits of a recipe on many photos.

use super::write::{self, Writing};
use super::{CANCELLED, arguments, cancellation};
use crate::document::{Begins, Chain};
use crate::export;
use crate::hub;
use crate::imaging::{self, Format, Picture};
use crate::pipeline::{Observer, Settings};
use crate::places;
use crate::recipe::ModelId;
use crate::replay::{self, FindModel, OwnEngine, SHEET_SIDE, Witness, contact_sheet};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `replay` is told.
#[derive(Args, Debug)]
pub struct ReplayArguments {
    /// A recipe: a JSON file, or a picture that was exported with one
    pub recipe: PathBuf,
    /// The photos; none where the recipe begins with words
    pub photos: Vec<PathBuf>,
    /// The folder for the results and their contact sheet
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// The model to use in place of the recipe's own
    #[arg(long, value_name = "nano|FOLDER")]
    pub model: Option<String>,
    /// What the results are written as; like each photo if left out
    #[arg(long, value_name = "png|jpg|webp|tif")]
    pub format: Option<String>,
    /// What computes
    #[arg(long, value_enum, default_value_t = arguments::Device::Auto)]
    pub device: arguments::Device,
    #[command(flatten)]
    pub memory: arguments::Memory,
    #[command(flatten)]
    pub writing: Writing,
    /// A JSON line for each photo on stdout
    #[arg(long)]
    pub json: bool,
}

struct Watch(Arc<AtomicBool>);

impl Observer for Watch {
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Witness for Watch {}

pub fn replay(arguments: &ReplayArguments) -> Result<ExitCode> {
    let mut watch = Watch(cancellation()?);
    let chain = export::read_recipe(&arguments.recipe).with_context(|| format!("{} cannot be used", arguments.recipe.display()))?;
    let photos: Vec<Option<&Path>> = match (chain.begins, arguments.photos.is_empty()) {
        (Begins::Words, true) => vec![None],
        (Begins::Words, false) => bail!("the recipe makes a picture from words and has no use for photos"),
        (Begins::Picture, true) => bail!("the recipe changes a picture; name the photos that it is for"),
        (Begins::Picture, false) => arguments.photos.iter().map(|p| Some(p.as_path())).collect(),
    };
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("{} cannot be made", arguments.out.display()))?;
    let settings = Settings {
        device: arguments.device.into(),
        plan: arguments.memory.choice(),
        memory: arguments.memory.limit,
        cache: places::cache(),
        ..Settings::default()
    };
    let mut painter = OwnEngine::new(settings, finder(arguments.model.as_deref()));
    let mut names = BTreeSet::from(["contact-sheet.png".to_owned()]);
    let (mut small, mut failed) = (Vec::new(), 0);
    for (i, photo) in photos.iter().enumerate() {
        let result = one(&mut painter, &chain, *photo, arguments, &mut names, &mut watch);
        let shown = photo.unwrap_or(&arguments.recipe).display().to_string();
        match result {
            Ok(Some((picture, path))) => {
                if arguments.json {
                    println!("{}", json!({"event": "done", "photo": shown, "file": path}));
                } else {
                    eprintln!("{} of {}: {}", i + 1, photos.len(), path.display());
                }
                // Only what the sheet shows is kept.
                small.push(Some(shrunk(&picture)?));
            }
            Ok(None) => {
                eprintln!("cancelled; {} of {} are done", small.iter().flatten().count(), photos.len());
                return Ok(ExitCode::from(CANCELLED));
            }
            // One broken photo costs only itself.
            Err(error) => {
                let sentence = format!("{error:#}");
                if arguments.json {
                    println!("{}", json!({"event": "failed", "photo": shown, "message": sentence}));
                }
                eprintln!("pentimento: {shown}: {sentence}");
                failed += 1;
                small.push(None);
            }
        }
    }
    if photos.len() > 1 {
        let path = arguments.out.join("contact-sheet.png");
        imaging::save(&contact_sheet(&small)?, &path, Format::Png)?;
        if arguments.json {
            println!("{}", json!({"event": "sheet", "file": path}));
        } else {
            eprintln!("{}", path.display());
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(
    painter: &mut OwnEngine,
    chain: &Chain,
    photo: Option<&Path>,
    arguments: &ReplayArguments,
    names: &mut BTreeSet<String>,
    watch: &mut Watch,
) -> Result<Option<(Picture, PathBuf)>> {
    let source = photo.map(write::open).transpose()?;
    let Some(picture) = replay::replay(chain, source.as_ref().map(|(picture, _)| picture), painter, watch)? else { return Ok(None) };
    // What was done to the photo before belongs to its way.
    let mut whole = source.map_or_else(|| Chain::new(chain.begins, Vec::new()), |(_, before)| before);
    whole.edits.extend(chain.edits.iter().cloned());
    let from = photo.unwrap_or(&arguments.recipe);
    let stem = from.file_stem().map_or_else(|| "picture".to_owned(), |s| s.to_string_lossy().into_owned());
    let own = || Format::of(from, 92).map_or("png", Format::ending).to_owned();
    let ending = arguments.format.clone().unwrap_or_else(own);
    let name = (1..).map(|n| if n == 1 { format!("{stem}.{ending}") } else { format!("{stem}-{n}.{ending}") });
    let name = name.into_iter().find(|name| names.insert(name.to_lowercase())).unwrap_or_default();
    let path = arguments.out.join(name);
    // Beside the photo itself nothing is written over.
    if photo.is_some_and(|photo| photo.canonicalize().is_ok_and(|photo| path.canonicalize().is_ok_and(|path| path == photo))) {
        bail!("the result would take the place of the photo; choose another folder");
    }
    arguments.writing.write(&picture, &whole, &path, arguments.writing.format(&path)?)?;
    Ok(Some((picture, path)))
}

fn shrunk(picture: &Picture) -> Result<Picture> {
    Ok(imaging::fitted(picture, [SHEET_SIDE; 2])?)
}

/// By the name that a recipe knows: the model that is asked for, the small one, or one of those that are here.
fn finder(asked: Option<&str>) -> FindModel {
    let asked = asked.map(ModelId::parse);
    Box::new(move |wanted| {
        if let Some(asked) = &asked {
            return Some(asked.clone());
        }
        if *wanted == ModelId::Nano {
            return Some(ModelId::Nano);
        }
        let settings = hub::Settings::from_environment(places::models()?, places::home().as_deref()).ok()?;
        let installed = hub::Shelf::new(&settings).find(&wanted.name()).ok()?;
        Some(ModelId::Folder(installed.folder))
    })
}
