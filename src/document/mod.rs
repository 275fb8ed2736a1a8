//! What the user is making, in memory: pictures, and which came from which.
//!
//! A result costs seconds and has no inverse, so undo moves a pointer through a tree of results and nothing is ever
//! overwritten. A result is recorded under the revision that its job *started from*, wherever the user is by then. Nothing
//! goes away by itself; what a person prunes was shown to them before.
//!
//! Architecture Invariant: pure. No file, thread, clock, model or window.

mod chain;
mod held;
mod local;
mod outline;
mod packed;
mod restore;
mod steps;
#[cfg(test)]
mod tests;

pub use chain::{Begins, Chain, ChainError, Link, LinkPlace, LinkPlacing, MOST_RECIPE_BYTES};
pub use held::Held;
pub use local::{LocalEdit, Placed, Placing, USUAL_REACH};
pub use outline::Row;
pub use packed::LinkMask;
pub use restore::{Damage, Saved};
pub use steps::Steps;

use crate::imaging::{Picture, Tool};
use crate::recipe::{Factor, Recipe, Upscaling};
use std::collections::{BTreeMap, BTreeSet};
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
    /// A plain tool, from the parent.
    Changed { tool: Tool },
    /// The parent, made larger.
    Upscaled { upscaling: Upscaling, seconds: f64 },
}

/// A picture and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    pub id: RevisionId,
    pub parent: Option<RevisionId>,
    pub origin: Origin,
    pub picture: Held,
    /// Seconds since 1970 in universal time; 0 where nobody said.
    pub made_at: i64,
    /// How it was painted, where a model did.
    pub steps: Option<Steps>,
    /// How the model's result was put into the parent, where it is an edit of a part.
    pub local: Option<Arc<LocalEdit>>,
    /// What a person calls it.
    pub name: Option<String>,
    pub starred: bool,
}

impl Revision {
    /// A name for a person: the one that they gave, the prompt, or the file's name.
    pub fn title(&self) -> &str {
        match (&self.name, &self.origin) {
            (Some(name), _) | (None, Origin::Opened { name }) => name,
            (None, Origin::Pasted) => "Pasted picture",
            (None, Origin::Made { recipe, .. }) => &recipe.prompt,
            (None, Origin::Changed { tool }) => tool.name(),
            (None, Origin::Upscaled { upscaling, .. }) => larger(*upscaling),
        }
    }

    /// What made it, where a model did.
    pub fn recipe(&self) -> Option<&Recipe> {
        match &self.origin {
            Origin::Made { recipe, .. } => Some(recipe),
            Origin::Opened { .. } | Origin::Pasted | Origin::Changed { .. } | Origin::Upscaled { .. } => None,
        }
    }

    /// How long the model took.
    pub fn seconds(&self) -> Option<f64> {
        match &self.origin {
            Origin::Made { seconds, .. } | Origin::Upscaled { seconds, .. } => Some(*seconds),
            Origin::Opened { .. } | Origin::Pasted | Origin::Changed { .. } => None,
        }
    }

    /// Whether every word (in lower case) is in its name, its prompt or its file's name.
    fn has_words(&self, words: &[String]) -> bool {
        let own = match &self.origin {
            Origin::Opened { name } => name,
            Origin::Pasted => "Pasted picture",
            Origin::Made { recipe, .. } => &recipe.prompt,
            Origin::Changed { tool } => tool.name(),
            Origin::Upscaled { upscaling, .. } => larger(*upscaling),
        };
        let text = format!("{}\n{own}", self.name.as_deref().unwrap_or_default()).to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// What a larger picture is called.
fn larger(upscaling: Upscaling) -> &'static str {
    match upscaling.by {
        Factor::Two => "Upscaled 2x",
        Factor::Four => "Upscaled 4x",
    }
}

/// All revisions, and the one that is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    revisions: Vec<Revision>,
    current: Option<RevisionId>,
    /// Where redo goes from a revision: the child that was last made or last left by undo.
    last_child: BTreeMap<RevisionId, RevisionId>,
    /// The id that the next revision gets.
    next: u32,
}

impl Document {
    /// [`Self::record_at`] where the time does not matter and no steps are kept.
    pub fn record(&mut self, parent: Option<RevisionId>, origin: Origin, picture: Picture) -> RevisionId {
        self.record_at(parent, origin, picture, 0, None, None)
    }

