//! Where models are looked for and kept: the variables that every tool of Hugging Face reads, and our own folder.

use std::env::{var, var_os};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for a server, and how often to try.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Nothing arrives for so long: the connection is given up.
    pub stall: Duration,
    pub connect: Duration,
    /// Before the second try; doubled for each one that follows, up to `longest_wait`.
    pub first_wait: Duration,
    /// Also the longest that a server may ask for.
    pub longest_wait: Duration,
    /// Tries in a row in which not a byte arrives.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            connect: Duration::from_secs(20),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_mins(2),
            tries: 8,
        }
    }
}

/// Everything that this room takes from outside.
#[derive(Clone)]
pub struct Settings {
    /// Where repositories are, without a slash at the end.
    pub endpoint: String,
    /// Sent to the endpoint's host and to no other.
    pub token: Option<String>,
    /// Nothing may connect.
    pub offline: bool,
    /// The cache that all tools of Hugging Face share.
    pub cache: PathBuf,
    /// Our own folder: models ready to be opened, what is unfinished, accepted licences.
    pub models: PathBuf,
    pub patience: Patience,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is left out.
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// From the environment: `HF_ENDPOINT`, `HF_TOKEN` or the file of a log-in, `HF_HUB_OFFLINE`, `HF_HUB_CACHE`, `HF_HOME`.
    /// `models` is our folder; `home` is where the cache goes if no variable says so (`None`: the place that all tools share).
    ///
    /// # Errors      there is no home folder
    pub fn from_environment(models: PathBuf, home: Option<&Path>) -> super::Result<Self> {
        let path = |name: &str| var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let usual = || {
            let caches = path("XDG_CACHE_HOME").or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        };
        let home = path("HF_HOME").or_else(|| home.map(|home| home.join("huggingface"))).or_else(usual).ok_or(super::Error::NoPlace)?;
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| home.join("hub"));
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = var("HF_TOKEN").or_else(|_| var("HUGGING_FACE_HUB_TOKEN")).or_else(|_| std::fs::read_to_string(token_file)).ok();
        let token = token.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty() && t.chars().all(|c| c.is_ascii_graphic()));
        let endpoint = var("HF_ENDPOINT").ok().filter(|e| !e.trim().is_empty()).unwrap_or_else(|| "https://huggingface.co".to_owned());
        let says_yes = |name: &str| var(name).is_ok_and(|v| matches!(v.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"));
        Ok(Self {
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            token,
            offline: says_yes("HF_HUB_OFFLINE") || says_yes("TRANSFORMERS_OFFLINE"),
            cache,
            models,
            patience: Patience::default(),
        })
    }

    /// Texts of licences that a person has accepted.
    pub(super) fn licences(&self) -> PathBuf {
        self.models.join("licences")
    }
}
