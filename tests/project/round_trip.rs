//! What goes in comes out.

use crate::{PLENTY, assert_sentence, made, noise, small, steps};
use pentimento::document::{Document, Origin, RevisionId};
use pentimento::project::{Error, Project, State, View};
use pentimento::recipe::{ModelId, Recipe, Sampling, Size};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn a_project_is_as_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Füchse.pentimento");
    let (project, document) = small(&path);
    drop(project);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "one file at rest");
    let header = std::fs::read(&path).unwrap();
    assert_eq!((&header[16..18], &header[60..64], &header[68..72]), (&[0x40, 0][..], &[0, 0, 0, 1][..], &b"Pent"[..]));
    for project in [Project::open(&path).unwrap(), Project::open_read_only(&path).unwrap()] {
        assert_eq!(project.document(PLENTY).unwrap(), document);
        assert_eq!(project.thumbnails().unwrap(), BTreeMap::from([(RevisionId(1), noise(4, 3, false, 9))]));
        assert_eq!(project.state().unwrap().prompt, "make it…");
        project.check().unwrap();
    }
    let few = Project::open(&path).unwrap().document(1000).unwrap_err();
    assert!(matches!(few, Error::TooLarge { most_bytes: 1000, .. }), "{few}");
    assert_sentence(&few);
}

#[test]
fn numbers_and_folders_that_are_no_text_do_not_cost_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (mut project, mut document) = small(&folder.path().join("a.pentimento"));
    let keep = |project: &mut Project, document: &mut Document, recipe: Recipe, seconds| {
        let origin = Origin::Made { recipe: Box::new(recipe), tokens: Arc::from([]), seconds };
        let id = document.record(None, origin, noise(2, 2, false, 1));
        project.record(document.revision(id).unwrap(), None).map(|()| id)
    };
    let id = keep(&mut project, &mut document, Recipe::new(ModelId::Nano, "x"), f64::NAN).unwrap();
    assert_eq!(project.document(PLENTY).unwrap().revision(id).unwrap().seconds(), Some(0.0));
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        let strange = ModelId::Folder(std::ffi::OsString::from_vec(b"/models/\xff".to_vec()).into());
        let id = keep(&mut project, &mut document, Recipe::new(strange, "x"), 1.0).unwrap();
        assert_eq!(project.document(PLENTY).unwrap().revision(id).unwrap().recipe().unwrap().model.name(), "\u{fffd}");
    }
    let broken = Recipe { guidance: f32::NAN, ..Recipe::new(ModelId::Nano, "x") };
    let error = keep(&mut project, &mut document, broken, 1.0).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_sentence(&error);
}

#[test]
fn what_does_not_fit_the_tree_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut project, document) = small(&folder.path().join("a.pentimento"));
    let again = project.record(&document.revisions()[1], None).unwrap_err();
    let mut orphan = document.revisions()[1].clone();
    (orphan.id, orphan.parent) = (RevisionId(9), Some(RevisionId(8)));
    let orphan = project.record(&orphan, None).unwrap_err();
    let used = project.prune(&[RevisionId(0)]).unwrap_err();
    let none = project.rename(RevisionId(77), Some("x")).unwrap_err();
    for error in [again, orphan, used, none] {
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert_sentence(&error);
    }
    assert_eq!(project.document(PLENTY).unwrap(), document, "and nothing has changed");
}

fn origin() -> impl Strategy<Value = Origin> {
    let recipe = (any::<(bool, u64, Option<u64>, bool)>(), ".{0,20}", -1e9f32..1e9, 0.0f32..=2.0).prop_map(|(n, prompt, guidance, t)| {
        let model = if n.0 { ModelId::Nano } else { ModelId::Folder(format!("/m/{prompt}").into()) };
        let size = n.3.then_some(Size { width: 7, height: 9 });
        let sampling = Sampling { temperature: t, top_p: t / 3.0, ..Sampling::default() };
        Recipe { seed: n.1, finish_seed: n.2, size, guidance, sampling, ..Recipe::new(model, prompt) }
    });
    prop_oneof![
        ".{0,20}".prop_map(|name| Origin::Opened { name }),
        Just(Origin::Pasted),
        (recipe, prop::collection::vec(any::<u32>(), 0..5), 0.0..1e6).prop_map(|(recipe, tokens, seconds)| Origin::Made {
            recipe: Box::new(recipe),
            tokens: tokens.into(),
            seconds
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Everything that a person can do, kept one by one; now and then the file is closed and opened.
    #[test]
    fn any_document_comes_back(
        acts in prop::collection::vec((0u8..9, 0u32..9, origin(), (1u32..12, 1u32..12, any::<bool>(), any::<i32>())), 1..24),
        zoom in prop::option::of((0.01..64.0, -1e5..1e5, -1e5..1e5)),
        mask in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pentimento");
        let mut document = Document::default();
        let mut project = Project::create(&path, &document, &BTreeMap::new(), &State::default()).unwrap();
        let mut state = State::default();
        for (act, n, origin, (width, height, deep, made_at)) in acts {
            let id = RevisionId(n);
            match act {
                0..4 => {
                    let way = (n % 2 == 0).then(|| steps(u64::from(n)));
                    let parent = (n > 2).then_some(id);
                    let id = document.record_at(parent, origin, noise(width, height, deep, n.into()), made_at.into(), way, None);
                    project.record(document.revision(id).unwrap(), None).unwrap();
                    if document.current().is_none() {
                        document.go(id);
                    }
                }
                4 => { document.go(id); }
                5 => { if n < 5 { document.undo(); } else { document.redo(); } }
                6 => if document.rename(id, "A name") { project.rename(id, Some("A name")).unwrap(); },
                7 => if document.star(id, n % 2 == 0) { project.star(id, n % 2 == 0).unwrap(); },
                _ => if let Some(gone) = document.prune(id) { project.prune(&gone).unwrap(); },
            }
            if let Some(current) = document.current().map(|r| r.id) {
                project.set_current(current, document.last_child().get(&current).copied()).unwrap();
            }
            if n == 0 {
                state = State {
                    prompt: format!("{width} {height}"),
                    view: zoom.map(|(zoom, x, y)| View { zoom, centre: (x, y) }),
                    mask: mask.clone().map(Arc::from),
                };
                project.save_state(&state).unwrap();
                drop(project);
                project = Project::open(&path).unwrap();
            }
            prop_assert_eq!(project.document(PLENTY).unwrap(), document.clone());
        }
        prop_assert_eq!(project.state().unwrap(), state.clone());
        project.check().unwrap();
        let whole = folder.path().join("b.pentimento");
        let other = Project::create(&whole, &document, &BTreeMap::new(), &state).unwrap();
        prop_assert_eq!(other.document(PLENTY).unwrap(), document);
        prop_assert_eq!(other.state().unwrap(), state);
    }
}

#[test]
fn a_deep_tree_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut document = Document::default();
    let mut parent = None;
    for n in 0..3000 {
        parent = Some(document.record(parent, made(&format!("step {n}")), noise(1, 1, false, n % 4)));
    }
    document.go(parent.unwrap());
    let mut project = Project::create(&folder.path().join("a.pentimento"), &document, &BTreeMap::new(), &State::default()).unwrap();
    document.undo();
    project.set_current(RevisionId(2998), Some(RevisionId(2999))).unwrap();
    assert_eq!(project.document(PLENTY).unwrap(), document);
}
