//! Formats that are to come: an old file is brought to a new one on a copy.

use super::*;
use crate::document::Origin;

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
    let next = [file::MIGRATIONS[0], "ALTER TABLE revision ADD COLUMN mood TEXT; CREATE TABLE more (x) STRICT;"];
    // The second migration is wrong (STRICT wants a type): nothing changes.
    assert!(Project::open_known(&path, &next).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), ["a.pentimento"]);

    let next = [file::MIGRATIONS[0], "ALTER TABLE revision ADD COLUMN mood TEXT;"];
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
    assert_eq!(names(folder.path()), ["a.pentimento", "a.pentimento-format-1"]);
    assert_eq!(fs::read(folder.path().join("a.pentimento-format-1")).unwrap(), before);
    assert!(matches!(Project::open(&path), Err(Error::Newer { found: 2, known: 1, .. })), "and who knows only the old says so");
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
