//! Bad input gets one clear sentence and exit code 1, and nothing crashes.

use super::{assert_says, cases, model, run, sentence};
use serde_json::Value;
use std::io::Write;
use std::path::Path;

/// Runs an edit of the picture with the embedded model.
fn edit(home: &Path, picture: &str) -> std::process::Output {
    run(home, &["edit", picture, "--prompt", "make it darker", "--steps", "1", "--out", "out.png"])
}

#[test]
fn pictures_that_are_none() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let png = std::fs::read(cases().join("odd.png")).unwrap();
    std::fs::write(path("empty.png"), b"").unwrap();
    std::fs::write(path("text.png"), "this is a letter to my mother").unwrap();
    std::fs::write(path("cut.png"), &png[..png.len() / 2]).unwrap();
    let mut bomb = png.clone(); // claims 60,000 x 60,000 pixels, with a right checksum
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let check = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&check.to_be_bytes());
    std::fs::write(path("bomb.png"), &bomb).unwrap();
    std::fs::create_dir(path("folder.png")).unwrap();
    std::fs::write(path("model.png"), &std::fs::read(cases().join("tiny-words.safetensors")).unwrap()[..9000]).unwrap();
    for (name, words) in [
        ("none.png", "cannot be read"),
        ("empty.png", "is empty"),
        ("text.png", "not a picture"),
        ("cut.png", "damaged or incomplete"),
        ("bomb.png", "60000 x 60000 pixels, more than"),
        ("folder.png", "cannot be read"),
        ("model.png", "not a picture"),
        #[cfg(unix)]
        ("/dev/zero", "not an ordinary file"),
    ] {
        let said = sentence(&edit(home.path(), name));
        assert!(said.contains(words) && said.contains(name), "{name}: {said}");
        assert!(!path("out.png").exists());
    }
}

/// Headers that promise billions of pixels, with next to nothing behind them.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    const SIDE: u16 = 60_000;
    let (little, big) = (SIDE.to_le_bytes(), SIDE.to_be_bytes());
    let gif = [
        b"GIF89a",
        &little[..],
        &little,
        &[0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c, 0, 0, 0, 0],
        &little,
        &little,
        &[0, 2, 2, 0x4c, 1, 0, 0x3b],
    ]
    .concat();
    let side = u32::from(SIDE).to_le_bytes();
    let bmp = [&b"BM"[..], &[54, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0], &side, &side, &[1, 0, 24, 0], &[0; 24]].concat();
    // One component, one empty quantisation table and Huffman table, and a scan that never comes.
    let tables = [&[0xff, 0xdb, 0, 67, 0][..], &[1; 64], &[0xff, 0xc4, 0, 20, 0, 1], &[0; 15], &[0]].concat();
    let frame = [&[0xff, 0xc0, 0, 11, 8][..], &big, &big, &[1, 1, 0x11, 0]].concat();
    let jpeg = [&[0xff, 0xd8][..], &tables, &frame, &[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x55, 0xff, 0xd9]].concat();
    let entry =
        |tag: u16, kind: u16, value: u32| [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &1u32.to_le_bytes(), &value.to_le_bytes()].concat();
    let wide = u32::from(SIDE);
    let fields = [(256, wide), (257, wide), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, wide), (279, 4)];
    let fields: Vec<u8> = fields.iter().flat_map(|(tag, value)| entry(*tag, 4, *value)).collect();
    let tiff = [&b"II*\0\x08\0\0\0\x09\0"[..], &fields, &[0; 4]].concat();
    let chunk = |kind: &[u8], data: &[u8]| [kind, &(data.len() as u32).to_le_bytes(), data].concat();
    let riff = |chunks: &[u8]| [&b"RIFF"[..], &(chunks.len() as u32 + 4).to_le_bytes(), b"WEBP", chunks].concat();
    // 16,383 x 16,383, about the most that the format has: above our limit too.
    let lossless = chunk(b"VP8L", &[0x2f, 0xfe, 0xbf, 0xff, 0x0f, 0, 0, 0]);
    let extended = [chunk(b"VP8X", &[0, 0, 0, 0, 0xfe, 0x3f, 0, 0xfe, 0x3f, 0]), lossless.clone()].concat();
    vec![("a.gif", gif), ("a.bmp", bmp), ("a.jpg", jpeg), ("a.tiff", tiff), ("a.webp", riff(&lossless)), ("b.webp", riff(&extended))]
}

