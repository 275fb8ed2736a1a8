//! Two pictures in one place: beside each other, one after the other, or what differs; and the proof of what does not.

use super::{Editor, NoticeKind};
use crate::document::{Placing, Revision, RevisionId};
use crate::imaging::{Difference, Pyramid};
use crate::jobs::Command;
use std::sync::Arc;

/// How two pictures are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    #[default]
    Split,
    /// One after the other, twice a second.
    Flicker,
    /// Where they differ, and by how much.
    HeatMap,
}

/// Two pictures that are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compare {
    /// The picture on the left of the split; on its right is the one that is looked at.
    pub with: RevisionId,
    /// The split, as a share of the picture's width.
    pub split: f64,
    pub how: How,
}

/// What is proven about the picture on the canvas, by looking at each of its pixels and its source's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    pub found: Difference,
    /// Pixels that there are.
    pub all: u64,
    /// Whether the edit was to stay under a selection.
    pub has_selection: bool,
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

    /// The heat map, where it is wanted and there.
    pub fn heat_map(&self) -> Option<&Arc<Pyramid>> {
        let (compare, current) = (self.compare.filter(|c| c.how == How::HeatMap)?, self.document.current()?.id);
        self.heat.as_ref().filter(|(of, with, _)| (*of, *with) == (current, compare.with)).and_then(|(.., pyramid)| pyramid.as_ref())
    }

    /// What is known of the difference to the picture that this one was made from.
    pub fn proof(&self) -> Option<Proof> {
        let current = self.document.current().filter(|_| self.adjustment.is_none() && self.scrubbed.is_none())?;
        let found = (*self.differences.get(&current.id)?)?;
        let all = u64::from(current.picture.width()) * u64::from(current.picture.height());
        let has_selection = matches!(current.local.as_deref().map(|l| &l.placing), Some(Placing::Selection { .. }));
        Some(Proof { found, all, has_selection })
    }

    pub(super) fn toggle_compare(&mut self) {
        let parent = self.document.current().and_then(|r| r.parent);
        self.compare = match (self.compare, parent) {
            (None, Some(with)) => Some(Compare { with, split: 0.5, how: How::Split }),
            _ => None,
        };
    }

    pub(super) fn compare_with(&mut self, with: RevisionId) {
        let other = self.document.revision(with).is_some() && self.document.current().is_some_and(|c| c.id != with);
        let how = self.compare.map_or(How::Split, |c| c.how);
        self.compare = other.then_some(Compare { with, split: 0.5, how });
    }

    /// Compares in another way; begins with the picture that this one was made from.
    pub(super) fn compare_by(&mut self, how: How) {
        if self.compare.is_none() {
            self.toggle_compare();
        }
        let sizes = |r: &Revision| r.picture.size();
        let same = self.compared().map(sizes) == self.document.current().map(sizes);
        match &mut self.compare {
            Some(_) if how == How::HeatMap && !same => {
                self.say(NoticeKind::Failed, "The two pictures have different sizes, so their pixels cannot be set against each other.");
            }
            Some(compare) => compare.how = how,
            None => {}
        }
    }

    /// Asks for what is to be known about the picture on the canvas and is not yet.
    pub(super) fn ask_differences(&mut self, commands: &mut Vec<Command>) {
        let Some(current) = self.document.current() else { return };
        let size = |r: &Revision| r.picture.size();
        let source = current.parent.and_then(|p| self.document.revision(p)).filter(|p| size(p) == size(current));
        let here = |r: &Revision| r.picture.here().cloned();
        if let Some(source) = source.filter(|_| !self.differences.contains_key(&current.id))
            && let (Some(before), Some(after)) = (here(source), here(current))
        {
            commands.push(Command::Compare { of: current.id, before, after, local: current.local.clone() });
            self.differences.insert(current.id, None);
        }
        let Some(other) = self.compare.filter(|c| c.how == How::HeatMap).and_then(|c| self.document.revision(c.with)) else { return };
        if self.heat.as_ref().is_none_or(|(of, with, _)| (*of, *with) != (current.id, other.id))
            && size(other) == size(current)
            && let (Some(before), Some(after)) = (here(other), here(current))
        {
            commands.push(Command::HeatMap { of: current.id, with: other.id, before, after });
            self.heat = Some((current.id, other.id, None));
        }
    }
}
