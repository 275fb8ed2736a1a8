//! The shared cache, our folder of models, licences, and what is offered when.

use crate::scene::{MODEL, NAME, SIDE, WEIGHTS, all, fetch, get, look, noise_model, real_model, server, settings, side};
use crate::server::Server;
use pentimento::hub::{Download, Error, Shelf, Source, Stop, look_up};
use pentimento::recipe::ModelId;
use std::path::Path;
use std::time::Duration;

#[test]
fn what_is_fetched_can_be_opened_and_paints() {
    let (home, server) = (tempfile::tempdir().unwrap(), Server::start());
    let (model, side) = real_model();
    server.has(MODEL, model);
    server.has(SIDE, side);
    let installed = get(&settings(home.path(), &server.endpoint)).unwrap();
    let id = ModelId::Folder(installed.folder.clone());
    let checkpoint = pentimento::pipeline::load::Checkpoint::open(&id).unwrap();
    assert!(checkpoint.can_generate().is_ok() && checkpoint.can_edit().is_ok());
    let same = pentimento::pipeline::load::Checkpoint::open(&ModelId::Nano).unwrap();
    assert_eq!(format!("{:?}", checkpoint.configs), format!("{:?}", same.configs));
}

#[test]
fn the_cache_has_the_layout_that_others_know() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(200_000)));
    let installed = get(&settings(home.path(), &server.endpoint)).unwrap();
    let repo = home.path().join("huggingface/hub/models--BLIP3o--BLIP3o-NEXT-SFT-3B");
    let commit = "a".repeat(40);
    assert_eq!(std::fs::read_to_string(repo.join("refs/main")).unwrap(), commit);
    let weights = repo.join("snapshots").join(&commit).join(WEIGHTS);
    assert_eq!(std::fs::read(&weights).unwrap(), crate::scene::noise(2, 200_000));
    if cfg!(unix) {
        let blob = crate::server::hash(&crate::scene::noise(2, 200_000), true);
        assert_eq!(std::fs::read_link(&weights).unwrap(), Path::new("../../blobs").join(blob.hex()));
        let nested = home.path().join("huggingface/hub").join(format!("models--{}", SIDE.replace('/', "--")));
        let link = std::fs::read_link(nested.join("snapshots").join("b".repeat(40)).join("vae/config.json")).unwrap();
        assert!(link.starts_with("../../../blobs"), "{}", link.display());
    }
    assert!(std::fs::read_dir(repo.join("blobs")).unwrap().all(|e| !e.unwrap().file_name().to_str().unwrap().contains("incomplete")));
    // What is missing there is not in the folder, and the licence's text of the other repository is read but not put there.
    assert!(installed.folder.join("vae/config.json").is_file() && !installed.folder.join("optimizer.pt").exists());
}

#[test]
fn a_licence_is_shown_as_stated_and_accepted_once() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(200_000)));
    let settings = settings(home.path(), &server.endpoint);
    let offer = look(&settings).unwrap();
    let licences: Vec<_> = offer.plan.repositories.iter().map(|r| (r.repo.as_str(), r.licence.title(), r.licence.text.as_str())).collect();
    assert_eq!(licences[0].0, MODEL);
    assert_eq!(licences[0].1, "apache-2.0");
    assert!(licences[0].2.contains("states this licence: apache-2.0"));
    assert_eq!(licences[1], (SIDE, "nvidia-open".to_owned(), "NVIDIA's own terms.\nBe kind.\n"));
    let refused = Download::begin(&settings, &offer, &all(&offer)[..1]).err().unwrap();
    assert!(matches!(&refused, Error::NotAccepted { repo } if repo == SIDE), "{refused}");
    assert_eq!(server.sent(), side().files.last().unwrap().1.len() as u64, "nothing but the licence was sent");
    fetch(&Download::begin(&settings, &offer, &all(&offer)).unwrap()).unwrap();
    assert_eq!(look(&settings).unwrap().to_accept().count(), 0);
    // Another text is another licence.
    let mut changed = side();
    changed.files.last_mut().unwrap().1 = std::sync::Arc::new(b"Other terms.".to_vec());
    server.has(SIDE, changed);
    assert_eq!(look(&settings).unwrap().to_accept().map(|r| r.repo.as_str()).collect::<Vec<_>>(), [SIDE]);
}

