//! The editor and its lanes as the window has them, with the embedded model and without a screen.

use pentimento::document::RevisionId;
use pentimento::editor::{Action, Editor, Message, Settings};
use pentimento::jobs::{EngineBackend, Jobs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Session {
    pub editor: Editor,
    jobs: Jobs,
}

impl Session {
    /// Ready to run.
    pub fn new() -> Self {
        let jobs = Jobs::start(Box::new(EngineBackend::without_cache()), Arc::new(|| {})).unwrap();
        let (editor, commands) = Editor::new(Settings::default(), 7);
        let mut session = Self { editor, jobs };
        commands.into_iter().for_each(|command| session.jobs.send(command));
        session.until("the model is known", |e| e.model.facts.is_some());
        session.act(Action::SetSteps(2));
        session
    }

    pub fn act(&mut self, action: Action) {
        let commands = self.editor.update(Message::Action(action));
        commands.into_iter().for_each(|command| self.jobs.send(command));
    }

    /// Hears what the lanes tell until something is true.
    pub fn until(&mut self, what: &str, mut is_true: impl FnMut(&Editor) -> bool) {
        let start = Instant::now();
        while !is_true(&self.editor) {
            assert!(start.elapsed() < Duration::from_mins(4), "waited for “{what}”: {:?}", self.editor.notices);
            for event in self.jobs.poll(64) {
                let commands = self.editor.update(Message::Event(event));
                commands.into_iter().for_each(|command| self.jobs.send(command));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn current(&self) -> Option<RevisionId> {
        self.editor.document.current().map(|r| r.id)
    }

    /// Opens a file; what was said where that failed.
    pub fn open(&mut self, path: &Path) -> Result<RevisionId, String> {
        let before = self.editor.document.revisions().len();
        self.editor.notices.clear();
        self.act(Action::OpenFiles(vec![path.to_owned()]));
        self.until("it is opened", |e| !e.is_opening());
        if self.editor.document.revisions().len() > before {
            Ok(self.current().unwrap())
        } else {
            Err(self.editor.notices.last().map(|n| n.text.clone()).unwrap_or_default())
        }
    }

    /// Edits the picture on the canvas.
    pub fn edit(&mut self, prompt: &str) -> RevisionId {
        let source = self.current();
        self.act(Action::SetPrompt(prompt.to_owned()));
        self.act(Action::Run);
        assert!(self.editor.run.is_some(), "{:?}", self.editor.notices);
        self.until("the edit is done", |e| e.run.is_none());
        let made = self.editor.document.current().unwrap();
        assert_eq!(made.parent, source, "{:?}", self.editor.notices);
        let id = made.id;
        self.until("its pixels are counted", |e| e.proof().is_some());
        id
    }
}
