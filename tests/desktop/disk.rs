//! The program where its folder cannot be written: a full disk, and one that is write-protected. It says so, it goes on
//! working, and what was kept before stays whole.

use crate::program::Program;
use crate::screen::Screen;
use crate::{ONE, controls};
use pentimento::document::{Document, Revision};
use pentimento::imaging::{self, Format, Picture};
use pentimento::project::Project;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::Duration;

/// A small disk of its own, which takes a right that not every machine gives.
struct Disk(PathBuf);

impl Disk {
    fn new(at: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&at).output();
        let mounted = mounted.is_ok_and(|m| m.status.success());
        if !mounted {
            eprintln!("not tested: no small disk to be had here");
        }
        mounted.then_some(Self(at))
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status();
        assert!(done.unwrap().success());
    }

    fn project(&self) -> PathBuf {
        self.0.join("projects/current.pentimento")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have the program on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A picture file of 128 pixels a side.
fn picture(at: &Path) -> PathBuf {
    let rgb: Vec<u8> = (0..128 * 128).flat_map(|i| [(i % 128) as u8, (i / 128) as u8, 90]).collect();
    imaging::save(&Picture::from_rgb8(128, 128, &rgb).unwrap(), at, Format::Png).unwrap();
    at.to_owned()
}

/// What a project's file holds, after a check of all of it.
fn look(path: &Path) -> Document {
    let project = Project::open_read_only(path).unwrap();
    project.check().unwrap();
    project.document(1 << 40).unwrap()
}

fn titles(document: &Document) -> Vec<&str> {
    document.revisions().iter().map(Revision::title).collect()
}

#[test]
fn on_a_full_disk_it_says_so_and_loses_nothing() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path().join("disk"), "4m") else { return };
    let screen = Screen::start();
    let photo = picture(&folder.path().join("meadow.png"));
    let mut program = Program::start(&screen, &disk.0, &[&photo]);
    screen.until_title(60, |t| t.starts_with("meadow.png"));
    screen.focus();
    controls::set_steps(&screen, 2);
    controls::run(&screen, "a red car on the beach", 1);
    program.until_kept(60, 2);
    sleep(Duration::from_millis(300)); // where it looks is kept as well
    let before = look(&disk.project());
    assert_eq!(before.revisions().len(), 2);

    // Whatever room there is goes to another file.
    let ballast = disk.0.join("ballast");
    let mut size = 4 << 20;
    while size > 0 {
        let mut file = fs::File::options().create(true).append(true).open(&ballast).unwrap();
        if std::io::Write::write_all(&mut file, &vec![1; size]).is_err() {
            size /= 2;
        }
    }
    controls::run(&screen, "a green tree at night", 1);
    program.until_said(60, "What was made is not kept on the disk: the disk is full", 1);
    screen.until_title(20, |t| t.starts_with("a green tree at night"));
    let same = look(&disk.project());
    assert_eq!(same.revisions(), before.revisions(), "what was kept stays as it was");
    assert!(program.kept().iter().all(|id| same.revisions().iter().any(|r| r.id.0 == *id)));

    // It goes on making pictures, and all of them go to where there is room.
    controls::run(&screen, "a fox in the snow", 1);
    screen.until_title(60, |t| t.starts_with("a fox in the snow"));
    let elsewhere = folder.path().join("saved.pentimento");
    screen.key("ctrl+s");
    controls::answer(&screen, &elsewhere);
    program.until_said(30, "Saved as saved", 1);
    assert!(program.quit(&screen).0.success());
    let prompts = ["meadow.png", "a red car on the beach", "a green tree at night", "a fox in the snow", "a boat at night"];
    assert_eq!(titles(&look(&elsewhere)), prompts[..4]);
    assert_eq!(look(&disk.project()).revisions(), before.revisions());

    // The project on the full disk is still one to go on with, and what was owed is paid once there is room.
    let mut program = Program::start(&screen, &disk.0, &[]);
    screen.until_title(60, |t| t.starts_with(prompts[1]));
    screen.focus();
    controls::set_steps(&screen, 2);
    for prompt in &prompts[2..4] {
        controls::run(&screen, prompt, 1);
        screen.until_title(60, |t| t.starts_with(prompt));
    }
    assert!(program.kept().is_empty() && program.said("the project does not take this").is_empty());
    fs::remove_file(ballast).unwrap();
    controls::run(&screen, prompts[4], 1);
    program.until_kept(60, 3);
    assert!(program.quit(&screen).0.success());
    assert_eq!(titles(&look(&disk.project())), prompts);
}

#[test]
fn in_a_protected_folder_it_works_and_keeps_nothing() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path().join("disk"), "8m") else { return };
    let screen = Screen::start();
    let photo = picture(&folder.path().join("meadow.png"));
    let work = |program: &mut Program, prompt: &str| {
        screen.focus();
        controls::set_steps(&screen, 2);
        controls::run(&screen, prompt, 1);
        screen.until_title(60, |t| t.starts_with(prompt));
        assert!(program.quit(&screen).0.success());
        assert!(program.kept().is_empty());
    };

    // Nothing can even be begun.
    disk.remount("ro");
    let mut program = Program::start(&screen, &disk.0, &[&photo]);
    screen.until_title(60, |t| t.starts_with("meadow.png"));
    program.until_said(20, "What was made is not kept on the disk", 1);
    work(&mut program, "a fox in the snow");
    assert!(!disk.project().exists());

    // There is a project to look at.
    disk.remount("rw");
    let mut program = Program::start(&screen, &disk.0, &[&photo]);
    program.until_kept(60, 1);
    screen.until_title(60, |t| t.starts_with("meadow.png"));
    screen.focus();
    assert!(program.quit(&screen).0.success());
    let before = look(&disk.project());
    disk.remount("ro");
    let mut program = Program::start(&screen, &disk.0, &[]);
    screen.until_title(60, |t| t.starts_with("meadow.png"));
    program.until_said(20, "what you make here is not kept", 1);
    work(&mut program, "a boat at night");
    assert_eq!(look(&disk.project()), before);
}