#[cfg(unix)]
#[test]
fn bombs_are_refused_before_they_need_memory() {
    let home = tempfile::tempdir().unwrap();
    for (name, bytes) in bombs() {
        std::fs::write(home.path().join(name), bytes).unwrap();
        // With a gigabyte of address space, the program's own threads included.
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 1048576; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_pentimento"), "edit", name, "--prompt", "x"]);
        let said =
            sentence(&shell.env("PENTIMENTO_HOME", home.path()).env_remove("RUST_BACKTRACE").current_dir(home.path()).output().unwrap());
        assert!(said.contains(name) && said.contains("million that can be opened"), "{name}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn files_that_may_not_be_read_or_written() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-words", |_| {});
    std::fs::copy(cases().join("odd.png"), home.path().join("odd.png")).unwrap();
    std::fs::create_dir(home.path().join("locked")).unwrap();
    let rights = |path: &str, mode: u32| std::fs::set_permissions(home.path().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    rights("", 0o755);
    rights("odd.png", 0);
    rights("locked", 0o555);
    rights("model/model.safetensors", 0);
    // Root may do everything, so that there the program runs as somebody else, from a place that anybody reaches.
    let root = home.path().metadata().unwrap().uid() == 0;
    let copy = home.path().join("pentimento");
    std::fs::copy(env!("CARGO_BIN_EXE_pentimento"), &copy).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&copy);
        command.args(arguments).env("PENTIMENTO_HOME", "/nonexistent").env_remove("RUST_BACKTRACE").current_dir(home.path());
        if root {
            command.uid(65_534).gid(65_534);
        }
        // A program that another test starts just now may hold the copy open, as it was written: then it is busy for a moment.
        let busy = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ExecutableFileBusy;
        let output = (0..200).find_map(|_| match command.output() {
            Err(error) if busy(&error) => {
                std::thread::sleep(std::time::Duration::from_millis(25));
                None
            }
            other => Some(other),
        });
        sentence(&output.unwrap().unwrap())
    };
    assert_says(&run(&["edit", "odd.png", "--prompt", "x"]), &["odd.png", "cannot be read", "ermission denied"]);
    let folder = folder.to_str().unwrap();
    assert_says(&run(&["generate", "--prompt", "x", "--model", folder]), &["model.safetensors", "ermission denied"]);
    assert_says(&run(&["inspect", folder]), &["model.safetensors", "ermission denied"]);
    let locked = ["generate", "--prompt", "x", "--steps", "1", "--out", "locked/x.png"];
    assert_says(&run(&locked), &["locked/x.png", "cannot be written", "ermission denied"]);
}

#[test]
fn models_that_are_no_folders() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "x").unwrap();
    std::fs::create_dir(home.path().join("empty")).unwrap();
    let said = |model: &str| sentence(&run(home.path(), &["generate", "--prompt", "x", "--model", model]));
    assert_says(&said("nowhere"), &["nowhere", "not a model folder"]);
    assert_says(&said("file"), &["file", "not a model folder"]);
    assert_says(&said("empty"), &["empty", "not a model folder", "missing"]);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 }))
}

/// Breaks a good checkpoint in one way and returns what the program says.
fn said_of(break_it: impl FnOnce(&Path)) -> String {
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-both", |_| {});
    break_it(&folder);
    let folder = folder.to_str().unwrap().to_owned();
    let said = sentence(&run(home.path(), &["generate", "--prompt", "x", "--model", &folder, "--steps", "1"]));
    // The command that only looks says the same.
    let looked = sentence(&run(home.path(), &["inspect", &folder]));
    assert!(said.contains(looked.trim_start_matches("pentimento: ")) || looked == said, "{said}\n{looked}");
    said
}

fn shard(folder: &Path) -> std::path::PathBuf {
    folder.join("model-00001-of-00003.safetensors")
}