    /// Adds a picture under the revision that it was made from, and leaves the user where they are. Where that revision has
    /// been pruned in the meantime, the picture begins a tree of its own.
    ///
    /// - `made_at`: seconds since 1970 in universal time
    /// - `steps`: how it was painted
    /// - `local`: how it was put into its parent
    pub fn record_at(
        &mut self,
        parent: Option<RevisionId>,
        origin: Origin,
        picture: Picture,
        made_at: i64,
        steps: Option<Steps>,
        local: Option<Arc<LocalEdit>>,
    ) -> RevisionId {
        let parent = parent.filter(|p| self.revision(*p).is_some());
        let id = RevisionId(self.next);
        self.next += 1;
        let picture = picture.into();
        self.revisions.push(Revision { id, parent, origin, picture, made_at, steps, local, name: None, starred: false });
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
        self.place(id).map(|at| &self.revisions[at])
    }

    /// All of them, oldest first.
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    /// What was made from a revision, or with `None` what began a tree, oldest first.
    pub fn children(&self, parent: Option<RevisionId>) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().filter(move |r| r.parent == parent)
    }

    /// From the beginning of its tree down to a revision; empty where there is none of this name.
    pub fn path_to(&self, id: RevisionId) -> Vec<RevisionId> {
        let mut path: Vec<_> = std::iter::successors(self.revision(id), |r| self.revision(r.parent?)).map(|r| r.id).collect();
        path.reverse();
        path
    }

    /// Gives a revision a name of its own; an empty one takes the name away. False where there is no such revision.
    pub fn rename(&mut self, id: RevisionId, name: &str) -> bool {
        let Some(at) = self.place(id) else { return false };
        let name = name.trim();
        self.revisions[at].name = (!name.is_empty()).then(|| name.to_owned());
        true
    }

    /// Marks a revision with a star, or takes it away; false where there is no such revision.
    pub fn star(&mut self, id: RevisionId, starred: bool) -> bool {
        let Some(at) = self.place(id) else { return false };
        self.revisions[at].starred = starred;
        true
    }

    /// What [`Self::prune`] would take away: a revision and all that was made from it, oldest first. `None` where that may
    /// not go, since the current revision is among it, or where there is no such revision.
    pub fn would_prune(&self, id: RevisionId) -> Option<Vec<RevisionId>> {
        self.revision(id)?;
        let mut gone = BTreeSet::from([id]);
        // Parents stand before their children.
        for revision in &self.revisions {
            if revision.parent.is_some_and(|p| gone.contains(&p)) {
                gone.insert(revision.id);
            }
        }
        let keeps_current = self.current.is_none_or(|c| !gone.contains(&c));
        keeps_current.then(|| gone.into_iter().collect())
    }

    /// Takes a revision and all that was made from it away for good, and tells what went; ask first, with
    /// [`Self::would_prune`]. `None`, and nothing happens, where that is `None`.
    pub fn prune(&mut self, id: RevisionId) -> Option<Vec<RevisionId>> {
        let gone = self.would_prune(id)?;
        let parent = self.revision(id).and_then(|r| r.parent);
        let stays = |id: &RevisionId| gone.binary_search(id).is_err();
        self.revisions.retain(|r| stays(&r.id));
        self.last_child.retain(|from, to| stays(from) && stays(to));
        // Redo goes to what is now the newest.
        if let Some(parent) = parent
            && !self.last_child.contains_key(&parent)
            && let Some(child) = self.children(Some(parent)).last().map(|r| r.id)
        {
            self.last_child.insert(parent, child);
        }
        Some(gone)
    }

    /// Revisions that have every word of a query in their name, prompt or file's name, newest first. Case does not matter.
    pub fn search<'a>(&'a self, query: &str) -> impl Iterator<Item = &'a Revision> + use<'a> {
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        self.revisions.iter().rev().filter(move |r| r.has_words(&words))
    }

    /// Takes in the pixels of a revision's picture; false where they are not its own.
    pub fn bring(&mut self, id: RevisionId, picture: Picture) -> bool {
        self.place(id).is_some_and(|at| self.revisions[at].picture.bring(picture))
    }

    /// Lets go of the pixels of a revision's picture, which must be kept somewhere else.
    pub fn let_go(&mut self, id: RevisionId) {
        if let Some(at) = self.place(id) {
            self.revisions[at].picture.let_go();
        }
    }

    fn place(&self, id: RevisionId) -> Option<usize> {
        self.revisions.binary_search_by_key(&id, |r| r.id).ok()
    }
}
