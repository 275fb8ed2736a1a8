//! The lane that reads, decodes, cuts, encodes and writes, and that talks to the clipboard.

use super::keeping::Keeper;
use super::{Command, Event, ModelFacts, Thumbnail, Up, now, recipes};
use crate::export::{self, Found};
use crate::imaging::{self, Filter, Mask, Picture, Pyramid, Said};
use crate::pipeline::estimate;
use crate::pipeline::load::Checkpoint;
use crate::places;
use crate::recipe::{ModelId, file_name};
use crossbeam_channel::Receiver;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the settings' file in its folder.
pub const SETTINGS_FILE: &str = "settings.json";

/// Works until the window is gone.
pub(super) fn run(commands: &Receiver<Command>, up: &Up) {
    let mut clipboard = Clipboard::default();
    let mut keeper = Keeper::default();
    for command in commands {
        // A decoder that panics on a stranger's file must not take the lane with it.
        let told = command.clone();
        if catch_unwind(AssertUnwindSafe(|| work(command, &mut clipboard, &mut keeper, up))).is_err() {
            broke_off(told, up);
        }
    }
}

fn work(command: Command, clipboard: &mut Clipboard, keeper: &mut Keeper, up: &Up) {
    match command {
        Command::Open(path) => {
            let bytes = imaging::read(&path);
            let found = bytes.as_ref().ok().and_then(|bytes| Found::of(&Said::of(bytes)));
            let result = bytes.and_then(|bytes| imaging::decode(&bytes)).map(with_screen).map_err(|e| e.to_string());
            let found = found.filter(|_| result.is_ok());
            up.send(Event::Opened { name: file_name(&path), at: now(), result });
            if let Some(found) = found {
                up.send(Event::FoundRecipe { name: file_name(&path), found: Box::new(found) });
            }
        }
        Command::OpenBuiltIn { name, bytes } => {
            let result = imaging::decode(bytes).map(with_screen).map_err(|e| e.to_string());
            up.send(Event::Opened { name: name.to_owned(), at: now(), result });
        }
        Command::OpenExamples(pictures) => {
            let thumbnails: Result<Vec<_>, _> = pictures.into_iter().map(|bytes| imaging::decode(bytes).map(|p| thumbnail(&p))).collect();
            up.send(Event::Examples(thumbnails.unwrap_or_default()));
        }
        Command::OpenMask { path, size } => up.send(Event::MaskOpened(open_mask(&path, size))),
        Command::SaveMask { mask, path } => {
            let result = mask.to_picture().and_then(|grey| imaging::save(&grey, &path, imaging::Format::Png)).map_err(|e| e.to_string());
            up.send(Event::Exported { path, result });
        }
        Command::Export { picture, path, format, chain, switches } => {
            let encoded = export::file(&picture, &chain, format, switches, &|| false).map(Option::unwrap_or_default);
            let result = encoded.and_then(|bytes| imaging::write_whole(&path, &bytes)).map_err(|e| with_hint(&e));
            up.send(Event::Exported { path, result });
        }
        Command::ExportLayers { path, layers } => {
            let layers = layers.into_iter().map(|(layer, here)| {
                let picture = here.map_or_else(|| keeper.picture(layer.id), Ok)?;
                Ok((layer, picture))
            });
            let encoded = layers.collect::<Result<Vec<_>, String>>().and_then(|l| export::open_raster(&l).map_err(|e| e.to_string()));
            let result = encoded.and_then(|bytes| imaging::write_whole(&path, &bytes).map_err(|e| with_hint(&e)));
            up.send(Event::Exported { path, result });
        }
        Command::LookAt(model) => {
            let facts = look_at(&model);
            up.send(Event::Model { model, facts });
        }
        Command::EstimateConversion { model, out } => {
            let result = estimate(&model, &out).map_err(|e| e.to_string());
            up.send(Event::ConversionEstimated { model, result });
        }
        Command::Copy(picture) => up.send(Event::Copied(clipboard.copy(&picture))),
        Command::Paste => match clipboard.paste() {
            Pasted::Picture(result) => up.send(Event::Opened { name: String::new(), at: now(), result: result.map(with_screen) }),
            Pasted::Files(paths) => up.send(Event::ChosenOpen(paths)),
            Pasted::Text(text) => up.send(Event::PastedText(text)),
            Pasted::Nothing => {}
        },
        recipe @ (Command::ReadRecipe(_)
        | Command::SaveRecipe { .. }
        | Command::FindPhotos(_)
        | Command::SaveReplayed(_)
        | Command::OpenReplayed { .. }
        | Command::DropReplayed(_)) => recipes::work(recipe, up),
        Command::Fetch(id) => keeper.fetch(id, up),
        Command::OpenProject(path) => keeper.open(&path, up),
        Command::SaveProject { path, document, thumbnails, state } => keeper.save_as(&path, &document, &thumbnails, &state, up),
        change @ (Command::Record { .. }
        | Command::SetCurrent { .. }
        | Command::Rename { .. }
        | Command::Star { .. }
        | Command::Prune(_)
        | Command::SaveState(_)) => keeper.keep(change, up),
        Command::SaveSettings(text) => {
            if let Err(why) = save_settings(&text) {
                up.send(Event::SettingsNotSaved(why));
            }
        }
        // These have lanes of their own.
        Command::Submit(_)
        | Command::Cancel(_)
        | Command::FinishEarly(_)
        | Command::Forecast(_)
        | Command::Convert(_)
        | Command::CancelConversion
        | Command::Upscale { .. }
        | Command::CancelUpscale(_)
        | Command::Replay(_)
        | Command::ListDevices
        | Command::BeginDialogsIn(_)
        | Command::AskOpen
        | Command::AskSave { .. }
        | Command::AskFolder
        | Command::AskOpenMask
        | Command::AskSaveMask
        | Command::AskRecipe
        | Command::AskSaveRecipe { .. }
        | Command::AskPhotos
        | Command::AskResults
        | Command::Adjust { .. }
        | Command::Change { .. }
        | Command::MeasureExport(_)
        | Command::StopMeasuring
        | Command::Compare { .. }
        | Command::HeatMap { .. }
        | Command::FindChange { .. }
        | Command::ShapeMask { .. }
        | Command::Draw(_)
        | Command::Prepare { .. }
        | Command::ListModels(_)
        | Command::LookUpModel(_)
        | Command::GetModel { .. }
        | Command::ResumeGet(_)
        | Command::PauseGet
        | Command::CancelGet(_)
        | Command::VerifyModel(_)
        | Command::RemoveModel { .. }
        | Command::RemoveConverted(_) => {}
    }
}