#[test]
fn what_is_stopped_is_offered_and_goes_on() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(4_000_000)));
    let settings = settings(home.path(), &server.endpoint);
    let shelf = Shelf::new(&settings);
    server.set_speed(2_000_000);
    let offer = look(&settings).unwrap();
    let download = Download::begin(&settings, &offer, &all(&offer)).unwrap();
    std::thread::scope(|scope| {
        let fetched = scope.spawn(|| fetch(&download));
        while download.progress().bytes_done < 1_000_000 {
            std::thread::sleep(Duration::from_millis(5));
        }
        download.stop();
        assert!(fetched.join().unwrap().unwrap_err().is_stopped());
    });
    // Only one window at a time.
    assert!(matches!(Download::resume(&settings, NAME), Err(Error::InUse { .. })));
    drop(download);
    let begun = shelf.unfinished();
    assert_eq!(begun.len(), 1);
    assert!(begun[0].bytes_here >= 1_000_000 && begun[0].bytes_here < begun[0].bytes, "{begun:?}");
    assert_eq!((shelf.installed().len(), begun[0].bytes), (0, offer.bytes));
    server.set_speed(0);
    std::thread::sleep(Duration::from_millis(200)); // the old connections notice
    let (before, here) = (server.sent(), begun[0].bytes_here);
    let again = Download::resume(&settings, NAME).unwrap();
    fetch(&again).unwrap();
    assert_eq!(server.sent() - before, offer.bytes - here);
    let progress = again.progress();
    assert_eq!((progress.bytes_done, progress.files_done), (offer.bytes, progress.files));
    assert_eq!((shelf.installed().len(), shelf.unfinished().len()), (1, 0));
}

#[test]
fn what_is_given_up_leaves_nothing_begun() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(4_000_000)));
    let settings = settings(home.path(), &server.endpoint);
    server.set_speed(2_000_000);
    let offer = look(&settings).unwrap();
    let download = Download::begin(&settings, &offer, &all(&offer)).unwrap();
    std::thread::scope(|scope| {
        let fetched = scope.spawn(|| fetch(&download));
        while download.progress().bytes_done < 1_000_000 {
            std::thread::sleep(Duration::from_millis(5));
        }
        download.stop();
        assert!(fetched.join().unwrap().is_err());
    });
    download.cancel().unwrap();
    assert_eq!(Shelf::new(&settings).unfinished().len(), 0);
    let blobs = home.path().join("huggingface/hub/models--BLIP3o--BLIP3o-NEXT-SFT-3B/blobs");
    assert!(std::fs::read_dir(blobs).unwrap().all(|e| !e.unwrap().file_name().to_str().unwrap().ends_with(".incomplete")));
}

#[test]
fn removing_leaves_what_others_use() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(200_000)));
    let settings = settings(home.path(), &server.endpoint);
    let shelf = Shelf::new(&settings);
    let other = Source::Repository { repo: "someone/else".to_owned(), revision: None };
    server.has("someone/else", noise_model(300_000));
    get(&settings).unwrap();
    let offer = look_up(&settings, &other, &Stop::default()).unwrap();
    fetch(&Download::begin(&settings, &offer, &all(&offer)).unwrap()).unwrap();
    let cache = home.path().join("huggingface/hub");
    // The folder alone: all of it stays in the cache, and comes back without the net.
    assert_eq!(shelf.remove(NAME, false).unwrap(), 0);
    let before = server.sent();
    let begun = look(&settings).unwrap();
    assert_eq!(begun.bytes_here, begun.bytes);
    let licence = server.sent() - before;
    fetch(&Download::begin(&settings, &begun, &[]).unwrap()).unwrap();
    assert_eq!(server.sent() - before, licence, "only the licences were read again");
    // With the cache: the side files are the other model's too.
    assert!(shelf.remove(NAME, true).unwrap() > 300_000);
    assert!(!cache.join("models--BLIP3o--BLIP3o-NEXT-SFT-3B").exists());
    let left = shelf.installed();
    assert_eq!((left.len(), left[0].missing), (1, 0));
    assert_eq!(shelf.verify("someone--else", &Stop::default(), |_| {}).unwrap(), []);
    assert!(matches!(shelf.remove("../../x", true), Err(Error::NotHere { .. })));
}

#[cfg(unix)]
#[test]
fn without_the_net_the_cache_is_offered() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(200_000)));
    let mut settings = settings(home.path(), &server.endpoint);
    get(&settings).unwrap();
    Shelf::new(&settings).remove(NAME, false).unwrap();
    let asked = server.asked().len();
    settings.offline = true;
    let installed = get(&settings).unwrap();
    assert_eq!(installed.missing, 0);
    assert_eq!(server.asked().len(), asked, "something was asked");
    let nothing = look_up(&settings, &Source::parse("someone/else").unwrap(), &Stop::default()).unwrap_err();
    assert!(nothing.is_offline() && nothing.to_string().contains("HF_HUB_OFFLINE"), "{nothing}");
}

#[test]
fn a_disk_without_room_is_told_before() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(200_000)));
    let settings = settings(home.path(), &server.endpoint);
    let mut offer = look(&settings).unwrap();
    offer.plan.repositories[0].files[0].size = 1 << 60;
    let error = Download::begin(&settings, &offer, &all(&offer)).err();
    if cfg!(unix) {
        assert!(error.as_ref().is_some_and(Error::is_disk_full), "{error:?}");
        assert_eq!(Shelf::new(&settings).unfinished().len(), 0);
    }
}
