//! What goes in comes out.

use crate::{PLENTY, assert_sentence, edited, made, mask, noise, small, steps};
use pentimento::document::{Document, LocalEdit, Origin, Placing, Revision, RevisionId};
use pentimento::imaging::{Blend, ContextBox, Mask, Mode, Rect, SourceType, Tags, Tone, Tool};
use pentimento::project::{Error, Project, State, View};
use pentimento::recipe::{Factor, ModelId, Recipe, Sampling, Size, Upscaling};
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
    assert_eq!((&header[16..18], &header[60..64], &header[68..72]), (&[0x40, 0][..], &[0, 0, 0, 3][..], &b"Pent"[..]));
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
fn what_a_picture_carries_is_kept_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut project, mut document) = small(&folder.path().join("a.pentimento"));
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let exif = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0Cam\0\0\0\0\0".as_slice();
    let tags = Tags { profile: Some(profile.into()), exif: Some(exif.into()), source: Some(SourceType::TrainedAlgorithmicMedia) };
    for deep in [false, true] {
        let id = document.record(None, Origin::Pasted, noise(8, 6, deep, 1).with_tags(tags.clone()));
        project.record(document.revision(id).unwrap(), None).unwrap();
    }
    assert_eq!(project.document(PLENTY).unwrap(), document);
    assert_eq!(project.picture(RevisionId(5)).unwrap().tags(), &tags);
    // A tool whose settings make no sense is none.
    let broken = document.record(None, Origin::Changed { tool: Tool::Straighten { degrees: 400.0 } }, noise(2, 2, false, 1));
    assert!(matches!(project.record(document.revision(broken).unwrap(), None), Err(Error::Refused { .. })));
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

#[test]
fn local_edits_are_as_they_were_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let (mut project, mut document) = edited(&path);
    // A selection of many tiles with soft edges, an empty one, and an edit whose source was pruned meanwhile.
    let mut soft = Mask::new(600, 300).unwrap();
    soft.lasso(&[[3.0, 5.0], [580.0, 40.0], [260.0, 290.0]], Mode::Add);
    soft.rectangle(Rect { left: 100, top: 100, width: 20, height: 20 }, Mode::Erase);
    for mask in [soft.feathered(20), Mask::new(600, 300).unwrap()] {
        let placing = Placing::Selection { mask, blend: Blend::default() };
        let seen = ContextBox { left: 0, top: -150, width: 600, height: 600 };
        let local = LocalEdit { seen, result: noise(64, 64, false, 5), reconstruction: None, placing };
        let id = document.record_at(Some(RevisionId(99)), made("x"), noise(600, 300, false, 6), 1, None, Some(Arc::new(local)));
        project.record(document.revision(id).unwrap(), None).unwrap();
    }
    assert_eq!(project.document(PLENTY).unwrap(), document);
    drop(project);
    for project in [Project::open(&path).unwrap(), Project::open_read_only(&path).unwrap()] {
        assert_eq!(project.document(PLENTY).unwrap(), document);
        project.check().unwrap();
    }
    let copy = Project::create(&folder.path().join("b.pentimento"), &document, &BTreeMap::new(), &State::default()).unwrap();
    assert_eq!(copy.document(PLENTY).unwrap(), document);
}

#[test]
fn a_local_edit_that_could_not_be_read_back_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut project, document) = edited(&folder.path().join("a.pentimento"));
    let (whole, selection, change) = (RevisionId(4), RevisionId(5), RevisionId(6));
    let blend = Blend { feather: 1, matching: 0.5 };
    let select = |mask: Mask, blend: Blend| move |edit: &mut LocalEdit| edit.placing = Placing::Selection { mask: mask.clone(), blend };
    let reach = |reach: f32| move |edit: &mut LocalEdit| edit.placing = Placing::Change { reach };
    let place = |left: i64, width: u32| move |edit: &mut LocalEdit| edit.seen = ContextBox { left, width, ..edit.seen };
    let wrong = |id: RevisionId, spoil: &dyn Fn(&mut LocalEdit)| {
        let was = document.revision(id).unwrap();
        let mut edit = LocalEdit::clone(was.local.as_ref().unwrap());
        spoil(&mut edit);
        Revision { id: document.next(), local: Some(Arc::new(edit)), ..was.clone() }
    };
    let mut all = vec![
        wrong(selection, &select(mask([41, 30], 1), blend)),
        wrong(selection, &select(mask([40, 30], 1), Blend { matching: f32::NAN, ..blend })),
        wrong(selection, &select(mask([40, 30], 1), Blend { feather: u32::MAX, ..blend })),
        wrong(change, &reach(f32::INFINITY)),
        wrong(change, &reach(-0.1)),
        wrong(change, &|edit| edit.reconstruction = Some(noise(8, 8, false, 1))),
        wrong(whole, &place(40, 10)),
        wrong(whole, &place(0, 0)),
        wrong(whole, &place(i64::MAX, u32::MAX)),
        wrong(whole, &place(0, 300_000)),
    ];
    // What was made from a picture of another size is no edit of a part of it.
    all.push(Revision { parent: Some(RevisionId(2)), ..wrong(whole, &|_| {}) });
    for revision in &all {
        let error = project.record(revision, None).unwrap_err();
        assert!(error.is_refused(), "{error}");
        assert_sentence(&error);
    }
    assert_eq!(project.document(PLENTY).unwrap(), document);
    let mut saved = document.saved();
    saved.revisions[4].parent = Some(RevisionId(2));
    saved.last_child.clear();
    let path = folder.path().join("b.pentimento");
    let error = Project::create(&path, &Document::restore(saved).unwrap(), &BTreeMap::new(), &State::default()).unwrap_err();
    assert!(error.is_refused() && !path.exists(), "{error}");
}

