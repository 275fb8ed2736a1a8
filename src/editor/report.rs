//! What somebody who is to help needs to know of a failure.

use super::{Action, Context, Editor, Mode, Notice, Select};
use crate::recipe::ModelId;
use std::fmt::Write as _;

/// Actions that a report tells.
const MOST_DONE: usize = 12;

/// The words of an action: its name, and those of what it holds, without any value.
fn name(action: &Action) -> String {
    let written = format!("{action:?}");
    let end = written.find(|c: char| !(c.is_ascii_alphabetic() || c == '(')).unwrap_or(written.len());
    written[..end].replace('(', " ").trim_end().to_owned()
}

/// Takes folders out of a sentence: of every path only its last part stays, and the home folder is `~`.
fn without_folders(text: &str, home: Option<&str>) -> String {
    let text = match home.filter(|home| home.len() > 1) {
        Some(home) => text.replace(home, "~"),
        None => text.to_owned(),
    };
    let short = |word: &str| match word.rfind(['/', '\\']) {
        // Units, a sign between words, and one at the end are no path.
        Some(at) if at + 1 < word.len() && word.len() > 5 && !word.contains("://") => {
            let quote: String = word.chars().take_while(|c| matches!(c, '“' | '"' | '\'' | '`' | '(')).collect();
            format!("{quote}…/{}", &word[at + 1..])
        }
        _ => word.to_owned(),
    };
    text.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

impl Editor {
    /// Remembers what a person did, where it says something: no moves of the pointer, no letters.
    pub(super) fn note(&mut self, action: &Action) {
        let is_small = matches!(
            action,
            Action::Viewport(_)
                | Action::Zoom(..)
                | Action::Pan(_)
                | Action::Split(_)
                | Action::LookAhead
                | Action::SetPrompt(_)
                | Action::SetAnswer(_)
                | Action::DismissNotice(_)
                | Action::Select(Select::Press(..) | Select::Drag(_))
                | Action::Context(Context::Move(..) | Context::Width(_))
        );
        if is_small {
            return;
        }
        let name = name(action);
        if self.done.back() == Some(&name) {
            return;
        }
        if self.done.len() == MOST_DONE {
            self.done.pop_front();
        }
        self.done.push_back(name);
    }

    /// The failure, the program, the machine, and what was done before. Holds no prompt, no picture and no folder.
    pub fn report(&self, notice: &Notice) -> String {
        let home = self.home.as_deref();
        let model = match &self.model.id {
            ModelId::Nano => "built in".to_owned(),
            ModelId::Folder(folder) => folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let picture = self
            .document
            .current()
            .map_or_else(|| "none".to_owned(), |r| format!("{} x {} px, {} bit", r.picture.width(), r.picture.height(), r.picture.bits()));
        let mode = if self.mode() == Mode::Edit { "edit" } else { "new picture" };
        let draft = &self.draft;
        let lines = [
            ("program", format!("Pentimento {}", env!("CARGO_PKG_VERSION"))),
            ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            ("screen", if self.slow_screen { "drawn by the CPU" } else { "drawn by a graphics card" }.to_owned()),
            ("device", self.device.clone().unwrap_or_else(|| "not used yet".to_owned())),
            ("memory", self.plan.clone().unwrap_or_else(|| "not planned yet".to_owned())),
            ("model", model),
            ("picture", picture),
            ("settings", format!("{mode}, {} steps, guidance {}, {} variations", draft.steps, draft.guidance, draft.variations)),
            ("done", self.done.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
        ];
        let mut report = format!("{}\n", notice.text);
        for (what, words) in lines {
            let _ = write!(report, "\n{what}: {words}");
        }
        report.push('\n');
        without_folders(&report, home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::{Message, NoticeKind, Setting, Settings, Touch};
    use crate::imaging::Tool;

    #[test]
    fn a_report_says_what_was_done_and_nothing_personal() {
        let (mut editor, _) = Editor::new(Settings::default(), 1);
        editor.home = Some("/home/ann smith".to_owned());
        for action in [
            Action::SetPrompt("my secret".to_owned()),
            Action::OpenFiles(vec!["/home/ann smith/secret.png".into()]),
            Action::SetSteps(3),
            Action::SetSteps(4),
            Action::Touch(Touch::Now(Tool::Turn { quarters: 1 })),
            Action::Set(Setting::Scale(110)),
        ] {
            editor.update(Message::Action(action));
        }
        let text = "“/home/ann smith/photos of mine/a.png” cannot be read: D:\\x\\y.png is no file of 3 kB/s or 1 / 2".to_owned();
        let report = editor.report(&Notice { id: 1, kind: NoticeKind::Failed, text });
        assert!(report.contains("done: OpenFiles, SetSteps, Touch Now Turn, Set Scale\n"), "{report}");
        for said in ["a.png”", "y.png", "3 kB/s or 1 / 2", "Pentimento 0.", std::env::consts::OS, "4 steps"] {
            assert!(report.contains(said), "{said} in {report}");
        }
        for hidden in ["smith", "secret", "D:", "/home", "photos/"] {
            assert!(!report.contains(hidden), "{hidden} in {report}");
        }
    }
}
