//! Every fault of a server ends in a right file or in a clear sentence.

use crate::scene::{MODEL, TOKEN, WEIGHTS, all, assert_whole, fetch, get, look, noise_model, server, settings, side};
use crate::server::{Fault, Repo};
use pentimento::hub::{Download, Error, Shelf};
use std::path::Path;

const SIZE: usize = 600_000;

/// The faults, one after the other, then the model; tells what the server was asked.
fn after(faults: &[(&str, Fault, usize)]) -> (Result<(), Error>, crate::server::Server, tempfile::TempDir) {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(SIZE)));
    for (file, fault, times) in faults {
        server.fails(file, fault, *times);
    }
    let result = get(&settings(home.path(), &server.endpoint)).map(|installed| {
        assert_whole(&installed.folder, &[&noise_model(SIZE), &side()]);
    });
    (result, server, home)
}

/// Nothing has a file's name whose content is not the file's.
#[track_caller]
fn assert_no_wrong_file(home: &Path) {
    for entry in std::fs::read_dir(home.join("huggingface/hub/models--BLIP3o--BLIP3o-NEXT-SFT-3B/blobs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".incomplete") {
            assert_eq!(crate::server::hash(&std::fs::read(&path).unwrap(), name.len() == 64).hex(), name);
        }
    }
}

#[test]
fn what_passes_ends_in_the_right_file() {
    type Faults = [(&'static str, Fault, usize)];
    let cases: &[(&str, &Faults)] = &[
        ("nothing", &[]),
        ("the connection drops, again and again", &[(WEIGHTS, Fault::Drop(70_000), 7)]),
        ("it drops before the first byte", &[(WEIGHTS, Fault::Drop(0), 4), ("config.json", Fault::Drop(0), 4)]),
        ("it stalls", &[(WEIGHTS, Fault::Stall(50_000), 2), ("tokenizer.json", Fault::Stall(0), 1)]),
        ("a body is too short", &[(WEIGHTS, Fault::Short(1000), 2)]),
        ("a body is too long", &[(WEIGHTS, Fault::Long, 2)]),
        ("a byte is another", &[(WEIGHTS, Fault::Corrupt, 1), ("config.json", Fault::Corrupt, 1)]),
        ("a server is busy", &[(WEIGHTS, Fault::Status(429, Some("1")), 1), ("tokenizer.json", Fault::Status(503, None), 3)]),
        ("a server is broken", &[(WEIGHTS, Fault::Status(500, None), 2), ("config.json", Fault::Status(502, None), 2)]),
        ("a signature has run out", &[(WEIGHTS, Fault::Status(403, None), 1)]),
        ("there are no ranges", &[(WEIGHTS, Fault::Drop(90_000), 1), (WEIGHTS, Fault::NoRange, 1)]),
        ("a range is another", &[(WEIGHTS, Fault::Drop(90_000), 1), (WEIGHTS, Fault::WrongRange, 1)]),
        ("it is no HTTP", &[(WEIGHTS, Fault::Noise, 2)]),
        (
            "all at once",
            &[
                (WEIGHTS, Fault::Status(503, None), 1),
                (WEIGHTS, Fault::Drop(100_000), 1),
                (WEIGHTS, Fault::Noise, 1),
                (WEIGHTS, Fault::Stall(100_000), 1),
                (WEIGHTS, Fault::NoRange, 1),
            ],
        ),
    ];
    for (what, faults) in cases {
        let (result, server, home) = after(faults);
        assert!(result.is_ok(), "{what}: {result:?}");
        assert_eq!(server.faults_left(), 0, "{what}: the fault did not happen");
        assert_no_wrong_file(home.path());
    }
}

#[test]
fn what_does_not_pass_ends_in_a_sentence() {
    let cases: &[(Fault, usize, &str)] = &[
        (Fault::Drop(0), 99, "the connection broke off 5 times in a row; what is here is kept"),
        (Fault::Stall(0), 99, "sent nothing for too long, 5 times in a row"),
        (Fault::Corrupt, 2, "the file that arrived is damaged, twice in a row"),
        (Fault::Short(10), 99, "the file on the server is not the one that was offered"),
        (Fault::Changed, 1, "the file on the server is not the one that was offered"),
        (Fault::Status(429, Some("0")), 99, "127.0.0.1 is too busy (429) and still was after 5 tries"),
        (Fault::Status(503, None), 99, "127.0.0.1 is too busy (503)"),
        (Fault::Status(404, None), 1, "localhost does not have model-00001-of-00002.safetensors"),
        (Fault::Status(418, None), 1, "status 418"),
        (Fault::Loop, 99, "redirects without an end"),
        (Fault::Elsewhere("file:///etc/passwd"), 1, "a redirect to what is no address"),
    ];
    for (fault, times, sentence) in cases {
        let (result, server, home) = after(&[(WEIGHTS, fault.clone(), *times)]);
        let said = result.expect_err(&format!("{fault:?}")).to_string();
        assert!(said.contains(sentence), "{fault:?}: {said}");
        assert_no_wrong_file(home.path());
        // It can be gone on with, and then is whole.
        drop(server);
        let healthy = crate::scene::server(noise_model(SIZE));
        let settings = settings(home.path(), &healthy.endpoint);
        let again = fetch(&Download::resume(&settings, crate::scene::NAME).unwrap()).unwrap();
        assert_whole(&again.folder, &[&noise_model(SIZE), &side()]);
    }
}

#[test]
fn what_is_here_is_not_fetched_again() {
    let (result, server, _home) = after(&[(WEIGHTS, Fault::Drop(400_000), 1)]);
    result.unwrap();
    let resumed: Vec<u64> = server.asked().iter().filter(|a| !a.site && a.path.ends_with(WEIGHTS)).filter_map(|a| a.range).collect();
    assert_eq!(resumed.len(), 1);
    assert!(resumed[0] > 0 && resumed[0] <= 400_000, "{resumed:?}");
    // Optimizer states and the side repository's weights are nobody's wish.
    assert!(!server.asked().iter().any(|a| a.path.ends_with("optimizer.pt") || a.path.ends_with("diffusion_pytorch_model.safetensors")));
}

#[test]
fn the_token_goes_to_the_site_alone_and_nothing_to_others() {
    let (result, server, _home) = after(&[]);
    result.unwrap();
    let asked = server.asked();
    assert!(asked.iter().filter(|a| a.site).count() > 5 && asked.iter().filter(|a| !a.site).count() > 2);
    for a in asked {
        assert_eq!(a.token, a.site.then(|| format!("Bearer {TOKEN}")), "{}", a.path);
    }
}

#[test]
fn names_that_lead_out_are_refused_before_anything_is_written() {
    for bad in
        ["../x.json", "/etc/x.json", "a\\..\\x.json", "C:x.json", "a/../../x.json", "x\0.json", "a//b.json", "nul.json", "config.JSON"]
    {
        let (home, server) = (tempfile::tempdir().unwrap(), server(Repo { also: vec![bad.to_owned()], ..noise_model(SIZE) }));
        let error = look(&settings(home.path(), &server.endpoint)).unwrap_err();
        assert!(matches!(error, Error::Hostile { .. } | Error::Answer { .. }), "{bad:?}: {error}");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "{bad:?}");
    }
}

#[test]
fn what_is_no_model_or_not_there_is_said() {
    let home = tempfile::tempdir().unwrap();
    let said = |repo: Option<Repo>| {
        let server = crate::server::Server::start();
        if let Some(repo) = repo {
            server.has(MODEL, repo);
        }
        look(&settings(home.path(), &server.endpoint)).unwrap_err().to_string()
    };
    assert!(said(None).contains("does not have BLIP3o/BLIP3o-NEXT-SFT-3B"));
    assert!(said(Some(Repo::new('a').with("pytorch_model.bin", "x"))).contains("it has no config.json"));
    let no_weights = Repo::new('a').with("config.json", "{}").with("tokenizer.json", "{}");
    assert!(said(Some(no_weights)).contains("it has no weights as safetensors"));
    assert!(said(Some(noise_model(SIZE))).contains("does not have Efficient-Large-Model"));
    assert!(said(Some(Repo { commit: "../..".to_owned(), ..noise_model(SIZE) })).contains("the commit"));
    let nowhere = look(&settings(home.path(), "http://127.0.0.1:1")).unwrap_err();
    assert!(nowhere.is_offline() && nowhere.to_string().contains("cannot be reached"), "{nowhere}");
    let no_address = look(&settings(home.path(), "ftp://127.0.0.1")).unwrap_err();
    assert!(no_address.to_string().contains("HF_ENDPOINT"), "{no_address}");
}

#[test]
fn a_mirror_that_states_little_is_asked_file_by_file() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(Repo { terse: true, ..noise_model(SIZE) }));
    let settings = settings(home.path(), &server.endpoint);
    let installed = get(&settings).unwrap();
    assert_whole(&installed.folder, &[&noise_model(SIZE), &side()]);
    assert!(server.asked().iter().any(|a| a.method == "HEAD"));
}

