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
        self.words_on(ctx.os().is_mac())
    }

    /// The same for a system; signs that every font has, and names of the others.
    pub fn words_on(self, is_mac: bool) -> String {
        let Modifiers { alt, shift, command, .. } = self.0.modifiers;
        let names = if is_mac { ["⌘", "⇧", "⌥"] } else { ["Ctrl+", "Shift+", "Alt+"] };
        let held = [(command, names[0]), (shift, names[1]), (alt, names[2])];
        let sign = self.0.logical_key.symbol_or_name();
        let key = if sign.is_ascii() && sign != "+" { sign } else { self.0.logical_key.name() };
        held.iter().filter(|(held, _)| *held).map(|(_, name)| *name).chain([key]).collect()
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
    let on_sheet = editor.replaying.open;
    let counts = |entry: &&Entry| match entry.when {
        When::Sheet => on_sheet && !typing,
        // The sheet lies over everything else.
        _ if on_sheet => false,
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
        if !on_sheet && editor.run.as_ref().is_some_and(|run| run.asked) && input.consume_key(Modifiers::NONE, Key::Enter) {
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
        let words = |text: &str| [false, true].map(|is_mac| Keys::parse(text).unwrap().words_on(is_mac));
        assert_eq!(words("Mod+Shift+E"), ["Ctrl+Shift+E", "⌘⇧E"]);
        assert_eq!(words("OpenBracket"), ["[", "["]);
        assert_eq!(words("Mod+Left"), ["Ctrl+Left", "⌘Left"]);
    }
}
