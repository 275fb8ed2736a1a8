//! The tree as a list of rows, as one would write it down.

use super::{Document, RevisionId};
use std::collections::BTreeMap;

/// A revision in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: RevisionId,
    /// How many branches lie between it and the main line.
    pub depth: usize,
    /// For each depth up to its own, whether the line there goes on below.
    pub lines: Vec<bool>,
    /// Whether it is the first of its tree.
    pub is_root: bool,
}

impl Document {
    /// All revisions from the beginning of each tree downwards, the newest tree first.
    ///
    /// What redo would follow goes straight on below; what else was made from a picture stands in between, one deeper. So a
    /// long row of edits stays a straight line.
    pub fn outline(&self) -> Vec<Row> {
        let mut children: BTreeMap<Option<RevisionId>, Vec<RevisionId>> = BTreeMap::new();
        for revision in self.revisions() {
            children.entry(revision.parent).or_default().push(revision.id);
        }
        let mut rows = Vec::with_capacity(self.revisions().len());
        for root in children.get(&None).into_iter().flatten().rev() {
            // No recursion: a row of edits may be very long.
            let mut next = vec![(*root, 0, Vec::new())];
            while let Some((id, depth, above)) = next.pop() {
                let mut below = children.get(&Some(id)).cloned().unwrap_or_default();
                let main = self.last_child().get(&id).copied().or(below.last().copied());
                below.retain(|child| Some(*child) != main);
                let lines: Vec<bool> = above.iter().copied().chain([main.is_some()]).collect();
                if let Some(main) = main {
                    next.push((main, depth, above));
                }
                next.extend(below.into_iter().rev().map(|child| (child, depth + 1, lines.clone())));
                rows.push(Row { id, depth, lines, is_root: id == *root });
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::super::Origin;
    use super::*;
    use crate::imaging::Picture;

    #[test]
    fn the_main_line_is_straight_and_branches_stand_in_between() {
        let mut document = Document::default();
        let dot = || Picture::from_rgb8(1, 1, &[0; 3]).unwrap();
        let mut add = |parent: Option<u32>| document.record(parent.map(RevisionId), Origin::Pasted, dot()).0;
        // 0 - 1 - 3 - 6, 2 and 4 beside 1, 5 below 2; 7 alone.
        for (parent, id) in [(None, 0), (Some(0), 1), (Some(0), 2), (Some(1), 3), (Some(0), 4), (Some(2), 5), (Some(3), 6), (None, 7)] {
            assert_eq!(add(parent), id);
        }
        document.go(RevisionId(6));
        let rows: Vec<(u32, usize)> = document.outline().iter().map(|r| (r.id.0, r.depth)).collect();
        assert_eq!(rows, [(7, 0), (0, 0), (2, 1), (5, 1), (4, 1), (1, 0), (3, 0), (6, 0)]);
        let lines: Vec<Vec<bool>> = document.outline().into_iter().map(|r| r.lines).collect();
        assert_eq!(lines[2], [true, true]);
        assert_eq!((&lines[3], &lines[4], &lines[7]), (&vec![true, false], &vec![true, false], &vec![false]));
    }
}
