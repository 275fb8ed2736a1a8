//! Where things are kept. `PENTIMENTO_HOME` puts all of it into one folder, for tests and portable use.

use std::path::PathBuf;

fn place(name: &str, of: impl FnOnce(&directories::ProjectDirs) -> PathBuf) -> Option<PathBuf> {
    match std::env::var_os("PENTIMENTO_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Some(PathBuf::from(home).join(name)),
        None => directories::ProjectDirs::from("", "", "pentimento").as_ref().map(of),
    }
}

/// What can be made again at any time: preview maps.
pub fn cache() -> Option<PathBuf> {
    place("cache", |dirs| dirs.cache_dir().to_owned())
}

/// What a person has made and not put elsewhere: the project that is open by itself.
pub fn projects() -> Option<PathBuf> {
    place("projects", |dirs| dirs.data_local_dir().to_owned())
}

/// Models that were fetched.
pub fn models() -> Option<PathBuf> {
    place("models", |dirs| dirs.data_local_dir().join("models"))
}

/// The one folder for everything, where there is one.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("PENTIMENTO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The person's own folder.
pub fn user() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

/// Settings of the window.
pub fn settings() -> Option<PathBuf> {
    place("config", |dirs| dirs.config_dir().to_owned())
}

/// The program that computes on graphics cards by CUDA, beside this one or in the data folder. It is one of its own because
/// it does not start where the driver is missing.
pub fn cuda_worker() -> Option<PathBuf> {
    let name = format!("pentimento-cuda{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    let installed = place("programs", |dirs| dirs.data_local_dir().join("programs")).map(|folder| folder.join(&name));
    [beside, installed].into_iter().flatten().find(|path| path.is_file())
}