#[test]
fn weights_that_are_cut_or_lie() {
    assert_says(&said_of(|f| cut(&shard(f), |n| n / 2)), &["damaged", "cut off", "model-00001-of-00003.safetensors"]);
    assert_says(&said_of(|f| cut(&shard(f), |_| 5)), &["damaged", "header", "model-00001-of-00003.safetensors"]);
    assert_says(&said_of(|f| cut(&shard(f), |_| 0)), &["damaged", "header"]);
    assert_says(&said_of(|f| header(&shard(f), u64::MAX)), &["damaged", "header"]);
    assert_says(&said_of(|f| header(&shard(f), 1 << 40)), &["damaged", "header"]);
    assert_says(&said_of(|f| std::fs::write(shard(f), vec![b'{'; 4096]).unwrap()), &["damaged", "header"]);
    assert_says(&said_of(|f| rewrite(&shard(f), r#""dtype":"F32""#, r#""dtype":"I64""#)), &["damaged"]);
    assert_says(&said_of(|f| std::fs::remove_file(shard(f)).unwrap()), &["model-00001-of-00003.safetensors is missing"]);
    let index = "model.safetensors.index.json";
    assert_says(&said_of(|f| rewrite(&f.join(index), "model-00001-of-00003.safetensors", "../../../etc/passwd")), &["outside the folder"]);
    assert_says(&said_of(|f| std::fs::write(f.join(index), "{").unwrap()), &["damaged", index]);
}

fn cut(path: &Path, len: impl FnOnce(u64) -> u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let size = file.metadata().unwrap().len();
    file.set_len(len(size)).unwrap();
}

fn header(path: &Path, len: u64) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(&len.to_le_bytes()).unwrap();
}

fn rewrite(path: &Path, from: &str, to: &str) {
    let bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
    let changed = [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat();
    std::fs::write(path, changed).unwrap();
}

#[test]
fn configurations_that_lack_or_contradict() {
    let set = |file: &'static str, change: fn(&mut Value)| {
        said_of(move |folder| {
            let path = folder.join(file);
            let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            change(&mut value);
            std::fs::write(path, value.to_string()).unwrap();
        })
    };
    for key in ["hidden_size", "image_start_token_id", "rope_theta", "tie_word_embeddings"] {
        let said = said_of(|folder| {
            let path = folder.join("config.json");
            let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            value.as_object_mut().unwrap().remove(key);
            std::fs::write(path, value.to_string()).unwrap();
        });
        assert_says(&said, &["config.json", key]);
    }
    assert_says(&set("config.json", |v| v["num_hidden_layers"] = 1_000_000_000_000u64.into()), &["config.json", "num_hidden_layers"]);
    assert_says(&set("config.json", |v| v["hidden_size"] = 32.into()), &["misshapen", "expected", "found"]);
    assert_says(&set("config.json", |v| v["image_end_token_id"] = 4_000_000_000u32.into()), &["config.json", "vocabulary"]);
    assert_says(&set("config.json", |v| v["num_attention_heads"] = 3.into()), &["config.json", "heads"]);
    assert_says(&set("transformer/config.json", |v| v["qk_norm"] = "layer_norm".into()), &["transformer/config.json", "qk_norm"]);
    assert_says(&set("transformer/config.json", |v| v["num_layers"] = 0.into()), &["transformer/config.json", "num_layers"]);
    assert_says(&set("vae/config.json", |v| v["decoder_layers_per_block"] = serde_json::json!([1])), &["vae/config.json", "length"]);
    assert_says(
        &set("vae/config.json", |v| v["downsample_block_type"] = "pixel_unshuffle".into()),
        &["vae/config.json", "pixel_unshuffle"],
    );
    assert_says(&set("vae/config.json", |v| v["scaling_factor"] = 0.into()), &["vae/config.json"]);
    assert_says(&said_of(|f| std::fs::write(f.join("config.json"), "[1, 2").unwrap()), &["config.json"]);
    assert_says(&said_of(|f| std::fs::remove_file(f.join("config.json")).unwrap()), &["not a model folder", "config.json"]);
    assert_says(&said_of(|f| std::fs::remove_file(f.join("tokenizer.json")).unwrap()), &["not a model folder", "tokenizer.json"]);
}

#[test]
fn a_tokenizer_that_is_broken() {
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-both", |_| {});
    std::fs::write(folder.join("tokenizer.json"), "{}").unwrap();
    let said = sentence(&run(home.path(), &["generate", "--prompt", "x", "--model", folder.to_str().unwrap()]));
    assert_says(&said, &["tokenizer"]);
}

#[test]
fn a_pickle_with_code_is_refused_by_name_and_not_run() {
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-both-bf16-pth", |_| {});
    let trace = home.path().join("it-ran");
    // {"model": {"args": {}, "sd": os.system("touch …")}}
    let pickle = format!(
        "\u{2}}}(X\u{5}\0\0\0model}}(X\u{4}\0\0\0args}}X\u{2}\0\0\0sdcposix\nsystem\n(X{}\0\0\0touch {}tRuu.",
        char::from(6 + trace.to_str().unwrap().len() as u8),
        trace.display()
    );
    let pickle = [b"\x80".as_slice(), pickle.as_bytes()].concat();
    zipped(&folder.join("ta_tok.pth"), &pickle);
    let said = sentence(&run(home.path(), &["inspect", folder.to_str().unwrap()]));
    assert_says(&said, &["ta_tok.pth", "posix system", "not done"]);
    assert!(!trace.exists());

    for (content, words) in [(&b"PK\x05\x06 no zip"[..], "torch.save"), (&b""[..], "torch.save"), (&b"\x80\x02}q\x00."[..], "torch.save")] {
        std::fs::write(folder.join("ta_tok.pth"), content).unwrap();
        assert_says(&sentence(&run(home.path(), &["inspect", folder.to_str().unwrap()])), &["ta_tok.pth", words]);
    }
    // A real one, cut.
    let whole = std::fs::read(cases().join("tiny-both-bf16-pth.ta_tok.pth")).unwrap();
    std::fs::write(folder.join("ta_tok.pth"), &whole[..whole.len() / 2]).unwrap();
    assert_says(&sentence(&run(home.path(), &["inspect", folder.to_str().unwrap()])), &["ta_tok.pth"]);
}

fn zipped(path: &Path, pickle: &[u8]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("archive/data.pkl", stored).unwrap();
    zip.write_all(pickle).unwrap();
    zip.finish().unwrap();
}

#[test]
fn requests_that_make_no_sense() {
    let home = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| sentence(&run(home.path(), &[&["generate", "--steps", "1"], arguments].concat()));
    assert_says(&said(&["--prompt", "write <im_start> here"]), &["<im_start>", "mark of the model's own"]);
    assert_says(&said(&["--prompt", "token <I17>, please"]), &["<I17>"]);
    assert_says(&said(&["--prompt", "<|endoftext|>"]), &["<|endoftext|>"]);
    assert_says(&said(&["--prompt", &"very ".repeat(4000)]), &["tokens", "shorten"]);
    assert_says(&said(&["--prompt", "x", "--width", "100", "--height", "128"]), &["multiples of 32"]);
    assert_says(&said(&["--prompt", "x", "--temperature", "0"]), &["temperature", "greedy"]);
    assert_says(&said(&["--prompt", "x", "--top-p", "7"]), &["top-p"]);
    assert_says(&said(&["--prompt", "x", "--variations", "99"]), &["99 variations"]);
    assert_says(&said(&["--prompt", "x", "--out", "x.psd"]), &["psd"]);
    assert_says(&said(&["--prompt", "x", "--out", "no/such/folder/x.png"]), &["cannot be written"]);
    let odd = cases().join("odd.png");
    let odd = odd.to_str().unwrap();
    assert_says(&said(&["--prompt", "x", "--tokens", odd]), &["odd.png"]);
    assert_says(&said(&["--prompt", "x", "--noise", odd]), &["odd.png"]);
    std::fs::write(home.path().join("t.json"), "[1, 99999999]").unwrap();
    assert_says(&said(&["--prompt", "x", "--tokens", "t.json"]), &["99999999", "vocabulary"]);
    if !cfg!(feature = "cuda") {
        assert_says(&said(&["--prompt", "x", "--device", "cuda"]), &["cuda", "not available", "cargo feature"]);
    }
}
