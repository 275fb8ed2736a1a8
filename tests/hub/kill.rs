//! The real program, killed while it fetches: what arrives in the end is what the server has.

use crate::scene::{MODEL, NAME, TOKEN, WEIGHTS, assert_whole, noise, noise_model, server, side};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub fn program(home: &Path, endpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pentimento"));
    for name in ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN_PATH"] {
        command.env_remove(name);
    }
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.env("PENTIMENTO_HOME", home).env("HF_ENDPOINT", endpoint).env("HF_TOKEN", TOKEN).current_dir(home);
    command
}

/// `PENTIMENTO_KILLS` says how often; usually 50 times.
#[test]
fn a_download_that_is_killed_again_and_again_ends_whole() {
    const SIZE: usize = 60_000_000;
    let kills: u32 = std::env::var("PENTIMENTO_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(SIZE)));
    let bytes = SIZE as u64 * 3 / 2;
    // So that the kills together take about half of it.
    server.set_speed(1_500_000);
    let chance = noise(77, 4 * kills as usize);
    let folder = home.path().join("models").join(NAME);
    for (n, chance) in chance.iter().enumerate().take(kills as usize) {
        let arguments = ["models", "get", if n == 0 { MODEL } else { NAME }, "--accept-licences"];
        let mut running =
            program(home.path(), &server.endpoint).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + u64::from(*chance) * 3 / 2));
        running.kill().unwrap();
        running.wait().unwrap();
        assert!(!folder.exists(), "it is ready too early");
    }
    let resumed = server.asked().iter().filter(|a| a.path.ends_with(WEIGHTS) && a.range.is_some_and(|r| r > 0)).count();
    let before = server.sent();
    println!("{kills} kills, {resumed} times gone on with the large file, {before} of {bytes} bytes sent by then");
    assert!(resumed > kills as usize / 4 && before > bytes / 20 && before < bytes, "the kills fell beside the fetching");
    server.set_speed(0);
    let done = program(home.path(), &server.endpoint).args(["models", "get", NAME]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_whole(&folder, &[&noise_model(SIZE), &side()]);
    // Little more was sent than there is: what had arrived was kept, and lost only what was under way at a kill.
    let lost = server.sent().saturating_sub(bytes);
    println!("{lost} bytes were sent twice");
    assert!(lost < u64::from(kills) * 1_000_000 && lost < bytes / 2, "{lost} bytes were sent twice");
    let verified = program(home.path(), &server.endpoint).args(["models", "verify", NAME, "--json"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn the_command_line_leads_through_it() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(300_000)));
    let run = |arguments: &[&str]| {
        let done = program(home.path(), &server.endpoint).arg("models").args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
    };
    let (code, out, _) = run(&["list"]);
    assert!(code == 0 && out.contains("blip3o-next-edit-vae") && out.contains("none"), "{out}");
    assert_eq!(server.asked().len(), 0, "a list asks nobody");
    let (code, out, _) = run(&["info", NAME, "--json"]);
    let offer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &offer["plan"]["repositories"][1]["licence"]["name"]), (0, &serde_json::json!("nvidia-open")));
    let (code, _, err) = run(&["get", NAME]);
    assert!(code == 1 && err.contains("Be kind.") && err.contains("add --accept-licences"), "{err}");
    let (code, out, _) = run(&["get", NAME, "--accept-licences", "--json"]);
    let last: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!((code, &last["event"]), (0, &serde_json::json!("done")));
    let (code, out, _) = run(&["verify", NAME]);
    assert!(code == 0 && out.contains("as they should be"), "{out}");
    let weights = home.path().join("models").join(NAME).join(WEIGHTS).canonicalize().unwrap();
    std::fs::write(weights, "gone bad").unwrap();
    let (code, out, err) = run(&["verify", NAME]);
    assert!(code == 1 && out.contains(&format!("damaged: {WEIGHTS}")) && err.contains("fetches them again"), "{out}{err}");
    assert_eq!(run(&["get", NAME]).0, 0);
    assert_eq!(run(&["verify", NAME]).0, 0);
    let (code, out, _) = run(&["remove", NAME, "--cached"]);
    assert!(code == 0 && out.contains("is removed"), "{out}");
    let (code, _, err) = run(&["get", "what is this"]);
    assert!(code == 1 && err.contains("there is no model"), "{err}");
    let (code, _, err) = run(&["verify", NAME]);
    assert!(code == 1 && err.contains("there is no model"), "{err}");
}
