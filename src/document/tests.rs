//! The tree and its invariants.

use super::*;
use proptest::prelude::*;

fn dot() -> Picture {
    Picture::from_rgb8(1, 1, &[1, 2, 3]).unwrap()
}

fn opened(document: &mut Document, parent: Option<RevisionId>) -> RevisionId {
    document.record(parent, Origin::Pasted, dot())
}

fn made(document: &mut Document, parent: Option<RevisionId>, prompt: &str) -> RevisionId {
    let recipe = Box::new(Recipe::new(crate::recipe::ModelId::Nano, prompt));
    document.record(parent, Origin::Made { recipe, tokens: Arc::from([1, 2]), seconds: 1.5 }, dot())
}

fn ids<'a>(revisions: impl Iterator<Item = &'a Revision>) -> Vec<u32> {
    revisions.map(|r| r.id.0).collect()
}

#[test]
fn a_result_lands_under_its_start_and_redo_follows_the_way_back() {
    let mut d = Document::default();
    let root = opened(&mut d, None);
    assert!(d.go(root) && !d.undo());
    let a = opened(&mut d, Some(root));
    d.go(a);
    let late = opened(&mut d, Some(root)); // its job had started from the root
    assert_eq!(d.current().unwrap().id, a);
    assert_eq!(d.revision(late).unwrap().parent, Some(root));
    assert!(d.undo() && d.redo());
    assert_eq!(d.current().unwrap().id, a, "redo goes back to where undo came from");
    d.undo();
    let newest = opened(&mut d, Some(root));
    d.redo();
    assert_eq!(d.current().unwrap().id, newest, "or to what was made since");
    assert!(!d.go(RevisionId(99)));
}

#[test]
fn pruning_asks_first_spares_the_current_one_and_never_gives_an_id_again() {
    let mut d = Document::default();
    let root = opened(&mut d, None);
    let a = opened(&mut d, Some(root));
    let b = opened(&mut d, Some(a));
    let c = opened(&mut d, Some(a));
    let other = opened(&mut d, Some(root));
    d.go(other);
    assert_eq!(d.would_prune(a), Some(vec![a, b, c]));
    assert_eq!(d.revisions().len(), 5, "asking takes nothing away");
    for kept in [root, other] {
        assert!(d.would_prune(kept).is_none() && d.prune(kept).is_none(), "the current one and what it came from stay");
    }
    d.undo();
    d.go(b);
    d.undo();
    d.undo(); // redo now leads to a
    assert_eq!(d.prune(a), Some(vec![a, b, c]));
    assert_eq!(ids(d.revisions().iter()), [root.0, other.0]);
    assert!(d.redo(), "redo leads to what is left");
    assert_eq!(d.current().unwrap().id, other);
    d.go(root);
    d.prune(other);
    assert!(!d.can_redo());
    let late = opened(&mut d, Some(a)); // its job had started from what is gone
    assert_eq!((late, d.revision(late).unwrap().parent), (RevisionId(5), None));
}

#[test]
fn names_stars_and_words_find_revisions() {
    let mut d = Document::default();
    let fox = made(&mut d, None, "A red FOX in the snow");
    let night = made(&mut d, Some(fox), "make it night");
    let file = d.record(None, Origin::Opened { name: "Füchse.png".into() }, dot());
    assert!(d.rename(night, "  The fox at night ") && d.star(night, true));
    assert_eq!(d.revision(night).unwrap().title(), "The fox at night");
    for (query, found) in [
        ("fox", vec![night.0, fox.0]),
        ("snow  red", vec![fox.0]),
        ("make", vec![night.0]),
        ("FÜCHSE", vec![file.0]),
        ("whale", vec![]),
        (" ", vec![file.0, night.0, fox.0]),
    ] {
        assert_eq!(ids(d.search(query)), found, "{query:?}");
    }
    assert!(d.rename(night, " "));
    assert_eq!(d.revision(night).unwrap().title(), "make it night");
    assert!(!d.rename(RevisionId(9), "x") && !d.star(RevisionId(9), true));
    assert_eq!(d.path_to(night), [fox, night]);
    assert_eq!(ids(d.children(None)), [fox.0, file.0]);
    assert_eq!((d.revision(fox).unwrap().seconds(), d.revision(file).unwrap().seconds()), (Some(1.5), None));
}

