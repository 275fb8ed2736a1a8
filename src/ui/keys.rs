//! Keys with their modifiers: how they are read, written in settings, and taken by a person for an action.

use super::actions::{ACTIONS, Deed, Entry, When, Wish};
use crate::editor::{Action, Editor};
use eframe::egui::{Context, Event, InputState, Key, KeyboardShortcut, Modifiers};

/// A key and what is held with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys(KeyboardShortcut);

impl Keys {
    pub const fn new(modifiers: Modifiers, key: Key) -> Self {
        Self(KeyboardShortcut::new(modifiers, key))
    }

    /// From `Mod+Shift+E`; `Mod` is Control, and Command on a Mac.
    pub fn parse(text: &str) -> Option<Self> {
        let (held, key) = match text.rsplit_once('+') {
            // The plus key itself.
            Some(("", "")) => ("", "+"),
            Some((held, "")) => (held.strip_suffix('+')?, "+"),
            Some((held, key)) => (held, key),
            None => ("", text),
        };
        let mut modifiers = Modifiers::NONE;
        for word in held.split('+').filter(|w| !w.is_empty()) {
            modifiers = modifiers.plus(match word {
                "Mod" => Modifiers::COMMAND,
                "Shift" => Modifiers::SHIFT,
                "Alt" => Modifiers::ALT,
                _ => return None,
            });
        }
        Some(Self::new(modifiers, Key::from_name(key)?))
    }

    /// As settings have it: what [`Keys::parse`] reads.
    pub fn written(self) -> String {
        let Modifiers { alt, shift, command, .. } = self.0.modifiers;
        let held = [(command, "Mod+"), (shift, "Shift+"), (alt, "Alt+")];
        held.iter().filter(|(held, _)| *held).map(|(_, word)| *word).chain([self.0.logical_key.name()]).collect()
    }

    /// As this system writes it.
    pub fn words(self, ctx: &Context) -> String {
        ctx.format_shortcut(&self.0)
    }

    /// Whether it is a letter or a sign alone, which typing needs.
    pub fn is_single(self) -> bool {
        let Modifiers { alt, command, ctrl, .. } = self.0.modifiers;
        !(alt || command || ctrl || matches!(self.0.logical_key, Key::Escape | Key::F1 | Key::F2 | Key::F9 | Key::F11))
    }

    /// How many are held: the longer combinations are asked for first, since Mod+Z is also a part of Mod+Shift+Z.
    fn held(self) -> usize {
        let Modifiers { alt, shift, command, .. } = self.0.modifiers;
        usize::from(alt) + usize::from(shift) + usize::from(command)
    }

    fn is_pressed(self, input: &mut InputState) -> bool {
        // Others listen for Escape as well: fields, menus and questions.
        if self.0.logical_key == Key::Escape { input.key_pressed(Key::Escape) } else { input.consume_shortcut(&self.0) }
    }
}

