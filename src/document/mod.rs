//! What the user is making, in memory: pictures, and which came from which.
//!
//! A result costs seconds and has no inverse, so undo moves a pointer through a tree of results and nothing is ever
//! overwritten. A result is recorded under the revision that its job *started from*, wherever the user is by then.
//!
//! Architecture Invariant: pure. No file, thread, model or window.

use crate::imaging::Picture;
use crate::recipe::Recipe;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A revision's name in its document; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionId(pub u32);

/// Where a picture came from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A file, by its name without the folder.
    Opened { name: String },
    /// The clipboard.
    Pasted,
    /// A model: an edit of the parent, or a new picture where there is none.
    Made { recipe: Box<Recipe>, tokens: Arc<[u32]>, seconds: f64 },
}

/// A picture and where it came from.
#[derive(Clone, Debug)]
pub struct Revision {
    pub id: RevisionId,
    pub parent: Option<RevisionId>,
    pub origin: Origin,
    pub picture: Picture,
}

impl Revision {
    /// A name for a person: the prompt, or the file's name.
    pub fn title(&self) -> &str {
        match &self.origin {
            Origin::Opened { name } => name,
            Origin::Pasted => "Pasted picture",
            Origin::Made { recipe, .. } => &recipe.prompt,
        }
    }

    /// What made it, where a model did.
    pub fn recipe(&self) -> Option<&Recipe> {
        match &self.origin {
            Origin::Made { recipe, .. } => Some(recipe),
            Origin::Opened { .. } | Origin::Pasted => None,
        }
    }
}

/// All revisions, and the one that is looked at.
#[derive(Clone, Debug, Default)]
pub struct Document {
    revisions: Vec<Revision>,
    current: Option<RevisionId>,
    /// Where redo goes from a revision: the child that was last made or last left by undo.
    last_child: BTreeMap<RevisionId, RevisionId>,
}

impl Document {
    /// Adds a picture under the revision that it was made from, and leaves the user where they are.
    pub fn record(&mut self, parent: Option<RevisionId>, origin: Origin, picture: Picture) -> RevisionId {
        let parent = parent.filter(|p| self.revision(*p).is_some());
        let id = RevisionId(self.revisions.last().map_or(0, |r| r.id.0 + 1));
        self.revisions.push(Revision { id, parent, origin, picture });
        if let Some(parent) = parent {
            self.last_child.insert(parent, id);
        }
        id
    }

    /// Looks at a revision; false where there is none of this name.
    pub fn go(&mut self, id: RevisionId) -> bool {
        let Some(revision) = self.revision(id) else { return false };
        // The way back to here is the way that redo takes.
        let mut child = revision.id;
        let mut parent = revision.parent;
        while let Some(p) = parent {
            self.last_child.insert(p, child);
            child = p;
            parent = self.revision(p).and_then(|r| r.parent);
        }
        self.current = Some(id);
        true
    }

    /// Goes to the revision that this one was made from.
    pub fn undo(&mut self) -> bool {
        let Some((child, parent)) = self.current().and_then(|r| Some((r.id, r.parent?))) else { return false };
        self.last_child.insert(parent, child);
        self.go(parent)
    }

    /// Goes back to where the last undo came from, or to the latest result made from here.
    pub fn redo(&mut self) -> bool {
        match self.current.and_then(|c| self.last_child.get(&c).copied()) {
            Some(child) => self.go(child),
            None => false,
        }
    }

    pub fn can_undo(&self) -> bool {
        self.current().is_some_and(|r| r.parent.is_some())
    }

    pub fn can_redo(&self) -> bool {
        self.current.is_some_and(|c| self.last_child.contains_key(&c))
    }

    /// The revision that is looked at; `None` only before the first picture.
    pub fn current(&self) -> Option<&Revision> {
        self.current.and_then(|id| self.revision(id))
    }

    pub fn revision(&self, id: RevisionId) -> Option<&Revision> {
        self.revisions.binary_search_by_key(&id, |r| r.id).ok().map(|at| &self.revisions[at])
    }

    /// All of them, oldest first.
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dot() -> Picture {
        Picture::from_rgb8(1, 1, &[1, 2, 3]).unwrap()
    }

    fn opened(document: &mut Document, parent: Option<RevisionId>) -> RevisionId {
        document.record(parent, Origin::Pasted, dot())
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

    proptest! {
        #[test]
        fn the_tree_holds_together(steps in prop::collection::vec((0u8..4, 0u32..12), 0..80)) {
            let mut d = Document::default();
            for (what, n) in steps {
                let count = d.revisions().len();
                match what {
                    0 => { opened(&mut d, (n > 2).then_some(RevisionId(n))); prop_assert_eq!(d.revisions().len(), count + 1); }
                    1 => { d.go(RevisionId(n)); }
                    2 => { let before = d.current().map(|r| r.id); if d.undo() { prop_assert!(d.redo()); prop_assert_eq!(d.current().map(|r| r.id), before); d.undo(); } }
                    _ => { let before = d.current().map(|r| r.id); if d.redo() { prop_assert!(d.undo()); prop_assert_eq!(d.current().map(|r| r.id), before); d.redo(); } }
                }
                prop_assert!(d.revisions().len() >= count, "nothing is lost");
                for r in d.revisions() {
                    prop_assert!(r.parent.is_none_or(|p| p < r.id && d.revision(p).is_some()));
                }
                prop_assert!(d.current().is_none_or(|c| d.revision(c.id).is_some()));
            }
        }
    }
}
