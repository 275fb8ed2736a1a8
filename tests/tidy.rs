//! Keeps the house in order: who may use whom, where threads and colours may stand, what every file has, and that the
//! README tells the truth about commands. Each rule is a function from text to complaints, and has a canary below.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use clap::Parser as _;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may use whom: a room and what it may name of the others. What is not here is forbidden. `room::part` allows that
/// part alone. Rooms that are not built yet are here so that they begin in order.
const ARROWS: &[(&str, &[&str])] = &[
    ("about", &[]),
    ("places", &[]),
    ("recipe", &[]),
    ("imaging", &[]),
    ("models", &[]),
    ("pipeline", &["models", "imaging", "recipe"]),
    ("hub", &["recipe"]),
    ("document", &["imaging", "recipe"]),
    ("project", &["document", "imaging", "recipe"]),
    ("export", &["document", "imaging", "recipe"]),
    ("replay", &["pipeline", "export", "document", "imaging", "recipe"]),
    ("jobs", &["pipeline", "hub", "project", "replay", "export", "document", "imaging", "recipe", "places"]),
    ("editor", &["jobs", "export", "document", "imaging", "recipe", "about"]),
    ("render", &["imaging"]),
    ("ui", &["editor", "render", "document", "imaging", "recipe"]),
    ("app", &["editor", "jobs", "ui", "render", "places"]),
    ("cli", &["pipeline", "hub", "project", "replay", "export", "document", "imaging", "recipe", "places", "about"]),
    ("main", &["app", "cli", "pipeline::memory", "jobs::worker"]),
    ("cuda", &[]),
];

/// Libraries that only some rooms may name.
const FENCES: &[(&str, &[&str])] = &[
    ("candle_core", &["models", "pipeline"]),
    ("candle_nn", &["models", "pipeline"]),
    ("tokenizers", &["pipeline"]),
    ("safetensors", &["pipeline", "cli"]),
    ("crossbeam_channel", &["jobs"]),
    ("egui", &["ui", "render", "app"]),
    ("eframe", &["ui", "render", "app"]),
    ("wgpu", &["ui", "render", "app"]),
    ("rfd", &["jobs"]),
    ("fluent_bundle", &["ui"]),
    ("sys_locale", &["ui"]),
    ("arboard", &["jobs"]),
    ("libloading", &["models", "pipeline"]),
    ("rusqlite", &["project"]),
    ("ureq", &["hub"]),
    ("anyhow", &["app", "cli", "main"]),
    ("clap", &["cli", "main"]),
];

/// What the top of the repository shows.
const TOP: [&str; 9] = ["Cargo.toml", "Cargo.lock", "README.md", "LICENSE", "src", "assets", "shaders", "packaging", "tests"];

/// Sites that text here may point to.
const SITES: [&str; 13] = [
    "github.com",
    "huggingface.co",
    "arxiv.org",
    "rustup.rs",
    "sh.rustup.rs",
    "developer.nvidia.com",
    "www.apache.org",
    "www.w3.org",
    "www.freedesktop.org",
    // Names of vocabularies in XMP.
    "ns.adobe.com",
    "iptc.org",
    "cv.iptc.org",
    // What tests serve by themselves.
    "127.0.0.1",
];

const LONGEST_FILE: usize = 800;

// ------------------------------------------------------------------------------------------------------------ rules