/// What the keys of this frame ask for. Keys that a text field uses are left to it.
pub fn read(ctx: &Context, editor: &Editor, typing: bool) -> (Vec<Action>, Vec<Wish>) {
    let (mut actions, mut wishes) = (Vec::new(), Vec::new());
    let counts = |entry: &&Entry| match entry.when {
        When::Always => true,
        When::Canvas => !typing,
        When::Candidates => !typing && editor.trial.is_none() && !editor.candidates().is_empty(),
        When::Trial => !typing && editor.trial.is_some(),
        When::Elsewhere => false,
    };
    let mut all: Vec<(Keys, &Entry)> = ACTIONS
        .iter()
        .filter(counts)
        .flat_map(|entry| entry.keys_in(&editor.settings).into_iter().map(move |keys| (keys, entry)))
        .collect();
    // A letter must not be taken from whoever types, whatever settings say.
    all.retain(|(keys, _)| !(typing && keys.is_single()));
    // Candidates before the canvas, longer combinations before shorter.
    all.sort_by_key(|(keys, entry)| (!matches!(entry.when, When::Candidates | When::Trial), std::cmp::Reverse(keys.held())));
    ctx.input_mut(|input| {
        if editor.run.as_ref().is_some_and(|run| run.asked) && input.consume_key(Modifiers::NONE, Key::Enter) {
            actions.push(Action::StopAndKeep);
        }
        let mut held = None;
        for (keys, entry) in all {
            match entry.deed {
                Deed::Asks(make) => {
                    if keys.is_pressed(input) {
                        // What is typed in this very frame is known at its end only: whoever runs it looks then, and says what is
                        // missing.
                        let unseen = (typing && entry.id == "run").then_some(Action::Run);
                        actions.extend(make(editor).or(unseen));
                    }
                }
                Deed::Wishes(wish) => {
                    if keys.is_pressed(input) {
                        // A sign that was typed to get somewhere is no part of what is there.
                        input.events.retain(|e| !(keys.is_single() && matches!(e, Event::Text(_))));
                        wishes.push(wish);
                    }
                }
                Deed::Holds(make) => {
                    let (action, down) = held.unwrap_or((make, false));
                    held = Some((action, down || input.key_down(keys.0.logical_key)));
                }
            }
        }
        if let Some((make, down)) = held
            && down != editor.shows_before
        {
            actions.push(make(down));
        }
    });
    (actions, wishes)
}

/// Which other action has these keys at a time when this one counts too.
pub fn taken_by(keys: Keys, entry: &Entry, editor: &Editor) -> Option<&'static Entry> {
    let same = |other: &&Entry| other.id != entry.id && other.when.meets(entry.when) && other.keys_in(&editor.settings).contains(&keys);
    ACTIONS.iter().find(same)
}

/// The keys that were pressed in this frame, for whoever asks a person for new ones.
pub fn pressed(ctx: &Context) -> Option<Keys> {
    ctx.input_mut(|input| {
        let key = input.events.iter().find_map(|event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => Some((*key, *modifiers)),
            _ => None,
        })?;
        input.events.retain(|e| !matches!(e, Event::Key { .. } | Event::Text(_)));
        let Modifiers { alt, shift, command, .. } = key.1;
        let held = [(alt, Modifiers::ALT), (shift, Modifiers::SHIFT), (command, Modifiers::COMMAND)];
        let modifiers = held.iter().filter(|(held, _)| *held).fold(Modifiers::NONE, |all, (_, one)| all.plus(*one));
        Some(Keys::new(modifiers, key.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::Settings;
    use std::collections::BTreeSet;

    #[test]
    fn keys_are_written_and_read_again() {
        for entry in ACTIONS {
            for keys in entry.keys {
                assert_eq!(Keys::parse(&keys.written()), Some(*keys), "{}", keys.written());
            }
        }
        assert_eq!(Keys::parse("Mod+Shift+E"), Some(Keys::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::E)));
        assert_eq!(Keys::parse("Hyper+E"), None);
        assert_eq!(Keys::parse("Mod+"), None);
    }

    #[test]
    fn the_table_is_whole() {
        let settings = Settings::default();
        let mut ids = BTreeSet::new();
        for entry in ACTIONS {
            assert!(ids.insert(entry.id), "{} is there twice", entry.id);
            let (label, tip) = (entry.label(), entry.tip());
            assert!(!label.is_empty() && !label.starts_with("action-"), "{} has no label", entry.id);
            assert!(!tip.is_empty() && !tip.starts_with("action-"), "{} has no tooltip", entry.id);
            for keys in entry.keys_in(&settings) {
                assert!(!keys.is_single() || entry.when != When::Always, "{} would fire while somebody types", entry.id);
                let other = ACTIONS.iter().find(|o| o.id != entry.id && o.when.meets(entry.when) && o.keys.contains(&keys));
                assert!(other.is_none(), "{} and {} share {}", entry.id, other.unwrap().id, keys.written());
            }
        }
    }
}