/// Answers a command whose work panicked.
fn broke_off(command: Command, up: &Up) {
    let why = || "the file made the program stumble; please report it".to_owned();
    match command {
        Command::Open(path) => up.send(Event::Opened { name: file_name(&path), at: now(), result: Err(why()) }),
        Command::OpenBuiltIn { name, .. } => up.send(Event::Opened { name: name.to_owned(), at: now(), result: Err(why()) }),
        Command::Paste => up.send(Event::Opened { name: String::new(), at: now(), result: Err(why()) }),
        Command::OpenMask { .. } => up.send(Event::MaskOpened(Err(why()))),
        Command::Export { path, .. } | Command::ExportLayers { path, .. } | Command::SaveMask { path, .. } => {
            up.send(Event::Exported { path, result: Err(why()) });
        }
        Command::ReadRecipe(path) => up.send(Event::RecipeRead { name: file_name(&path), result: Err(why()) }),
        Command::SaveRecipe { path, .. } => up.send(Event::RecipeSaved { path, result: Err(why()) }),
        Command::FindPhotos(_) => up.send(Event::PhotosFound(Vec::new())),
        Command::SaveReplayed(wish) => up.send(Event::ReplaySaved { id: wish.id, result: Err(why()) }),
        Command::OpenReplayed { id, .. } => up.send(Event::ReplayOpened { id, result: Err(why()) }),
        Command::LookAt(model) => up.send(Event::Model { model, facts: Err(why()) }),
        Command::EstimateConversion { model, .. } => up.send(Event::ConversionEstimated { model, result: Err(why()) }),
        Command::Copy(_) => up.send(Event::Copied(Err(why()))),
        Command::Fetch(id) => up.send(Event::Fetched { id, result: Err(why()) }),
        Command::OpenProject(_) => up.send(Event::Project(Err(why()))),
        Command::Record { .. }
        | Command::SetCurrent { .. }
        | Command::Rename { .. }
        | Command::Star { .. }
        | Command::Prune(_)
        | Command::SaveState(_) => up.send(Event::NotKept(why())),
        _ => {}
    }
}

/// With what to do, where something can be done.
pub(super) fn with_hint(error: &imaging::Error) -> String {
    let hint = if error.is_disk_full() { "; make room or choose another disk" } else { "" };
    format!("{error}{hint}")
}

fn with_screen(picture: Picture) -> (Picture, Arc<Pyramid>, Thumbnail) {
    let (pyramid, thumbnail) = for_screen(&picture);
    (picture, pyramid, thumbnail)
}

