//! The cache between us and Python's `huggingface_hub`: each reads what the other wrote.

use crate::kill::program;
use crate::scene::{MODEL, NAME, SIDE, assert_whole, get, noise_model, server, settings, side};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python that has `huggingface_hub`: the system's, or one of our own below the build folder.
fn python() -> Option<PathBuf> {
    let has = |python: &Path| Command::new(python).args(["-c", "import huggingface_hub"]).output().is_ok_and(|done| done.status.success());
    let system = PathBuf::from("python3");
    if has(&system) {
        return Some(system);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("huggingface");
    let own = folder.join("bin/python");
    if !has(&own) {
        let made = Command::new(&system).args(["-m", "venv"]).arg(&folder).output();
        let fetched = Command::new(&own).args(["-m", "pip", "install", "--quiet", "--retries", "1", "huggingface_hub"]).output();
        if !has(&own) {
            println!("skipped: huggingface_hub is not here and cannot be installed: {made:?} {fetched:?}");
            return None;
        }
    }
    Some(own)
}

/// Runs a script that prints one line.
fn ask(python: &Path, cache: &Path, endpoint: &str, script: &str) -> String {
    let mut command = Command::new(python);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_HOME", "HF_TOKEN"] {
        command.env_remove(name);
    }
    command.env("HF_HUB_CACHE", cache).env("HF_ENDPOINT", endpoint).env("HF_HUB_DISABLE_TELEMETRY", "1").env("HF_HUB_DISABLE_XET", "1");
    let done = command.args(["-c", script]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
fn python_reads_what_we_wrote() {
    let Some(python) = python() else { return };
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(300_000)));
    let settings = settings(home.path(), &server.endpoint);
    get(&settings).unwrap();
    let script = format!(
        "from huggingface_hub import snapshot_download, try_to_load_from_cache, scan_cache_dir\n\
         assert isinstance(try_to_load_from_cache('{SIDE}', 'vae/config.json'), str)\n\
         scan = scan_cache_dir()\n\
         assert not scan.warnings, scan.warnings\n\
         assert len(scan.repos) == 2 and all(not b.blob_path.name.endswith('incomplete') for r in scan.repos for v in r.revisions for b in v.files)\n\
         print(snapshot_download('{MODEL}', local_files_only=True))"
    );
    let asked = server.asked().len();
    let folder = ask(&python, &settings.cache, &server.endpoint, &script);
    assert!(folder.ends_with(&"a".repeat(40)), "{folder}");
    for (path, content, _) in noise_model(300_000).files.iter().filter(|f| f.0 != "optimizer.pt") {
        assert!(std::fs::read(Path::new(&folder).join(path)).unwrap() == **content, "{path}");
    }
    // Asked for the rest, it fetches that alone.
    let script = format!("from huggingface_hub import snapshot_download\nprint(snapshot_download('{MODEL}'))");
    ask(&python, &settings.cache, &server.endpoint, &script);
    let fetched: Vec<String> = server.asked()[asked..].iter().filter(|a| !a.site && a.method == "GET").map(|a| a.path.clone()).collect();
    assert!(fetched.len() == 1 && fetched[0].ends_with("optimizer.pt"), "{fetched:?}");
}

#[test]
fn we_read_what_python_wrote() {
    let Some(python) = python() else { return };
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(300_000)));
    let cache = home.path().join("huggingface/hub");
    let script = format!("from huggingface_hub import snapshot_download\nsnapshot_download('{SIDE}')\nprint(snapshot_download('{MODEL}'))");
    ask(&python, &cache, &server.endpoint, &script);
    let sent = server.sent();
    // Without the net, from the cache alone.
    let done =
        program(home.path(), &server.endpoint).env("HF_HUB_OFFLINE", "1").args(["models", "get", NAME, "--accept-licences"]).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(server.sent(), sent);
    assert_whole(&home.path().join("models").join(NAME), &[&noise_model(300_000), &side()]);
    // With it, nothing that is here is fetched again: only licences are read.
    let asked = server.asked().len();
    let done = program(home.path(), &server.endpoint).args(["models", "get", NAME]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let fetched: Vec<String> =
        server.asked()[asked..].iter().filter(|a| !a.site || a.path.contains("/resolve/")).map(|a| a.path.clone()).collect();
    assert!(fetched.len() == 1 && fetched[0].ends_with("LICENSE.txt"), "{fetched:?}");
}