#[test]
fn steps_are_of_one_shape() {
    let values = |n: usize| Arc::<[f32]>::from(vec![0.5; n]);
    assert!(Steps::new(2, 3, 4, vec![values(24), values(24)]).is_some());
    assert!(Steps::new(2, 3, 4, vec![values(24), values(23)]).is_none());
    assert!(Steps::new(0, 3, 4, vec![values(0)]).is_none());
    assert!(Steps::new(2, 3, 4, vec![]).is_none());
    assert!(Steps::new(u32::MAX, u32::MAX, u32::MAX, vec![values(1)]).is_none());
}

#[test]
fn parts_that_do_not_hold_together_are_no_document() {
    let mut d = Document::default();
    let root = opened(&mut d, None);
    let a = opened(&mut d, Some(root));
    d.go(a);
    let check = |spoil: &dyn Fn(&mut Saved), why: Damage| {
        let mut saved = d.saved();
        spoil(&mut saved);
        assert_eq!(Document::restore(saved), Err(why));
    };
    check(&|s| s.revisions.swap(0, 1), Damage::Order(root));
    check(&|s| s.revisions[1].id = root, Damage::Order(root));
    check(&|s| s.revisions[0].parent = Some(a), Damage::Parent(root));
    check(&|s| s.revisions[1].parent = Some(a), Damage::Parent(a));
    check(&|s| s.revisions[0].parent = Some(RevisionId(7)), Damage::Parent(root));
    check(&|s| s.current = None, Damage::Current);
    check(&|s| s.current = Some(RevisionId(7)), Damage::Current);
    check(&|s| s.next = 1, Damage::Next);
    check(&|s| s.next = u32::MAX, Damage::Next);
    check(&|s| s.last_child.extend([(a, root)]), Damage::Redo(a));
    check(&|s| s.last_child.extend([(RevisionId(7), RevisionId(8))]), Damage::Redo(RevisionId(7)));
}

proptest! {
    #[test]
    fn the_tree_holds_together(steps in prop::collection::vec((0u8..8, 0u32..12), 0..80)) {
        let mut d = Document::default();
        let mut given = 0;
        for (what, n) in steps {
            let before = d.clone();
            let current = d.current().map(|r| r.id);
            match what {
                0 | 1 => {
                    let id = opened(&mut d, (n > 2).then_some(RevisionId(n)));
                    prop_assert_eq!(id.0, given, "an id is never given twice");
                    prop_assert_eq!(d.current().map(|r| r.id), current, "the user stays where they are");
                    given += 1;
                }
                2 => { d.go(RevisionId(n)); }
                3 => if d.undo() { prop_assert!(d.redo()); prop_assert_eq!(d.current().map(|r| r.id), current); d.undo(); },
                4 => if d.redo() { prop_assert!(d.undo()); prop_assert_eq!(d.current().map(|r| r.id), current); d.redo(); },
                5 => { d.rename(RevisionId(n), "a name"); }
                6 => { d.star(RevisionId(n), n % 2 == 0); }
                _ => {
                    let path = current.map(|c| d.path_to(c)).unwrap_or_default();
                    let asked = d.would_prune(RevisionId(n));
                    prop_assert_eq!(&d, &before);
                    let gone = d.prune(RevisionId(n));
                    prop_assert_eq!(&gone, &asked);
                    prop_assert_eq!(gone.is_some(), before.revision(RevisionId(n)).is_some() && !path.contains(&RevisionId(n)));
                    let gone = gone.unwrap_or_default();
                    for r in before.revisions() {
                        let below = before.path_to(r.id).contains(&RevisionId(n));
                        prop_assert_eq!(gone.contains(&r.id), below && !gone.is_empty());
                        prop_assert_eq!(d.revision(r.id), (!gone.contains(&r.id)).then_some(r));
                    }
                    prop_assert_eq!(d.current().map(|r| r.id), current);
                }
            }
            if what < 7 {
                let is_kept = |r: &Revision| d.revision(r.id).is_some_and(|now| now.picture == r.picture && now.parent == r.parent);
                prop_assert!(before.revisions().iter().all(is_kept), "nothing is lost");
            }
            for r in d.revisions() {
                prop_assert!(r.parent.is_none_or(|p| p < r.id && d.revision(p).is_some()));
                let has_children = d.children(Some(r.id)).next().is_some();
                prop_assert_eq!(d.last_child().contains_key(&r.id), has_children, "redo leads on from all that have children");
            }
            prop_assert_eq!(d.can_undo(), d.current().is_some_and(|r| r.parent.is_some()));
            // The document always holds together as a stranger would see it, once there is something to look at.
            if d.current().is_some() || d.revisions().is_empty() {
                prop_assert_eq!(Document::restore(d.saved()), Ok(d.clone()));
            }
        }
    }
}