/// Rust without comments and without what stands in quotes. Line breaks stay.
fn code(text: &str) -> String {
    let (bytes, mut out, mut i) = (text.as_bytes(), String::new(), 0);
    let blank = |from: usize, to: usize, out: &mut String| out.extend(text[from..to].chars().filter(|c| *c == '\n'));
    while i < bytes.len() {
        let rest = &text[i..];
        let after_word = i > 0 && (bytes[i - 1].is_ascii_alphanumeric() || bytes[i - 1] == b'_');
        let raw = rest
            .strip_prefix("br")
            .or_else(|| rest.strip_prefix('r'))
            .filter(|r| !after_word && r.trim_start_matches('#').starts_with('"'));
        let end = if rest.starts_with("//") {
            rest.find('\n').map_or(text.len(), |n| i + n)
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(text.len(), |n| i + n + 2)
        } else if let Some(raw) = raw {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            let close = format!("\"{}", "#".repeat(hashes));
            let open = i + (rest.len() - raw.len()) + hashes + 1;
            text[open..].find(&close).map_or(text.len(), |n| open + n + close.len())
        } else if bytes[i] == b'"' {
            let mut at = i + 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            (at + 1).min(text.len())
        } else if bytes[i] == b'\'' && (rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'')) {
            let skip = if rest.starts_with("'\\") { 3 } else { 1 };
            rest[skip..].find('\'').map_or(text.len(), |n| i + skip + n + 1)
        } else {
            let char = rest.chars().next().unwrap();
            out.push(char);
            i += char.len_utf8();
            continue;
        };
        blank(i, end, &mut out);
        out.push(' ');
        i = end;
    }
    out
}

/// Words and marks.
fn words(code: &str) -> Vec<&str> {
    let (mut out, mut rest) = (Vec::new(), code.trim_start());
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let len = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        out.push(&rest[..len]);
        rest = rest[len..].trim_start();
    }
    out
}

/// All paths that begin at `at`, just behind a `::`, groups in braces written out.
fn paths(words: &[&str], at: &mut usize, prefix: &str, out: &mut Vec<String>) {
    if words.get(*at) == Some(&"{") {
        *at += 1;
        while *at < words.len() && words[*at] != "}" {
            if words[*at] == "," {
                *at += 1;
            } else {
                paths(words, at, prefix, out);
            }
        }
        *at += 1;
        return;
    }
    let mut path = prefix.to_owned();
    while let Some(word) = words.get(*at) {
        let _ = write!(path, "{}{word}", if path.is_empty() { "" } else { "::" });
        *at += 1;
        if words.get(*at) != Some(&"::") {
            break;
        }
        *at += 1;
        if words.get(*at) == Some(&"{") {
            return paths(words, at, &path, out);
        }
        if words.get(*at) == Some(&"<") {
            break;
        }
    }
    out.push(path);
    if words.get(*at) == Some(&"as") {
        *at += 2;
    }
}

/// The room of a file below `src`.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Paths into rooms that this file names: from `crate::`, `pentimento::`, and `super::` up to the top.
fn named(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let words = words(&code);
    let depth = file.trim_end_matches("/mod.rs").matches('/').count() + 1;
    let mut out = Vec::new();
    for i in 0..words.len() {
        let starts = i == 0 || words[i - 1] != "::";
        let mut at = i + 2;
        if starts && matches!(words[i], "crate" | "pentimento") && words.get(i + 1) == Some(&"::") {
            paths(&words, &mut at, "", &mut out);
        } else if starts && words[i] == "super" {
            let ups = words[i..].chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
            at = i + 2 * ups;
            let mut reached = Vec::new();
            if ups >= depth {
                paths(&words, &mut at, "", &mut reached);
            }
            out.extend(reached.into_iter().filter(|path| ARROWS.iter().any(|(name, _)| room(path.split("::").next().unwrap()) == *name)));
        }
    }
    out
}

/// Arrows that are not drawn.
fn arrows(file: &str, text: &str) -> Vec<String> {
    let room = room(file);
    if room == "lib" {
        return Vec::new();
    }
    let Some((_, may)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{file}: the room {room} is not in the table of arrows")];
    };
    let drawn = |path: &str| may.iter().any(|m| path == *m || path.strip_prefix(m).is_some_and(|rest| rest.starts_with("::")));
    let own = |path: &str| path.split("::").next() == Some(room);
    named(file, text).iter().filter(|p| !own(p) && !drawn(p)).map(|p| format!("{file}: {room} may not use crate::{p}")).collect()
}

