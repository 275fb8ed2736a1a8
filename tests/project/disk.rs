//! Two windows, folders that are write-protected, disks that are full.

#![cfg(unix)]

use crate::small_disk::Disk;
use crate::{PLENTY, assert_sentence, made, noise, small};
use pentimento::document::{Document, RevisionId};
use pentimento::project::{Error, Project, State};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

#[test]
fn the_second_window_only_looks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let (mut first, mut document) = small(&path);
    let link = folder.path().join("b.pentimento");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for way in [&path, &link] {
        let refused = Project::open(way).unwrap_err();
        assert!(refused.is_in_use() && refused.is_read_only(), "{refused}");
        assert_sentence(&refused);
    }
    let mut second = Project::open_read_only(&path).unwrap();
    assert!(second.is_read_only() && !first.is_read_only());
    assert_eq!(second.document(PLENTY).unwrap(), document);
    let id = document.record(None, made("new"), noise(8, 8, false, 5));
    first.record(document.revision(id).unwrap(), None).unwrap();
    assert_eq!(second.document(PLENTY).unwrap(), document, "who looks sees what is new");
    let errors = [
        second.record(document.revision(id).unwrap(), None),
        second.set_current(id, None),
        second.rename(id, None),
        second.star(id, true),
        second.prune(&[id]),
        second.save_state(&State::default()),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
        assert_sentence(&error);
    }
    drop(first);
    let third = Project::open(&path).unwrap();
    assert!(!third.is_read_only(), "once the first window is gone, another may write");
}

#[test]
fn nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    fs::write(&path, "precious").unwrap();
    let error = Project::create(&path, &Document::default(), &BTreeMap::new(), &State::default()).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_sentence(&error);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    // A journal that a removed project has left is not played back into a new one.
    let path = folder.path().join("b.pentimento");
    fs::write(folder.path().join("b.pentimento-journal"), vec![0xd9; 5000]).unwrap();
    let (project, document) = small(&path);
    assert_eq!(project.document(PLENTY).unwrap(), document);
}

#[test]
fn in_a_protected_folder_one_can_look() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("disk");
    let disk = Disk::new(&inner, "4m");
    let path = inner.join("a.pentimento");
    let (project, document) = small(&path);
    drop(project);
    match &disk {
        Some(disk) => assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().unwrap().success()),
        None => fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).unwrap(),
    }
    if fs::write(inner.join("x"), "x").is_ok() {
        eprintln!("not tested: nothing is write-protected here");
        return;
    }
    let other = inner.join("b.pentimento");
    let refused = [Project::open(&path).unwrap_err(), Project::create(&other, &document, &BTreeMap::new(), &State::default()).unwrap_err()];
    for error in refused {
        assert!(error.is_read_only() && !error.is_in_use(), "{error}");
        assert_sentence(&error);
    }
    let looking = Project::open_read_only(&path).unwrap();
    assert_eq!(looking.document(PLENTY).unwrap(), document);
    drop(looking);
    if disk.is_none() {
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Records until there is no room, and goes on once there is.
fn fill(path: &Path, make_room: impl FnOnce()) -> Error {
    let (mut project, mut document) = small(path);
    let mut before = document.clone();
    let error = loop {
        let id = document.record(Some(RevisionId(0)), made("more"), noise(200, 100, false, document.next().0.into()));
        match project.record(document.revision(id).unwrap(), None) {
            Ok(()) => before = document.clone(),
            Err(e) => break e,
        }
        assert!(id.0 < 100, "there is no end to this disk");
    };
    assert_sentence(&error);
    assert_eq!(project.document(PLENTY).unwrap(), before, "what was kept is there while the window is open");
    project.check().unwrap();
    drop(project);
    let project = Project::open_read_only(path).unwrap();
    assert_eq!(project.document(PLENTY).unwrap(), before, "and after it was closed");
    drop(project);
    let other = path.with_extension("other");
    match Project::create(&other, &before, &BTreeMap::new(), &State::default()) {
        Ok(whole) => assert_eq!(whole.document(PLENTY).unwrap(), before),
        Err(error) => {
            assert_sentence(&error);
            assert!(!other.exists(), "all or nothing");
        }
    }
    let left =
        fs::read_dir(path.parent().unwrap()).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "part"));
    assert_eq!(left.count(), 0, "no drafts are left");
    make_room();
    let mut project = Project::open(path).unwrap();
    project.record(document.revisions().last().unwrap(), None).unwrap();
    assert_eq!(project.document(PLENTY).unwrap(), document, "once there is room, what failed is kept");
    project.check().unwrap();
    error
}

#[test]
fn on_a_full_disk_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(&folder.path().join("disk"), "2m") else {
        eprintln!("not tested: no small disk to be had here");
        return;
    };
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![1; 600_000]).unwrap();
    let error = fill(&disk.0.join("a.pentimento"), || fs::remove_file(&ballast).unwrap());
    assert!(error.is_disk_full(), "{error}");
}

const CHILD: &str = "PENTIMENTO_TEST_PROJECT_LIMIT";

/// The other half of the next test, in a process that may not write long files.
#[test]
fn limited_child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let limit = |bytes: libc::rlim_t| {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: a plain struct of two numbers is read; the signal's default would end the process.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
        }
    };
    limit(900_000);
    fill(Path::new(&path), || limit(libc::RLIM_INFINITY));
}

#[test]
fn where_files_may_not_grow_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["disk::limited_child", "--exact"])
        .env(CHILD, folder.path().join("a.pentimento"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}
