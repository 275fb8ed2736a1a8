//! Files of formats that were released: `format-1.pentimento` was written by the first program that wrote projects;
//! `format-2.pentimento` is that file in the next format, with an edit of a part in it; `format-3.pentimento` has what
//! [`third`] makes, written by the program of that format.

use crate::{PLENTY, edited, noise, small};
use pentimento::document::{Document, LocalEdit, Origin, Placing, Revision, RevisionId};
use pentimento::imaging::{ContextBox, Tone, Tool};
use pentimento::project::{Project, State, View};
use pentimento::recipe::{Factor, ModelId, Recipe, Upscaling};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const FIRST: &[u8] = include_bytes!("format-1.pentimento");
const SECOND: &[u8] = include_bytes!("format-2.pentimento");
const THIRD: &[u8] = include_bytes!("format-3.pentimento");

/// What is in the file: what [`small`] makes, and where a person was.
fn document(folder: &Path) -> Document {
    small(&folder.join("other.pentimento")).1
}

#[track_caller]
fn assert_whole(project: &Project, document: &Document) {
    assert_eq!(&project.document(PLENTY).unwrap(), document);
    assert_eq!(project.thumbnails().unwrap(), BTreeMap::from([(RevisionId(1), noise(4, 3, false, 9))]));
    let view = Some(View { zoom: 2.5, centre: (12.0, -3.5) });
    assert_eq!(project.state().unwrap(), State { prompt: "make it snow".into(), view, mask: Some(Arc::from([1, 2, 3, 250])) });
    project.check().unwrap();
}

#[test]
fn the_first_format_opens_and_stays_beside() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut document = document(other.path());
    let path = folder.path().join("a.pentimento");
    fs::write(&path, FIRST).unwrap();
    // Only looking: nothing changes.
    assert_whole(&Project::open_read_only(&path).unwrap(), &document);
    assert_eq!(fs::read(&path).unwrap(), FIRST);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let mut project = Project::open(&path).unwrap();
    assert_whole(&project, &document);
    // It takes what only the new format has.
    let edits = edited(&other.path().join("edits.pentimento")).1;
    for id in [4, 5, 6].map(RevisionId) {
        let edit = edits.revision(id).unwrap().clone();
        let at = document.record_at(edit.parent, edit.origin, edit.picture.here().unwrap().clone(), edit.made_at, edit.steps, edit.local);
        project.record(document.revision(at).unwrap(), None).unwrap();
    }
    let origin = Origin::Upscaled { upscaling: Upscaling::new(Factor::Two), seconds: 1.25 };
    let larger = document.record_at(Some(RevisionId(0)), origin, noise(80, 60, true, 8), 4, None, None);
    project.record(document.revision(larger).unwrap(), None).unwrap();
    assert_whole(&project, &document);
    drop(project);
    assert_eq!(fs::read(&path).unwrap()[60..64], [0, 0, 0, 3]);
    assert_whole(&Project::open(&path).unwrap(), &document);
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.pentimento", "a.pentimento-format-1"]);
    assert_eq!(fs::read(folder.path().join("a.pentimento-format-1")).unwrap(), FIRST);

    // Who has put the old file back gets it brought over once more, and no copy is written over.
    fs::write(&path, FIRST).unwrap();
    drop(Project::open(&path).unwrap());
    assert_eq!(fs::read(folder.path().join("a.pentimento-format-1-1")).unwrap(), FIRST);
}

#[test]
fn the_second_format_opens_with_its_edits() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.pentimento");
    fs::write(&path, SECOND).unwrap();
    let seen = ContextBox { left: -4, top: 5, width: 32, height: 32 };
    let local = LocalEdit { seen, result: noise(9, 9, false, 3), reconstruction: None, placing: Placing::Whole };
    let looking = Project::open_read_only(&path).unwrap().document(PLENTY).unwrap();
    let project = Project::open(&path).unwrap();
    assert_eq!(project.document(PLENTY).unwrap(), looking);
    project.check().unwrap();
    for (found, first) in looking.revisions().iter().zip(document(other.path()).revisions()) {
        let local = (found.id == RevisionId(1)).then(|| Arc::new(local.clone()));
        assert_eq!(found, &Revision { local, ..first.clone() });
    }
    assert_eq!(fs::read(folder.path().join("a.pentimento-format-2")).unwrap(), SECOND);
}

/// A revision of every kind that the third format has, each with something of its own.
fn third(path: &Path) -> (Project, Document) {
    let (mut project, mut document) = edited(path);
    let step = Recipe { guidance: 1.5, steps: 9, ..Recipe::new(ModelId::Folder("models/big".into()), "a fox") };
    let origin = |recipe: Recipe| Origin::Made { recipe: Box::new(recipe), tokens: Arc::from([3, 4]), seconds: 0.5 };
    for (parent, origin, picture) in [
        (0, Origin::Upscaled { upscaling: Upscaling::new(Factor::Two), seconds: 1.25 }, noise(80, 60, true, 40)),
        (1, Origin::Changed { tool: Tool::Crop { left: 3, top: 4, width: 20, height: 10, of: [40, 30] } }, noise(20, 10, false, 41)),
        (8, Origin::Changed { tool: Tool::Tone(Tone { exposure: 0.5, ..Tone::default() }) }, noise(20, 10, false, 42)),
        (3, origin(step.from_step(4, 6.0)), noise(9, 9, false, 43)),
        (3, origin(Recipe { until: Some(5), ..step }), noise(9, 9, false, 44)),
    ] {
        let id = document.record_at(Some(RevisionId(parent)), origin, picture, 1_700_000_009, None, None);
        project.record(document.revision(id).unwrap(), None).unwrap();
    }
    (project, document)
}

#[test]
#[ignore = "writes the file of the third format, which stays as it was written"]
fn write_the_third_format() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/project/format-3.pentimento");
    let folder = tempfile::tempdir().unwrap();
    let (mut project, document) = third(&folder.path().join("a.pentimento"));
    project.set_current(document.current().unwrap().id, None).unwrap();
    drop(project);
    fs::copy(folder.path().join("a.pentimento"), path).unwrap();
}

#[test]
fn the_third_format_opens_as_it_is() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.pentimento");
    fs::write(&path, THIRD).unwrap();
    let document = third(&other.path().join("a.pentimento")).1;
    for project in [Project::open_read_only(&path).unwrap(), Project::open(&path).unwrap()] {
        assert_eq!(project.document(PLENTY).unwrap().revisions(), document.revisions());
        project.check().unwrap();
    }
    // It is the newest: nothing is brought over, so that nothing has to stay beside it.
    assert_eq!(fs::read(&path).unwrap(), THIRD);
    assert!(fs::read_dir(folder.path()).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().contains("-format-")));
}