/// Libraries beyond their fences.
fn fences(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let words = words(&code);
    let mut out = Vec::new();
    for (library, may) in FENCES {
        let names =
            |i: usize| words[i] == *library && words.get(i + 1) == Some(&"::") && (i == 0 || words[i - 1] != "::" && words[i - 1] != ".");
        let used = |i: usize| names(i) || i > 0 && words[i - 1] == "use" && words[i] == *library;
        if !may.contains(&room(file)) && (0..words.len()).any(used) {
            out.push(format!("{file}: {} may not use {library}", room(file)));
        }
    }
    out
}

/// Threads outside their room. Loops that rayon spreads over the cores are no threads of ours.
fn threads(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let words = words(&code);
    let found = |i: usize| {
        words[i] == "thread" && (words.get(i + 1) == Some(&"::") || i > 1 && words[i - 1] == "::" && words[i - 2] == "std")
            || words[i] == "tokio" && words.get(i + 1) == Some(&"::")
            || words[i] == "rayon" && words.get(i + 2) == Some(&"spawn")
    };
    if room(file) != "jobs" && (0..words.len()).any(found) { vec![format!("{file}: a thread outside jobs")] } else { Vec::new() }
}

/// Colours outside the theme.
fn colours(file: &str, text: &str) -> Vec<String> {
    if !matches!(room(file), "ui" | "app") || file == "ui/theme.rs" {
        return Vec::new();
    }
    let code = code(text);
    let words = words(&code);
    let is_constant =
        |w: &str| w.len() > 1 && w.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !matches!(w, "TRANSPARENT" | "PLACEHOLDER");
    let found = |i: usize| match words[i] {
        "Color32" | "Rgba" => {
            words.get(i + 1) == Some(&"::")
                && words.get(i + 2).is_some_and(|w| w.starts_with("from_") || *w == "rgb" || *w == "rgba" || is_constant(w))
        }
        "hex_color" => words.get(i + 1) == Some(&"!"),
        _ => false,
    };
    let lines = (0..words.len()).filter(|i| found(*i)).count();
    if lines > 0 { vec![format!("{file}: {lines} colours outside ui/theme.rs")] } else { Vec::new() }
}

/// What every Rust file has: a word about itself at the top, a length that can be read, a name that says something.
fn manners(file: &str, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let top = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#![")).unwrap_or_default();
    if !top.starts_with("//! ") && !text.contains("#![doc = include_str!(") {
        out.push(format!("{file}: no `//!` at its top"));
    }
    let lines = text.lines().count();
    if lines >= LONGEST_FILE {
        out.push(format!("{file}: {lines} lines, and {LONGEST_FILE} are too many"));
    }
    let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
    if ["utils", "util", "helpers", "common", "misc", "manager"].contains(&stem) {
        out.push(format!("{file}: a name that says nothing"));
    }
    out
}

