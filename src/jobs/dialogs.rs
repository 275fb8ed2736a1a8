//! The lane that waits for the system's file dialogs, so that the window need not.

use super::{Command, Event, Up};
use crossbeam_channel::Receiver;
use std::path::Path;
use std::time::{Duration, Instant};

/// Nobody closes a dialog that fast: it was never there.
const NEVER_SHOWN: Duration = Duration::from_millis(200);

/// Works until the window is gone.
pub(super) fn run(commands: &Receiver<Command>, up: &Up) {
    let mut folder = None;
    for command in commands {
        if let Command::BeginDialogsIn(place) = command {
            folder = place;
            continue;
        }
        if !are_there() {
            up.send(Event::NoDialogs(Box::new(command)));
            continue;
        }
        let started = Instant::now();
        let answer = ask(&command, folder.as_deref());
        let silent = match &answer {
            Some(Event::ChosenOpen(paths) | Event::ChosenPhotos(paths)) => paths.is_empty(),
            Some(
                Event::ChosenSave(path)
                | Event::ChosenFolder(path)
                | Event::ChosenOpenMask(path)
                | Event::ChosenSaveMask(path)
                | Event::ChosenRecipe(path)
                | Event::ChosenSaveRecipe(path)
                | Event::ChosenResults(path),
            ) => path.is_none(),
            _ => true,
        };
        match answer {
            Some(answer) if !(silent && started.elapsed() < NEVER_SHOWN) => up.send(answer),
            _ => up.send(Event::NoDialogs(Box::new(command))),
        }
    }
}

/// Whether the system has dialogs. `PENTIMENTO_DIALOGS=own` says no.
fn are_there() -> bool {
    if std::env::var_os("PENTIMENTO_DIALOGS").is_some_and(|v| v == "own") || cfg!(not(feature = "gui")) {
        return false;
    }
    if cfg!(not(all(unix, not(target_os = "macos")))) {
        return true;
    }
    // A portal is reached through the session bus; without it, zenity.
    let on_path =
        |name: &str| std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|folder| folder.join(name).is_file()));
    std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some() || on_path("zenity")
}

#[cfg(feature = "gui")]
fn ask(command: &Command, folder: Option<&Path>) -> Option<Event> {
    use crate::imaging::ENDINGS;
    // A folder that is gone would be an error on some systems.
    let dialog = || match folder.filter(|folder| folder.is_dir()) {
        Some(folder) => rfd::FileDialog::new().set_directory(folder),
        None => rfd::FileDialog::new(),
    };
    match command {
        Command::AskOpen => {
            let paths = dialog().set_title("Open a picture").add_filter("Pictures", &ENDINGS).pick_files();
            Some(Event::ChosenOpen(paths.unwrap_or_default()))
        }
        Command::AskSave { name } => {
            let dialog = dialog().set_title("Export the picture").set_file_name(name);
            let dialog = dialog
                .add_filter("PNG", &["png"])
                .add_filter("JPEG", &["jpg", "jpeg"])
                .add_filter("WebP", &["webp"])
                .add_filter("TIFF", &["tif", "tiff"]);
            let dialog = dialog.add_filter("OpenRaster", &["ora"]);
            Some(Event::ChosenSave(dialog.save_file()))
        }
        Command::AskFolder => Some(Event::ChosenFolder(rfd::FileDialog::new().set_title("Choose a model's folder").pick_folder())),
        Command::AskOpenMask => {
            let dialog = dialog().set_title("Open a selection").add_filter("Pictures", &ENDINGS);
            Some(Event::ChosenOpenMask(dialog.pick_file()))
        }
        Command::AskSaveMask => {
            let dialog = dialog().set_title("Save the selection").set_file_name("selection.png");
            Some(Event::ChosenSaveMask(dialog.add_filter("PNG", &["png"]).save_file()))
        }
        Command::AskRecipe => {
            let kinds: Vec<&str> = ENDINGS.into_iter().chain(["json"]).collect();
            let dialog = rfd::FileDialog::new().set_title("Choose a recipe, or a picture that has one");
            Some(Event::ChosenRecipe(dialog.add_filter("Recipes and pictures", &kinds).pick_file()))
        }
        Command::AskSaveRecipe { name } => {
            let dialog = rfd::FileDialog::new().set_title("Save the recipe").set_file_name(name);
            Some(Event::ChosenSaveRecipe(dialog.add_filter("Recipe", &["json"]).save_file()))
        }
        Command::AskPhotos => {
            let dialog = rfd::FileDialog::new().set_title("Choose photos").add_filter("Pictures", &ENDINGS);
            Some(Event::ChosenPhotos(dialog.pick_files().unwrap_or_default()))
        }
        Command::AskResults => Some(Event::ChosenResults(rfd::FileDialog::new().set_title("A folder for the results").pick_folder())),
        _ => None,
    }
}

#[cfg(not(feature = "gui"))]
fn ask(_: &Command, _: Option<&Path>) -> Option<Event> {
    None
}
