//! Official folders made ready: the same pictures, fewer bytes, broken off and gone on with, damaged afterwards.

use super::{assert_says, cases, model, program, run, sentence, stderr};
use pentimento::pipeline::load::Checkpoint;
use pentimento::pipeline::{self, ConvertProgress, ConvertRequest, Converted, DeviceChoice, Precision, Precisions, Settings};
use pentimento::recipe::ModelId;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

/// Names, lengths and times of all files below a folder.
fn listing(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let (path, facts) = entry.map(|e| (e.path(), e.metadata().unwrap())).unwrap();
            if facts.is_dir() {
                open.push(path);
            } else {
                all.insert(path.strip_prefix(folder).unwrap().display().to_string(), (facts.len(), facts.modified().unwrap()));
            }
        }
    }
    all
}

#[test]
fn sixteen_bits_give_the_same_picture_to_the_last_bit() {
    for case in ["tiny-both-bf16-pth", "small-cross-untied-bf16", "tiny-cross-f16"] {
        let home = tempfile::tempdir().unwrap();
        let folder = model(home.path(), case, |_| {});
        if case == "tiny-both-bf16-pth" {
            std::fs::copy(cases().join("tiny-both-bf16-pth.ta_tok.pth"), folder.join("ta_tok.pth")).unwrap();
        }
        let before = listing(&folder);
        let done = run(home.path(), &["convert", "--model", "model", "--out", "ready", "--precision", "bf16", "--json"]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let last: Value = serde_json::from_slice(done.stdout.split(|b| *b == b'\n').rev().nth(1).unwrap()).unwrap();
        assert_eq!(last["event"], "converted");
        assert_eq!(listing(&folder), before, "the original was touched");
        let made = listing(&home.path().join("ready"));
        assert!(
            made.contains_key("pentimento.json") && !made.keys().any(|n| n.contains("conversion") || n.contains("partial")),
            "{made:?}"
        );
        assert_eq!(
            last["bytes"],
            made.iter().filter(|(n, _)| Path::new(n).extension().is_some_and(|e| e == "gguf")).map(|(_, (len, _))| *len).sum::<u64>()
        );
        let picture = cases().join("odd.png");
        for (name, folder) in [("a", "model"), ("b", "ready")] {
            let (out, dump) = (format!("{name}.png"), format!("{name}.safetensors"));
            let arguments = ["edit", picture.to_str().unwrap(), "--raw", "--prompt", "make it blue", "--steps", "2", "--seed", "3"];
            let done = run(home.path(), &[&arguments[..], &["--model", folder, "--out", &out, "--dump", &dump]].concat());
            assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        }
        let read = |name: &str| std::fs::read(home.path().join(name)).unwrap();
        let (a, b) = (read("a.safetensors"), read("b.safetensors"));
        let (a, b) = (safetensors::SafeTensors::deserialize(&a).unwrap(), safetensors::SafeTensors::deserialize(&b).unwrap());
        let differ: Vec<_> = a.names().into_iter().filter(|n| a.tensor(n).unwrap().data() != b.tensor(n).unwrap().data()).collect();
        assert!(differ.is_empty() && a.len() == b.len() && a.len() > 50, "{case}: {differ:?}");
        // What nothing reads is gone.
        let looked = run(home.path(), &["inspect", "ready", "--json"]);
        let looked: Value = serde_json::from_slice(&looked.stdout).unwrap();
        assert_eq!((&looked["unused"], looked["can_edit"].as_bool()), (&Value::Array(Vec::new()), Some(true)));
    }
}

#[test]
fn fewer_bits_cost_little_and_the_table_tells_how_much() {
    let home = tempfile::tempdir().unwrap();
    for precision in ["q8", "q4"] {
        let done = run(home.path(), &["convert", "--model", "nano", "--out", precision, "--precision", precision]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    }
    let mixed = ["convert", "--model", "nano", "--out", "mixed", "--precision", "bf16", "--language-model", "q8"];
    assert!(run(home.path(), &mixed).status.success());
    let all = ["compare-precision", "--model", "nano", "--with", "q8", "--with", "q4", "--with", "mixed", "--json"];
    let done = run(home.path(), &all);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let table: Vec<Value> = serde_json::from_slice(&done.stdout).unwrap();
    println!("{table:#?}");
    assert_eq!(table.len(), 4);
    let error = |row: usize, component: &str| {
        let measures = table[row]["measures"].as_array().unwrap();
        let errors = measures.iter().filter(|m| m["component"] == component).map(|m| m["error"].as_f64().unwrap());
        errors.fold(f64::NAN, f64::max)
    };
    for component in ["image_tokenizer", "language_model", "transformer"] {
        let (q8, q4) = (error(1, component), error(2, component));
        assert!(q8 > 1e-5 && q8 < 0.02, "{component}: {q8}");
        assert!(q4 >= q8 && q4 < 0.5, "{component}: {q4}");
    }
    for component in ["connectors", "autoencoder"] {
        assert_eq!((error(1, component), error(2, component)), (0.0, 0.0));
    }
    // Each component has its own choice.
    assert_eq!(error(3, "language_model"), error(1, "language_model"));
    assert!(error(3, "transformer") < error(1, "transformer"));
    assert!(table[1]["picture_psnr"].as_f64().unwrap() > 30.0);
    let bytes = |row: usize| table[row]["bytes"].as_u64().unwrap();
    assert!(bytes(2) <= bytes(1) && bytes(1) < bytes(0));
}

#[test]
fn eight_bits_stay_within_two_percent_on_the_references_checkpoints() {
    for case in ["small-both", "small-cross-untied-bf16", "tiny-both"] {
        let home = tempfile::tempdir().unwrap();
        let original = ModelId::Folder(model(home.path(), case, |_| {}));
        let made = [Precision::Q8, Precision::Q4, Precision::Bf16].map(|precision| {
            let out = home.path().join(precision.name());
            let request = ConvertRequest { model: original.clone(), out: out.clone(), precisions: Precisions::all(precision) };
            convert_until(&request, |_| false);
            ModelId::Folder(out)
        });
        let table = pipeline::compare_precision(&original, &made, 2, true, &settings(), &mut |_| {}).unwrap();
        for row in &table[1..] {
            println!("{case} {}: {} bytes, codes {:?}, {:?} dB", row.model, row.bytes, row.same_codes, row.picture_psnr);
            row.measures.iter().for_each(|m| println!("    {:24} {:28} {:.3} %", m.component.name(), m.what, m.error * 100.0));
        }
        let worst = |most: &dyn Fn(&str) -> bool| table[1].measures.iter().filter(|m| most(m.what)).map(|m| m.error).fold(0.0, f64::max);
        // Layers of random weights multiply whatever error comes in, which those that were trained do not.
        let deep_in = |what: &str| what.starts_with("ar.logits") || what == "cond.hidden";
        let (shallow, deep) = (worst(&|what| !deep_in(what)), worst(&deep_in));
        assert!(shallow > 1e-4 && shallow < 0.02, "{case}: {shallow}");
        assert!(deep > 1e-4 && deep < 0.1, "{case}: {deep}");
        // Nor are 16 bits spared that.
        let sixteen = table[3].measures.iter().filter(|m| deep_in(m.what)).map(|m| m.error).fold(0.0, f64::max);
        assert!(sixteen < deep && (case.contains("bf16") || deep < 8.0 * sixteen), "{case}: {sixteen} {deep}");
    }
}

fn settings() -> Settings {
    Settings { device: DeviceChoice::Cpu, ..Settings::default() }
}

/// Converts until `enough` says so.
fn convert_until(request: &ConvertRequest, mut enough: impl FnMut(&ConvertProgress) -> bool) -> (Converted, Vec<ConvertProgress>) {
    let mut seen = Vec::new();
    let mut tell = |p: &ConvertProgress| {
        seen.push(*p);
        if enough(p) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    (pipeline::convert(request, &mut tell).unwrap(), seen)
}

#[test]
fn what_was_broken_off_goes_on_and_what_has_changed_begins_anew() {
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-both", |_| {});
    let out = home.path().join("ready");
    let request = ConvertRequest { model: ModelId::Folder(folder.clone()), out: out.clone(), precisions: Precisions::all(Precision::Q8) };
    let whole = home.path().join("whole");
    assert!(matches!(convert_until(&ConvertRequest { out: whole.clone(), ..request.clone() }, |_| false).0, Converted::Done { .. }));
    let same = |why: &str| {
        let read = |folder: &Path, name: &str| std::fs::read(folder.join(name)).unwrap();
        for name in listing(&whole).keys() {
            assert!(read(&whole, name) == read(&out, name), "{why}: {name}");
        }
    };
    // Stopped in the third component: the first two are kept, and the folder is no model yet.
    let first = convert_until(&request, |p| p.component.file() == "image_tokenizer.gguf");
    assert_eq!(first.0, Converted::Cancelled);
    let kept = listing(&out);
    assert!(kept.contains_key("transformer.gguf") && !kept.keys().any(|n| n.ends_with("partial")), "{kept:?}");
    let error = Checkpoint::open(&ModelId::Folder(out.clone())).err().unwrap().to_string();
    assert!(error.contains("not finished"), "{error}");
    let (ended, seen) = convert_until(&request, |_| false);
    assert!(matches!(ended, Converted::Done { .. }));
    assert!(seen[0].begun > 0 && seen[0].component.file() == "image_tokenizer.gguf", "{:?}", seen[0]);
    assert_eq!(listing(&out)["transformer.gguf"], kept["transformer.gguf"]);
    assert!(seen.windows(2).all(|p| p[0].done <= p[1].done) && seen.last().unwrap().done == seen[0].total);
    same("gone on");
    // Once more does nothing; another precision is refused.
    assert!(convert_until(&request, |_| panic!("nothing is to be done")).1.is_empty());
    let other = ConvertRequest { precisions: Precisions::all(Precision::Q4), ..request.clone() };
    let refused = pipeline::convert(&other, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(refused.contains("another converted model"), "{refused}");
    // A source that changed in between begins anew: not one old byte is left.
    std::fs::remove_dir_all(&out).unwrap();
    assert_eq!(convert_until(&request, |p| p.component.file() == "image_tokenizer.gguf").0, Converted::Cancelled);
    std::fs::remove_dir_all(&folder).unwrap();
    model(home.path(), "tiny-both", |weights| {
        weights.get_mut("model.layers.0.mlp.up_proj.weight").unwrap().1[5] += 0.25;
    });
    std::fs::remove_dir_all(&whole).unwrap();
    convert_until(&ConvertRequest { out: whole.clone(), ..request.clone() }, |_| false);
    let (_, seen) = convert_until(&request, |_| false);
    assert_eq!(seen[0].begun, 0);
    same("anew");
    // And it runs.
    pipeline::Engine::open(&ModelId::Folder(out), &settings()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_conversion_that_is_killed_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let whole = run(home.path(), &["convert", "--model", "nano", "--out", "whole", "--precision", "q4"]);
    assert!(whole.status.success(), "{}", stderr(&whole));
    let mut broken_off = 0;
    for round in 0..12u64 {
        let mut child = program(home.path())
            .args(["convert", "--model", "nano", "--out", "killed", "--precision", "q4"])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(15 + 11 * round));
        child.kill().unwrap();
        broken_off += u64::from(!child.wait().unwrap().success());
    }
    println!("{broken_off} of 12 broken off");
    assert!(broken_off > 0);
    let done = run(home.path(), &["convert", "--model", "nano", "--out", "killed", "--precision", "q4"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let read = |folder: &str, name: &str| std::fs::read(home.path().join(folder).join(name)).unwrap();
    let names: Vec<String> = listing(&home.path().join("whole")).into_keys().collect();
    for name in &names {
        assert!(read("whole", name) == read("killed", name), "{name}");
    }
    let left: Vec<String> = listing(&home.path().join("killed")).into_keys().filter(|n| !names.contains(n)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn conversions_that_make_no_sense() {
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-both", |_| {});
    let said = |arguments: &[&str]| sentence(&run(home.path(), &[&["convert"], arguments].concat()));
    assert_says(&said(&["--model", "nowhere", "--out", "x"]), &["nowhere", "not a model folder"]);
    assert_says(&said(&["--model", "model", "--out", "model"]), &["the original's own folder"]);
    assert_says(&said(&["--model", "model", "--out", "model/../model"]), &["the original's own folder"]);
    std::fs::create_dir(home.path().join("full")).unwrap();
    std::fs::write(home.path().join("full/diary.txt"), "mine").unwrap();
    assert_says(&said(&["--model", "model", "--out", "full"]), &["not empty"]);
    assert_eq!(std::fs::read(home.path().join("full/diary.txt")).unwrap(), b"mine");
    assert_says(&said(&["--model", "model", "--out", "full/diary.txt"]), &["diary.txt"]);
    assert!(run(home.path(), &["convert", "--model", "model", "--out", "ready"]).status.success());
    assert_says(&said(&["--model", "ready", "--out", "again"]), &["converted already", "official folder"]);
    // A weight that is no number would make a whole block so.
    std::fs::remove_dir_all(&folder).unwrap();
    model(home.path(), "tiny-both", |weights| {
        weights.get_mut("model.layers.0.mlp.up_proj.weight").unwrap().1[5] = f32::NAN;
    });
    assert_says(&said(&["--model", "model", "--out", "odd"]), &["up_proj", "no numbers"]);
    assert!(!home.path().join("odd/language_model.gguf.partial").exists());
}

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_is_said_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    // Files may have 2 MiB: the first component is larger.
    let script = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" convert --model nano --out ready --precision bf16";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_pentimento")]).env("PENTIMENTO_HOME", home.path()).current_dir(home.path());
    let said = sentence(&shell.output().unwrap());
    assert_says(&said, &["cannot be converted", "gguf.partial"]);
    assert!(!listing(&home.path().join("ready")).keys().any(|n| n.ends_with("gguf")));
    assert!(run(home.path(), &["convert", "--model", "nano", "--out", "ready", "--precision", "bf16"]).status.success());
}

/// Breaks a ready folder in one way and returns what the program says.
fn said_of(break_it: impl FnOnce(&Path)) -> String {
    let home = tempfile::tempdir().unwrap();
    model(home.path(), "tiny-both", |_| {});
    assert!(run(home.path(), &["convert", "--model", "model", "--out", "ready"]).status.success());
    break_it(&home.path().join("ready"));
    sentence(&run(home.path(), &["generate", "--prompt", "x", "--model", "ready", "--steps", "1"]))
}

#[test]
fn ready_folders_that_are_cut_or_lie() {
    const FILE: &str = "language_model.gguf";
    let bytes = |f: &Path| std::fs::read(f.join(FILE)).unwrap();
    // Of the length that the list tells, so that the file itself is looked at.
    let put = |f: &Path, mut bytes: Vec<u8>, len: usize| {
        bytes.resize(len, 0);
        std::fs::write(f.join(FILE), bytes).unwrap();
    };
    let patched = |from: &'static [u8], to: &'static [u8]| {
        said_of(|f| {
            let mut all = bytes(f);
            let at = all.windows(from.len()).position(|w| w == from).unwrap();
            all[at..at + to.len()].copy_from_slice(to);
            let len = all.len();
            put(f, all, len);
        })
    };
    let list = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        said_of(move |f| {
            let text = std::fs::read_to_string(f.join("pentimento.json")).unwrap();
            assert!(text.contains(&from));
            std::fs::write(f.join("pentimento.json"), text.replacen(&from, &to, 1)).unwrap();
        })
    };
    assert_says(&said_of(|f| std::fs::remove_file(f.join(FILE)).unwrap()), &[FILE, "missing"]);
    assert_says(&said_of(|f| put(f, bytes(f), 1000)), &[FILE, "damaged", "1000 bytes"]);
    assert_says(&said_of(|f| put(f, Vec::new(), bytes(f).len())), &[FILE, "no GGUF file"]);
    assert_says(&patched(b"GGUF\x03", b"GGUF\x09"), &[FILE, "version 9"]);
    assert_says(&patched(b"pentimento-blip3o-next", b"pentimento-blip3o-nexx"), &[FILE, "another program"]);
    assert_says(&patched(b"general.alignment\x04\0\0\0\x20", b"general.alignment\x04\0\0\0\x21"), &[FILE, "multiples of 33"]);
    assert_says(&patched(b"general.alignment\x04", b"general.alignment\x63"), &[FILE, "type 99"]);
    // Lengths that no file has.
    assert_says(&patched(b"\x14\0\0\0\0\0\0\0general.arch", b"\xff\xff\xff\xff\xff\xff\xff\xff"), &[FILE, "header"]);
    let said = said_of(|f| {
        let mut all = bytes(f);
        all[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        let len = all.len();
        put(f, all, len);
    });
    assert_says(&said, &[FILE, "tensors"]);
    // A tensor that reaches out of the file, one of a type that is not read, one that is not there, one twice.
    let norm = b"model.norm.weight\x01\0\0\0";
    let at = |all: &[u8]| all.windows(norm.len()).position(|w| w == norm).unwrap() + norm.len();
    let with = |offset: usize, new: &'static [u8]| {
        said_of(|f| {
            let mut all = bytes(f);
            let from = at(&all) + offset;
            all[from..from + new.len()].copy_from_slice(new);
            let len = all.len();
            put(f, all, len);
        })
    };
    assert_says(&with(0, &[0xff; 8]), &[FILE, "model.norm.weight", "does not fit"]);
    assert_says(&with(0, &[0; 8]), &[FILE, "model.norm.weight", "does not fit"]);
    assert_says(&with(8, &[99]), &[FILE, "model.norm.weight", "type 99"]);
    assert_says(&with(12, &[0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), &[FILE, "does not fit"]);
    assert_says(&patched(b"model.norm.weight", b"model.form.weight"), &["missing    model.norm.weight", "surplus    model.form.weight"]);
    assert_says(&list(FILE, "../../etc/passwd"), &["pentimento.json", "outside the folder"]);
    assert_says(&list("\"format\": 1", "\"format\": 7"), &["pentimento.json", "format is 7"]);
    assert_says(&list("{", "["), &["pentimento.json", "damaged"]);
}