/// Places on one machine, and sites that are not meant to be named.
fn places(file: &str, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    // Written so that this file does not find itself.
    for place in [["/wo", "rk/"], ["/tmp", "/wt"], ["/ro", "ot/"], ["/home", "/user"], ["../sha", "red"], ["arti", "factory"]] {
        let place = place.concat();
        if text.contains(&place) {
            out.push(format!("{file}: names {place}, which is nowhere else"));
        }
    }
    for (i, _) in text.match_indices("://") {
        let scheme = text[..i].chars().rev().take_while(char::is_ascii_alphabetic).count();
        if !matches!(&text[i - scheme..i], "http" | "https" | "ftp" | "ssh") {
            continue;
        }
        let site: String = text[i + 3..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
        if !site.is_empty() && !SITES.contains(&site.trim_end_matches('.').to_ascii_lowercase().as_str()) {
            out.push(format!("{file}: points to {site}"));
        }
    }
    out
}

/// Blocks between fences of three backticks, with the word behind the opening one.
fn blocks(markdown: &str) -> Vec<(&str, String)> {
    let (mut out, mut open): (Vec<(&str, String)>, bool) = (Vec::new(), false);
    for line in markdown.lines() {
        if let Some(kind) = line.trim().strip_prefix("```") {
            open = !open;
            if open {
                out.push((kind, String::new()));
            }
        } else if open {
            let block = &mut out.last_mut().unwrap().1;
            block.push_str(line);
            block.push('\n');
        }
    }
    out
}

/// A line of a shell as arguments. Quotes and `#` are all that is understood.
fn arguments(line: &str) -> Vec<String> {
    let (mut out, mut quote, mut word) = (Vec::new(), None, None::<String>);
    for char in line.chars() {
        match (char, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => out.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

/// Examples of the command line that the program would not take, and scripts that are not there.
fn commands(markdown: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let mut out = Vec::new();
    for (_, block) in blocks(markdown).into_iter().filter(|(kind, _)| matches!(*kind, "sh" | "bash")) {
        for line in block.replace("\\\n", " ").lines() {
            let words = arguments(line);
            match words.first().map(String::as_str) {
                Some("pentimento") => {
                    let parsed = pentimento::cli::Arguments::try_parse_from(&words);
                    if let Err(error) =
                        parsed.map(drop).or_else(|e| if e.kind() == clap::error::ErrorKind::DisplayHelp { Ok(()) } else { Err(e) })
                    {
                        out.push(format!("`{line}` is refused: {error}"));
                    }
                }
                Some("bash" | "python" | "python3") if !is_there(&words[1]) => out.push(format!("`{line}`: there is no {}", words[1])),
                _ => {}
            }
        }
    }
    out
}

/// Files that a text names, in backticks or as a picture, and that are not there.
fn files_named(markdown: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let quoted = markdown.split('`').skip(1).step_by(2);
    let linked = markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let ours = |path: &str| ["src/", "tests/", "packaging/", "assets/", "shaders/"].iter().any(|top| path.starts_with(top));
    let plain = |path: &str| !path.contains(['*', '{', ' ', '…', '<']);
    let named = quoted.chain(linked).map(|path| path.trim_end_matches('/')).filter(|path| ours(path) && plain(path));
    named.filter(|path| !is_there(path)).map(|path| format!("{path} is named and not there")).collect()
}

// ------------------------------------------------------------------------------------------------- the house itself

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "__pycache__") {
                walk(&entry.path(), out);
            }
        } else {
            out.push(entry.path());
        }
    }
}

