//! What a person does with revisions besides looking at them: names, stars, pruning, searching.

use super::{Editor, NoticeKind};
use crate::document::{Revision, RevisionId};
use crate::jobs::Command;

/// What is done with revisions.
#[derive(Clone, Debug, PartialEq)]
pub enum History {
    /// Show only revisions with these words.
    Search(String),
    /// Show only revisions with a star.
    Starred(bool),
    /// Begin to write another name.
    BeginRename(RevisionId),
    SetName(String),
    /// The name is written; or it is to stay as it was.
    Rename,
    KeepName,
    Star(RevisionId, bool),
    /// Ask whether to take a revision away, with all that was made from it.
    AskPrune(RevisionId),
    Prune,
    KeepAll,
}

/// What is being done with revisions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryView {
    pub search: String,
    pub only_starred: bool,
    /// The revision that gets another name, and what is written so far.
    pub renaming: Option<(RevisionId, String)>,
    /// Revisions that would be taken away, while the person is asked.
    pub pruning: Option<Vec<RevisionId>>,
}

/// The longest name.
const MOST_LETTERS: usize = 200;

impl Editor {
    pub(super) fn history_action(&mut self, what: History, commands: &mut Vec<Command>) {
        match what {
            History::Search(words) => self.history.search = words,
            History::Starred(only) => self.history.only_starred = only,
            History::BeginRename(id) => {
                self.history.renaming = self.document.revision(id).map(|r| (id, r.title().to_owned()));
            }
            History::SetName(name) => {
                if let Some((_, written)) = &mut self.history.renaming {
                    *written = name.chars().take(MOST_LETTERS).collect();
                }
            }
            History::Rename => {
                let Some((id, name)) = self.history.renaming.take() else { return };
                // A name like the prompt's own is none.
                let own = self.document.revision(id).is_some_and(|r| r.name.is_none() && r.title() == name.trim());
                if !own && self.document.rename(id, &name) {
                    let name = self.document.revision(id).and_then(|r| r.name.clone());
                    commands.push(Command::Rename { id, name });
                }
            }
            History::KeepName => self.history.renaming = None,
            History::Star(id, starred) => {
                if self.document.star(id, starred) {
                    commands.push(Command::Star { id, starred });
                }
            }
            History::AskPrune(id) => self.ask_prune(id),
            History::KeepAll => self.history.pruning = None,
            History::Prune => self.prune(commands),
        }
    }

    fn ask_prune(&mut self, id: RevisionId) {
        let busy = |gone: &[RevisionId]| {
            let sources = self.run.iter().filter_map(|r| r.source).chain(self.waiting.iter().filter_map(|w| w.source));
            sources.chain(self.upscales.iter().map(|u| u.of)).any(|s| gone.contains(&s))
        };
        match self.document.would_prune(id) {
            None => {
                self.say(NoticeKind::Failed, "You are looking at this picture or at one that was made from it: go to another one first.");
            }
            Some(gone) if busy(&gone) => self.say(NoticeKind::Failed, "A run works with this picture: wait until it is done, or stop it."),
            Some(gone) => self.history.pruning = Some(gone),
        }
    }

    fn prune(&mut self, commands: &mut Vec<Command>) {
        let Some(asked) = self.history.pruning.take() else { return };
        let Some(first) = asked.first() else { return };
        // Nothing but what was shown goes, whatever has come in between.
        if self.document.would_prune(*first).as_ref() != Some(&asked) {
            return self.say(NoticeKind::Failed, "Something was made from it in the meantime: look again.");
        }
        if let Some(gone) = self.document.prune(*first) {
            self.forget_revisions(&gone);
            commands.push(Command::Prune(gone));
        }
    }

    /// The revisions that are shown instead of the tree, newest first, while something is searched.
    pub fn found_revisions(&self) -> Option<Vec<&Revision>> {
        let HistoryView { search, only_starred, .. } = &self.history;
        let searches = *only_starred || !search.trim().is_empty();
        searches.then(|| self.document.search(search).filter(|r| r.starred || !only_starred).collect())
    }
}