/// A selection from a picture: white is inside. One of another size is stretched if it has the picture's shape.
fn open_mask(path: &Path, size: [u32; 2]) -> Result<Mask, String> {
    let said = |e: imaging::Error| e.to_string();
    let mask = Mask::from_picture(&imaging::open(path).map_err(said)?).map_err(said)?;
    if mask.size() == size {
        return Ok(mask);
    }
    let [w, h] = mask.size().map(f64::from);
    if (w / h * f64::from(size[1]) / f64::from(size[0]) - 1.0).abs() > 0.01 {
        return Err(format!("it has {} x {} pixels, which is another shape than the picture's {} x {}", w, h, size[0], size[1]));
    }
    mask.stretched(size).map_err(said)
}

/// What the window shows of a picture.
pub(super) fn for_screen(picture: &Picture) -> (Arc<Pyramid>, Thumbnail) {
    (Arc::new(Pyramid::new(picture)), thumbnail(picture))
}

/// The small copy of a picture.
pub(super) fn thumbnail(picture: &Picture) -> Thumbnail {
    let (w, h) = (picture.width(), picture.height());
    let scale = f64::from(Thumbnail::SIDE) / f64::from(w.max(h));
    if scale >= 1.0 {
        return Thumbnail { width: w, height: h, rgba: picture.to_rgba8() };
    }
    let side = |n: u32| ((f64::from(n) * scale).round() as u32).max(1);
    let (width, height) = (side(w), side(h));
    let rgb = imaging::resize_rgb(&picture.to_rgb8(), (w as usize, h as usize), (width as usize, height as usize), Filter::Bilinear);
    let rgba = rgb.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect();
    Thumbnail { width, height, rgba }
}

fn look_at(model: &ModelId) -> Result<ModelFacts, String> {
    let checkpoint = Checkpoint::open(model).map_err(|e| e.to_string())?;
    let (mut values, mut bytes) = (0, 0);
    for part in checkpoint.parts() {
        let summary = checkpoint.summary(part).map_err(|e| e.to_string())?;
        values += summary.values;
        bytes += summary.bytes;
    }
    Ok(ModelFacts {
        can_generate: checkpoint.can_generate().map_err(str::to_owned),
        can_edit: checkpoint.can_edit().map_err(str::to_owned),
        side: checkpoint.configs.side() as u32,
        multiple: checkpoint.configs.vae.compression() as u32,
        shift: checkpoint.configs.shift,
        values,
        bytes,
    })
}

fn save_settings(text: &str) -> Result<(), String> {
    let folder = places::settings().ok_or("there is no place for settings")?;
    let path = folder.join(SETTINGS_FILE);
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(&path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| format!("the settings cannot be kept: {e}: {}", path.display()))
}

/// What was on the clipboard.
#[cfg_attr(not(feature = "gui"), expect(dead_code, reason = "nothing can be pasted without a window"))]
enum Pasted {
    Picture(Result<Picture, String>),
    Files(Vec<PathBuf>),
    Text(String),
    Nothing,
}

/// The system's clipboard, opened when first needed. On X11 it serves what was copied for as long as it lives.
#[derive(Default)]
struct Clipboard {
    #[cfg(feature = "gui")]
    open: Option<arboard::Clipboard>,
}

#[cfg(feature = "gui")]
impl Clipboard {
    fn get(&mut self) -> Result<&mut arboard::Clipboard, String> {
        if self.open.is_none() {
            self.open = Some(arboard::Clipboard::new().map_err(|e| e.to_string())?);
        }
        self.open.as_mut().ok_or_else(|| "the clipboard is not there".to_owned())
    }

    fn copy(&mut self, picture: &Picture) -> Result<(), String> {
        let rgba = picture.to_rgba8();
        let image = arboard::ImageData { width: picture.width() as usize, height: picture.height() as usize, bytes: rgba.as_ref().into() };
        self.get()?.set_image(image).map_err(|e| e.to_string())
    }

    fn paste(&mut self) -> Pasted {
        let Ok(clipboard) = self.get() else { return Pasted::Nothing };
        if let Ok(files) = clipboard.get().file_list()
            && !files.is_empty()
        {
            return Pasted::Files(files);
        }
        if let Ok(image) = clipboard.get_image() {
            let pixels = imaging::Pixels::Rgba8(image.bytes.as_ref().into());
            return Pasted::Picture(Picture::new(image.width as u32, image.height as u32, pixels).map_err(|e| e.to_string()));
        }
        match clipboard.get_text() {
            Ok(text) if !text.is_empty() => Pasted::Text(text),
            _ => Pasted::Nothing,
        }
    }
}

#[cfg(not(feature = "gui"))]
impl Clipboard {
    fn copy(&mut self, _: &Picture) -> Result<(), String> {
        Err("this build has no clipboard".to_owned())
    }

    fn paste(&mut self) -> Pasted {
        Pasted::Nothing
    }
}
