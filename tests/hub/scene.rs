//! What all tests here stand on: a model on the server, a place to put it, and the little patience that a test has.

use crate::server::{Repo, Server};
use pentimento::hub::{Download, Error, Installed, Offer, Patience, Settings, Source, Stop, look_up};
use std::path::Path;
use std::time::Duration;

pub const MODEL: &str = "BLIP3o/BLIP3o-NEXT-SFT-3B";
pub const SIDE: &str = "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers";
pub const NAME: &str = "blip3o-next-sft-3b";
pub const TOKEN: &str = "hf_secret";
/// The large file of [`noise_model`].
pub const WEIGHTS: &str = "model-00001-of-00002.safetensors";

/// The same bytes for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// The small files that the model takes from elsewhere.
pub fn side() -> Repo {
    let mut repo = Repo::new('b')
        .with("scheduler/scheduler_config.json", "{\"flow_shift\": 3.0}")
        .with("transformer/config.json", "{\"num_layers\": 20}")
        .with("vae/config.json", "{\"latent_channels\": 32}")
        .with("vae/diffusion_pytorch_model.safetensors", noise(9, 200_000))
        .with("LICENSE.txt", "NVIDIA's own terms.\nBe kind.\n");
    repo.card = serde_json::json!({"license": "other", "license_name": "nvidia-open"});
    repo
}

/// A repository in the layout of a model, whose weights are noise.
pub fn noise_model(size: usize) -> Repo {
    Repo::new('a')
        .with("config.json", "{}")
        .with("tokenizer.json", noise(1, 150_000))
        .with("model.safetensors.index.json", "{\"weight_map\": {}}")
        .with(WEIGHTS, noise(2, size))
        .with("model-00002-of-00002.safetensors", noise(3, size / 2))
        .with("README.md", "---\nlicense: apache-2.0\n---\n# A model\n")
        .with("optimizer.pt", noise(4, 300_000))
}

/// The small model of the program as a repository, without what others publish.
pub fn real_model() -> (Repo, Repo) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/nano/checkpoint");
    let read = |repo: Repo, path: &str| repo.with(path, std::fs::read(folder.join(path)).unwrap());
    let own = [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
        "vision_tower/config.json",
    ];
    let sides = ["scheduler/scheduler_config.json", "transformer/config.json", "vae/config.json"];
    (own.iter().fold(Repo::new('a'), |r, p| read(r, p)), sides.iter().fold(Repo::new('b'), |r, p| read(r, p)))
}

pub fn server(model: Repo) -> Server {
    let server = Server::start();
    server.has(MODEL, model);
    server.has(SIDE, side());
    server
}

pub fn settings(home: &Path, endpoint: &str) -> Settings {
    let short = Duration::from_millis;
    Settings {
        endpoint: endpoint.to_owned(),
        token: Some(TOKEN.to_owned()),
        offline: false,
        cache: home.join("huggingface/hub"),
        models: home.join("models"),
        patience: Patience { stall: short(300), connect: short(2000), first_wait: short(5), longest_wait: short(1500), tries: 5 },
    }
}

pub fn look(settings: &Settings) -> Result<Offer, Error> {
    look_up(settings, &Source::Listed(NAME.to_owned()), &Stop::default())
}

/// All licences of an offer.
pub fn all(offer: &Offer) -> Vec<String> {
    offer.to_accept().map(|r| r.licence.hash.clone()).collect()
}

/// Fetches with three threads.
pub fn fetch(download: &Download) -> Result<Installed, Error> {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| download.work());
        }
    });
    download.finish()
}

/// Looks up, accepts and fetches.
pub fn get(settings: &Settings) -> Result<Installed, Error> {
    let offer = look(settings)?;
    fetch(&Download::begin(settings, &offer, &all(&offer))?)
}

/// Whether each wanted file of a model's folder is the server's to the last byte.
#[track_caller]
pub fn assert_whole(folder: &Path, repos: &[&Repo]) {
    let mut seen = 0;
    for (path, content, _) in repos.iter().flat_map(|r| &r.files) {
        let here = folder.join(path);
        if here.exists() {
            seen += 1;
            assert!(std::fs::read(&here).unwrap() == **content, "{path} differs");
        }
    }
    assert!(seen >= 8, "{seen} files");
}