/// All files of the repository, from its top: those that git knows, or where it is not there all.
fn files() -> Vec<String> {
    let asked = Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(top()).output();
    let mut files: Vec<String> = match asked {
        Ok(done) if done.status.success() => String::from_utf8(done.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect(),
        _ => {
            let mut all = Vec::new();
            walk(top(), &mut all);
            all.iter().map(|path| path.strip_prefix(top()).unwrap().to_str().unwrap().replace('\\', "/")).collect()
        }
    };
    files.retain(|file| top().join(file).exists());
    files.sort();
    assert!(files.len() > 50, "{} files", files.len());
    files
}

fn read(file: &str) -> String {
    std::fs::read_to_string(top().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Runs a rule over Rust files; `src/` is taken from their names.
fn over_rust(below: &[&str], rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let all = files();
    let rust = all.iter().filter(|f| Path::new(f).extension().is_some_and(|e| e == "rs") && below.iter().any(|b| f.starts_with(b)));
    let mut seen = 0;
    let wrong = rust.inspect(|_| seen += 1).flat_map(|file| rule(file.strip_prefix("src/").unwrap_or(file), &read(file))).collect();
    assert!(seen > 5);
    wrong
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

#[test]
fn rooms_use_only_what_is_drawn() {
    assert_none(&over_rust(&["src/"], arrows));
    assert_none(&over_rust(&["src/"], fences));
}

#[test]
fn the_architecture_draws_the_same_arrows() {
    let text = read("src/ARCHITECTURE.md");
    let mut wrong = Vec::new();
    for line in read("src/lib.rs").lines().filter_map(|l| l.trim().strip_prefix("pub mod ")) {
        let room = line.trim_end_matches(';');
        let Some((_, may)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("the room {room} is not in the table of arrows"));
            continue;
        };
        // Rooms that are still to come are not in the text.
        let there = |m: &&&str| top().join(format!("src/{m}.rs")).exists() || top().join(format!("src/{m}/mod.rs")).exists();
        let may: Vec<&str> = may.iter().filter(there).copied().collect();
        let row = format!("{room:<9} -> {}", if may.is_empty() { "nothing here".to_owned() } else { may.join(", ") });
        if !text.lines().any(|l| l.trim_end() == row) {
            wrong.push(format!("src/ARCHITECTURE.md has no line `{row}`"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn threads_are_in_their_room_and_colours_in_theirs() {
    assert_none(&over_rust(&["src/"], threads));
    assert_none(&over_rust(&["src/"], colours));
}

#[test]
fn files_have_manners() {
    assert_none(&over_rust(&["src/", "tests/"], manners));
}

#[test]
fn every_shader_has_its_twin() {
    let all = files();
    let shaders = all.iter().filter_map(|f| f.strip_prefix("shaders/")?.strip_suffix(".wgsl"));
    let alone = shaders.filter(|name| !all.contains(&format!("src/render/{name}.rs")));
    assert_none(&alone.map(|name| format!("shaders/{name}.wgsl has no src/render/{name}.rs")).collect::<Vec<_>>());
}

#[test]
fn nothing_points_to_one_machine_and_the_top_is_as_agreed() {
    const BINARY: [&str; 7] = ["png", "jpg", "webp", "safetensors", "pth", "npz", "ttf"];
    let mut wrong = Vec::new();
    for file in files() {
        let first = file.split('/').next().unwrap();
        if !first.starts_with('.') && !TOP.contains(&first) {
            wrong.push(format!("{first} is not among what the top shows"));
        }
        // The texts of licences and of tokenizers are others'.
        let ending = Path::new(&file).extension().and_then(|e| e.to_str()).unwrap_or_default();
        if BINARY.contains(&ending) || file.contains("tokenizer") || file == "LICENSE" {
            continue;
        }
        let bytes = std::fs::read(top().join(&file)).unwrap();
        if let Ok(text) = std::str::from_utf8(&bytes) {
            wrong.extend(places(&file, text));
        }
    }
    assert_none(&wrong);
}

#[test]
fn what_the_texts_name_is_there() {
    let is_there = |path: &str| top().join(path).exists();
    let all = files();
    let mut seen = 0;
    for file in all.iter().filter(|f| {
        Path::new(f).extension().is_some_and(|e| e == "md") && !f.starts_with("tests/golden/reference/") && !f.starts_with("assets/nano/")
    }) {
        let text = read(file);
        seen += blocks(&text).len();
        assert_none(&[commands(&text, is_there), files_named(&text, is_there)].concat());
    }
    assert!(seen > 3, "{seen} blocks");
    let readme = read("README.md");
    for command in ["bash packaging/run.sh", "bash packaging/check.sh"] {
        assert!(blocks(&readme).iter().any(|(kind, block)| *kind == "sh" && block.contains(command)), "{command}");
    }
    assert!(read(".ci/run").contains("bash packaging/check.sh"));
}

// --------------------------------------------------------------------------------------------------------- canaries

#[track_caller]
fn check(rule: impl Fn(&str, &str) -> Vec<String>, file: &str, text: &str, complaint: &str) {
    let wrong = rule(file, text);
    match complaint {
        "" => assert!(wrong.is_empty(), "{text:?}: {wrong:?}"),
        _ => assert!(wrong.iter().any(|w| w.contains(complaint)), "{text:?}: {wrong:?} without {complaint:?}"),
    }
}

#[test]
fn canary_arrows() {
    check(arrows, "models/x.rs", "use crate::pipeline::Engine;", "models may not use crate::pipeline::Engine");
    check(arrows, "imaging/mod.rs", "fn f() { crate::models::sana::go() }", "imaging may not use crate::models::sana::go");
    check(arrows, "pipeline/x.rs", "use crate::{\n    imaging::{A, B as C},\n    cli::D,\n};", "pipeline may not use crate::cli::D");
    check(arrows, "imaging/mod.rs", "use super::models::Probe;", "crate::models::Probe");
    check(arrows, "imaging/a.rs", "mod tests { use super::super::super::models::Probe; }", "crate::models::Probe");
    check(arrows, "attic/mod.rs", "", "the room attic is not in the table");
    check(arrows, "main.rs", "pentimento::pipeline::Engine::open()", "main may not use crate::pipeline::Engine");
    check(arrows, "main.rs", "pentimento::pipeline::memory::tune_allocator(); pentimento::cli::run(command)", "");
    check(arrows, "pipeline/x.rs", "use crate::models::{dc_ae, qwen3};\nuse crate::pipeline::load;\nuse super::Error;", "");
    check(arrows, "models/x.rs", "// crate::pipeline\nlet a = \"crate::pipeline\"; /* crate::ui */ let b = r#\"crate::\"ui\"#;", "");
    check(arrows, "models/sana/x.rs", "mod tests { use super::super::testing::noise; }", "");
}

#[test]
fn canary_fences() {
    check(fences, "imaging/x.rs", "use candle_core::Tensor;", "imaging may not use candle_core");
    check(fences, "editor/mod.rs", "fn f(c: egui::Color32) {}", "editor may not use egui");
    check(fences, "editor/mod.rs", "use fluent_bundle::FluentArgs;", "editor may not use fluent_bundle");
    check(fences, "models/x.rs", "use candle_core::Tensor; // egui::Ui", "");
    check(fences, "ui/x.rs", "let x = a.wgpu::<u8>();", "");
}

#[test]
fn canary_threads() {
    check(threads, "ui/x.rs", "std::thread::spawn(|| {});", "a thread outside jobs");
    check(threads, "app.rs", "use std::thread;", "a thread outside jobs");
    check(threads, "pipeline/x.rs", "thread::Builder::new()", "a thread outside jobs");
    check(threads, "models/x.rs", "rayon::spawn(f)", "a thread outside jobs");
    check(threads, "jobs/mod.rs", "std::thread::spawn(|| {});", "");
    check(threads, "models/x.rs", "rayon::current_num_threads(); // no std::thread", "");
}

#[test]
fn canary_colours() {
    check(colours, "ui/panel.rs", "ui.visuals_mut().x = Color32::from_rgb(1, 2, 3);", "1 colours");
    check(colours, "ui/panel.rs", "egui::Color32::RED", "1 colours");
    check(colours, "app.rs", "hex_color!(\"#fff\")", "1 colours");
    check(colours, "ui/panel.rs", "Color32::TRANSPARENT; theme.accent", "");
    check(colours, "ui/theme.rs", "Color32::from_rgb(1, 2, 3)", "");
}

#[test]
fn canary_manners() {
    check(manners, "a.rs", "use std::fs;\n//! too late", "no `//!`");
    check(manners, "a.rs", &format!("//! Long.\n{}", "\n".repeat(LONGEST_FILE)), "too many");
    check(manners, "ui/utils.rs", "//! Things.", "says nothing");
    check(manners, "a.rs", "//! Fine.\n\n#![allow(dead_code)]\n", "");
}

#[test]
fn canary_places() {
    check(places, "a.md", &["see /wo", "rk/main"].concat(), "nowhere else");
    check(places, "a.md", &["https", "://registry.example.org/x"].concat(), "points to registry.example.org");
    check(places, "a.md", &["see https", "://github.com/a/b. Or target/debug and the /workshop"].concat(), "");
}

#[test]
fn canary_texts() {
    let there = |path: &str| path == "packaging/run.sh";
    let wrong = |text: &str| commands(&format!("```sh\n{text}\n```\n"), there);
    assert!(wrong("pentimento generate --promt x")[0].contains("is refused"));
    assert!(wrong("pentimento generate \\\n  --prompt 'a \"b\" c' --step 3")[0].contains("--step"));
    assert!(wrong("bash packaging/walk.sh")[0].contains("there is no packaging/walk.sh"));
    assert_none(&wrong("bash packaging/run.sh   # builds\npentimento edit a.png --prompt \"make it darker\"\nls"));
    assert_eq!(files_named("`packaging/run.sh`, `src/gone.rs`, `src/*.rs` ![x](assets/x.png)", there).len(), 2);
}