#[test]
fn damage_on_the_disk_is_found_and_mended() {
    let (result, server, home) = after(&[]);
    result.unwrap();
    let settings = settings(home.path(), &server.endpoint);
    let shelf = Shelf::new(&settings);
    let path = home.path().join("models").join(crate::scene::NAME).join(WEIGHTS);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1234] ^= 1;
    std::fs::write(path.canonicalize().unwrap(), &bytes).unwrap();
    std::fs::remove_file(path.with_file_name("config.json").canonicalize().unwrap()).unwrap();
    let bad = shelf.verify(crate::scene::NAME, &pentimento::hub::Stop::default(), |_| {}).unwrap();
    let mut bad: Vec<(&str, bool)> = bad.iter().map(|b| (b.path.as_str(), b.missing)).collect();
    bad.sort_unstable();
    assert_eq!(bad, [("config.json", true), (WEIGHTS, false)]);
    assert_eq!(shelf.find(crate::scene::NAME).unwrap().missing, 1);
    // Bytes of an earlier try that went bad are no obstacle either.
    let offer = look(&settings).unwrap();
    assert_eq!(all(&offer), Vec::<String>::new(), "the licences were accepted before");
    fetch(&Download::begin(&settings, &offer, &[]).unwrap()).unwrap();
    assert_eq!(shelf.verify(crate::scene::NAME, &pentimento::hub::Stop::default(), |_| {}).unwrap(), []);
}
