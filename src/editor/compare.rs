//! Two pictures side by side in one place.

use super::Editor;
use crate::document::{Revision, RevisionId};

/// The split view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compare {
    /// The picture on the left of the split; on its right is the one that is looked at.
    pub with: RevisionId,
    /// The split, as a share of the picture's width.
    pub split: f64,
}

impl Editor {
    /// The picture on the left, where there is a split view.
    pub fn compared(&self) -> Option<&Revision> {
        self.compare.and_then(|c| self.document.revision(c.with))
    }

    /// Where another picture lies on the one that is looked at, in image pixels (x, y, width, height): the whole of it where
    /// both have one shape, else its middle, which is what a model sees of it.
    pub fn place_of(&self, other: &Revision) -> [f64; 4] {
        let [w, h] = self.view.image().map(f64::from);
        let (ow, oh) = (f64::from(other.picture.width()), f64::from(other.picture.height()));
        let scale = (w / ow).max(h / oh);
        [(w - ow * scale) / 2.0, (h - oh * scale) / 2.0, ow * scale, oh * scale]
    }

    pub(super) fn toggle_compare(&mut self) {
        let parent = self.document.current().and_then(|r| r.parent);
        self.compare = match (self.compare, parent) {
            (None, Some(with)) => Some(Compare { with, split: 0.5 }),
            _ => None,
        };
    }

    pub(super) fn compare_with(&mut self, with: RevisionId) {
        let other = self.document.revision(with).is_some() && self.document.current().is_some_and(|c| c.id != with);
        self.compare = other.then_some(Compare { with, split: 0.5 });
    }
}
