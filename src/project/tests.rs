//! Formats that are to come: an old file is brought to a new one on a copy.

use super::*;
use crate::document::{LocalEdit, Origin, Placing};
use crate::imaging::{Blend, ContextBox, Mask};
use std::sync::Arc;

fn picture(red: u8) -> Picture {
    Picture::from_rgb8(2, 1, &[red, 2, 3, 4, 5, 6]).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_old_file_is_brought_to_the_newest_format_on_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let mut document = Document::default();
    let root = document.record(None, Origin::Pasted, picture(1));
    document.go(root);
    drop(Project::create(&path, &document, &BTreeMap::new(), &State::default()).unwrap());
    let before = fs::read(&path).unwrap();
    let newest = file::MIGRATIONS.len();
    let with = |sql: &'static str| [file::MIGRATIONS, &[sql]].concat();
    let next = with("ALTER TABLE revision ADD COLUMN mood TEXT; CREATE TABLE more (x) STRICT;");
    // The next migration is wrong (STRICT wants a type): nothing changes.
    assert!(Project::open_known(&path, &next).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), ["a.pentimento"]);

    let next = with("ALTER TABLE revision ADD COLUMN mood TEXT;");
    // Only looking: the file stays as it is.
    let looking = Project::look_known(&path, &next).unwrap();
    assert_eq!(looking.document(1 << 20).unwrap(), document);
    drop(looking);
    assert_eq!(fs::read(&path).unwrap(), before);

    let new = Project::open_known(&path, &next).unwrap();
    assert_eq!(new.document(1 << 20).unwrap(), document);
    new.connection.query_row("SELECT mood FROM revision", [], |_| Ok(())).unwrap();
    new.check().unwrap();
    drop(new);
    let old = format!("a.pentimento-format-{newest}");
    assert_eq!(names(folder.path()), ["a.pentimento", &old]);
    assert_eq!(fs::read(folder.path().join(old)).unwrap(), before);
    let refused = Project::open(&path).unwrap_err();
    assert!(matches!(refused, Error::Newer { found, known, .. } if (found, known) == (newest as u32 + 1, newest as u32)), "{refused}");
}

#[test]
fn files_of_every_format_so_far_are_brought_to_the_next_on_a_copy() {
    let next = [file::MIGRATIONS, &["ALTER TABLE revision ADD COLUMN mood TEXT;"]].concat();
    let files: [&[u8]; 3] = [
        include_bytes!("../../tests/project/format-1.pentimento"),
        include_bytes!("../../tests/project/format-2.pentimento"),
        include_bytes!("../../tests/project/format-3.pentimento"),
    ];
    assert_eq!(files.len(), file::MIGRATIONS.len(), "a new format has a file of its own");
    for (format, bytes) in (1..).zip(files) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pentimento");
        fs::write(&path, bytes).unwrap();
        let before = Project::open_read_only(&path).unwrap().document(1 << 30).unwrap();
        let new = Project::open_known(&path, &next).unwrap();
        assert_eq!(new.document(1 << 30).unwrap(), before, "format {format}");
        new.connection.query_row("SELECT mood FROM revision", [], |_| Ok(())).unwrap();
        new.check().unwrap();
        drop(new);
        assert!(fs::read(folder.path().join(format!("a.pentimento-format-{format}"))).unwrap() == bytes, "format {format} stays beside it");
    }
}

#[test]
fn what_is_used_twice_is_kept_once_and_swept_when_nobody_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut project =
        Project::create(&folder.path().join("a.pentimento"), &Document::default(), &BTreeMap::new(), &State::default()).unwrap();
    let mut document = Document::default();
    for red in [1, 1, 2] {
        let id = document.record(None, Origin::Pasted, picture(red));
        project.record(document.revision(id).unwrap(), None).unwrap();
    }
    let blobs = |project: &Project| project.connection.query_row("SELECT count(*) FROM blob", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(blobs(&project), 2);
    project.prune(&[RevisionId(0), RevisionId(2)]).unwrap();
    assert_eq!(blobs(&project), 1);
    for mask in [vec![1, 2], vec![3]] {
        project.save_state(&State { mask: Some(mask.into()), ..State::default() }).unwrap();
        assert_eq!(blobs(&project), 2, "the mask before is gone");
    }
    project.prune(&[RevisionId(1)]).unwrap();
    assert_eq!(blobs(&project), 1);
    assert_eq!(project.document(0).unwrap().next(), RevisionId(3), "ids are not given again");
}

#[test]
fn pruned_edits_take_their_results_and_selections_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let mut project = Project::create(&path, &Document::default(), &BTreeMap::new(), &State::default()).unwrap();
    let mut document = Document::default();
    let root = document.record(None, Origin::Pasted, picture(0));
    project.record(document.revision(root).unwrap(), None).unwrap();
    let mut mask = Mask::new(2, 1).unwrap();
    mask.fill(9);
    for red in [1, 2] {
        let placing = Placing::Selection { mask: mask.clone(), blend: Blend::default() };
        let seen = ContextBox { left: 0, top: 0, width: 2, height: 2 };
        let local = LocalEdit { seen, result: picture(10 * red), reconstruction: Some(picture(20 * red)), placing };
        let id = document.record_at(Some(root), Origin::Pasted, picture(red), 0, None, Some(Arc::new(local)));
        project.record(document.revision(id).unwrap(), None).unwrap();
    }
    let count = |project: &Project, table: &str| {
        project.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    // Of the two edits the results differ (10, 20), one reconstruction is the other's result (20, 40), the selection is one.
    assert_eq!((count(&project, "blob"), count(&project, "local")), (3 + 3 + 1, 2));
    project.prune(&[RevisionId(1)]).unwrap();
    assert_eq!((count(&project, "blob"), count(&project, "local")), (2 + 2 + 1, 1));
    document.prune(RevisionId(1)).unwrap();
    document.go(RevisionId(2));
    assert_eq!(project.document(1 << 20).unwrap(), document);
    project.prune(&[RevisionId(2)]).unwrap();
    assert_eq!((count(&project, "blob"), count(&project, "local")), (1, 0));
    project.check().unwrap();
}

#[test]
fn what_is_pruned_makes_room_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let mut project = Project::create(&path, &Document::default(), &BTreeMap::new(), &State::default()).unwrap();
    let before = fs::metadata(&path).unwrap().len();
    let mut document = Document::default();
    let noise: Vec<u8> = (0..300 * 300 * 3u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let id = document.record(None, Origin::Pasted, Picture::from_rgb8(300, 300, &noise).unwrap());
    project.record(document.revision(id).unwrap(), None).unwrap();
    assert!(fs::metadata(&path).unwrap().len() > before + 100_000);
    project.prune(&[id]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), before);
    project.check().unwrap();
}
