//! A document as plain parts, for keeping it somewhere and for having it back.

use super::{Document, Revision, RevisionId};
use std::collections::BTreeMap;

/// More than a person makes in a life.
const MOST_IDS: u32 = 1 << 31;

/// The parts of a [`Document`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// By rising id.
    pub revisions: Vec<Revision>,
    pub current: Option<RevisionId>,
    /// Where redo goes from a revision.
    pub last_child: BTreeMap<RevisionId, RevisionId>,
    /// The id that the next revision gets.
    pub next: u32,
}

/// Why parts are no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("revision {} stands twice or out of order", .0.0)]
    Order(RevisionId),
    #[error("revision {} was made from one that is not older than itself or is not there", .0.0)]
    Parent(RevisionId),
    #[error("the revision that was looked at is not there")]
    Current,
    #[error("redo leads from revision {} to one that was not made from it", .0.0)]
    Redo(RevisionId),
    #[error("the count of revisions cannot be right")]
    Next,
}

impl Document {
    /// From parts that a stranger may have written.
    ///
    /// # Errors      the parts do not hold together; a circle of parents among others
    pub fn restore(saved: Saved) -> Result<Self, Damage> {
        let Saved { revisions, current, last_child, next } = saved;
        if let Some(pair) = revisions.windows(2).find(|pair| pair[0].id >= pair[1].id) {
            return Err(Damage::Order(pair[1].id));
        }
        if next > MOST_IDS || revisions.last().is_some_and(|r| r.id.0 >= next) {
            return Err(Damage::Next);
        }
        if revisions.is_empty() != current.is_none() {
            return Err(Damage::Current);
        }
        let document = Self { revisions, current, last_child, next };
        // A parent that is always older cannot make a circle.
        let orphan = document.revisions.iter().find(|r| r.parent.is_some_and(|p| p >= r.id || document.revision(p).is_none()));
        if let Some(orphan) = orphan {
            return Err(Damage::Parent(orphan.id));
        }
        if current.is_some() && document.current().is_none() {
            return Err(Damage::Current);
        }
        let strays = |(from, to): &(&RevisionId, &RevisionId)| document.revision(**to).is_none_or(|r| r.parent != Some(**from));
        if let Some((from, _)) = document.last_child.iter().find(strays) {
            return Err(Damage::Redo(*from));
        }
        Ok(document)
    }

    /// Where redo goes from every revision that something was made from.
    pub fn last_child(&self) -> &BTreeMap<RevisionId, RevisionId> {
        &self.last_child
    }

    /// The id that the next revision gets.
    pub fn next(&self) -> RevisionId {
        RevisionId(self.next)
    }

    /// Its parts. Pictures and steps are shared, not copied.
    pub fn saved(&self) -> Saved {
        Saved { revisions: self.revisions.clone(), current: self.current, last_child: self.last_child.clone(), next: self.next }
    }
}