/// An edit of a part of a picture of one pixel; its selection is made as large as the picture that it is used for.
fn edit() -> impl Strategy<Value = LocalEdit> {
    let selection = (any::<u8>(), 0u32..=65_000, 0.0f32..=1.0).prop_map(|(value, feather, matching)| {
        let mut mask = Mask::new(1, 1).unwrap();
        mask.fill(value);
        Placing::Selection { mask, blend: Blend { feather, matching } }
    });
    let placing = prop_oneof![Just(Placing::Whole), selection, (0.0f32..=1.0).prop_map(|reach| Placing::Change { reach })];
    let seen = (-30i64..=0, -30i64..=0, 31u32..=260_000, 31u32..=260_000);
    (placing, seen, (1u32..12, 1u32..12, any::<bool>()), prop::option::of(any::<bool>())).prop_map(|(placing, seen, result, other)| {
        let (left, top, width, height) = seen;
        LocalEdit {
            seen: ContextBox { left, top, width, height },
            result: noise(result.0, result.1, result.2, 1),
            reconstruction: other.map(|deep| noise(result.0, result.1, deep, 2)),
            placing,
        }
    })
}

fn fitted(mut edit: LocalEdit, size: [u32; 2]) -> Arc<LocalEdit> {
    if let Placing::Selection { mask: selected, .. } = &mut edit.placing {
        *selected = mask(size, selected.coverage(0, 0).into());
    }
    Arc::new(edit)
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
        (-45f32..45.0).prop_map(|degrees| Origin::Changed { tool: Tool::Straighten { degrees } }),
        (0u32..9, 1u32..9).prop_map(|(left, width)| Origin::Changed { tool: Tool::Crop { left, top: 1, width, height: 3, of: [9, 9] } }),
        (-1f32..1.0).prop_map(|v| Origin::Changed { tool: Tool::Tone(Tone { exposure: 4.0 * v, temperature: v, ..Tone::default() }) }),
        (prop::sample::select(&Factor::ALL), 0.0..1e6)
            .prop_map(|(by, seconds)| Origin::Upscaled { upscaling: Upscaling::new(by), seconds }),
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
        acts in prop::collection::vec(
            (0u8..9, 0u32..9, origin(), (1u32..12, 1u32..12, any::<bool>(), any::<i32>()), prop::option::of(edit())),
            1..24,
        ),
        zoom in prop::option::of((0.01..64.0, -1e5..1e5, -1e5..1e5)),
        mask in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pentimento");
        let mut document = Document::default();
        let mut project = Project::create(&path, &document, &BTreeMap::new(), &State::default()).unwrap();
        let mut state = State::default();
        for (act, n, origin, (width, height, deep, made_at), edit) in acts {
            let id = RevisionId(n);
            match act {
                0..4 => {
                    let way = (n % 2 == 0).then(|| steps(u64::from(n)));
                    let parent = (n > 2).then_some(id);
                    // An edit of a part is as large as what it was made from.
                    let source = parent.and_then(|p| document.revision(p)).filter(|_| edit.is_some());
                    let [width, height] = source.map_or([width, height], |s| [s.picture.width(), s.picture.height()]);
                    let edit = edit.map(|edit| fitted(edit, [width, height]));
                    let id = document.record_at(parent, origin, noise(width, height, deep, n.into()), made_at.into(), way, edit);
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
