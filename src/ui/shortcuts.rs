//! The keys.

use crate::editor::{Action, Editor, Select, Shape, Tool};
use eframe::egui::{Context, Event, Key, KeyboardShortcut, Modifiers};

const fn with_command(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

pub const OPEN: KeyboardShortcut = with_command(Key::O);
pub const SAVE: KeyboardShortcut = with_command(Key::S);
pub const RUN: KeyboardShortcut = with_command(Key::Enter);
pub const FIT: KeyboardShortcut = with_command(Key::Num0);
pub const ACTUAL_SIZE: KeyboardShortcut = with_command(Key::Num1);
pub const UNDO: KeyboardShortcut = with_command(Key::Z);
pub const REDO: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
pub const REDO_TOO: KeyboardShortcut = with_command(Key::Y);
pub const EXPORT: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::E);
pub const ALL: KeyboardShortcut = with_command(Key::A);
pub const NOTHING: KeyboardShortcut = with_command(Key::D);
pub const INVERT: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::I);
pub const COPY: KeyboardShortcut = with_command(Key::C);

/// How much larger one press makes the brush.
const SIZE_STEP: f32 = 1.2;

/// What the keys of this frame ask for. Keys that a text field uses are left to it.
pub fn read(ctx: &Context, editor: &Editor, typing: bool) -> Vec<Action> {
    let mut actions = Vec::new();
    ctx.input_mut(|input| {
        // The longer combinations first: Mod+Z is also part of Mod+Shift+Z.
        for (keys, action) in [
            (REDO, Action::Redo),
            (EXPORT, Action::Export),
            (SAVE, Action::SaveProject),
            (OPEN, Action::Open),
            (RUN, Action::Run),
            (FIT, Action::Fit),
            (ACTUAL_SIZE, Action::ActualSize),
        ] {
            if typing && action == Action::Redo {
                continue;
            }
            if input.consume_shortcut(&keys) {
                actions.push(action);
            }
        }
        if !typing {
            for (keys, action) in [
                (REDO_TOO, Action::Redo),
                (UNDO, Action::Undo),
                (COPY, Action::Copy),
                (INVERT, Action::Select(Select::Shape(Shape::Invert))),
                (ALL, Action::Select(Select::All)),
                (NOTHING, Action::Select(Select::Nothing)),
            ] {
                if input.consume_shortcut(&keys) {
                    actions.push(action);
                }
            }
            if !editor.candidates().is_empty() {
                let keys = [(Key::ArrowLeft, Action::Candidate(-1)), (Key::ArrowRight, Action::Candidate(1)), (Key::Enter, Action::Accept)];
                for (key, action) in keys {
                    if input.consume_key(Modifiers::NONE, key) {
                        actions.push(action);
                    }
                }
            }
            for (key, action) in [
                (Key::V, Action::ToggleCompare),
                (Key::H, Action::Select(Select::Tool(Tool::Hand))),
                (Key::B, Action::Select(Select::Tool(Tool::Brush))),
                (Key::E, Action::Select(Select::Tool(Tool::Eraser))),
                (Key::M, Action::Select(Select::Tool(Tool::Rectangle))),
                (Key::L, Action::Select(Select::Tool(Tool::Lasso))),
                (Key::X, Action::Select(Select::Swap)),
                (Key::OpenBracket, Action::Select(Select::SizeBy(1.0 / SIZE_STEP))),
                (Key::CloseBracket, Action::Select(Select::SizeBy(SIZE_STEP))),
            ] {
                if input.consume_key(Modifiers::NONE, key) {
                    actions.push(action);
                }
            }
            // With Shift these keys are braces on many layouts.
            for (keys, by) in [([Key::OpenBracket, Key::OpenCurlyBracket], -0.1), ([Key::CloseBracket, Key::CloseCurlyBracket], 0.1)] {
                if keys.into_iter().any(|key| input.consume_key(Modifiers::SHIFT, key)) {
                    actions.push(Action::Select(Select::HardnessBy(by)));
                }
            }
            let before = input.key_down(Key::Backslash);
            if before != editor.shows_before {
                actions.push(Action::ShowBefore(before));
            }
        }
        if editor.run.as_ref().is_some_and(|run| run.asked) && input.consume_key(Modifiers::NONE, Key::Enter) {
            actions.push(Action::StopAndKeep);
        }
        if input.key_pressed(Key::Escape) && editor.selection.is_drawing() {
            actions.push(Action::Select(Select::Abort));
        } else if input.key_pressed(Key::Escape) && editor.ask.is_some() {
            actions.push(Action::CancelAnswer);
        } else if input.key_pressed(Key::Escape) && editor.run.is_some() {
            actions.push(Action::Cancel);
        }
    });
    actions
}

/// Whether / should bring the cursor to the prompt.
pub fn wants_prompt(ctx: &Context, typing: bool) -> bool {
    !typing
        && ctx.input_mut(|input| {
            let pressed = input.consume_key(Modifiers::NONE, Key::Slash);
            if pressed {
                input.events.retain(|e| !matches!(e, Event::Text(text) if text == "/")); // it is no part of the prompt
            }
            pressed
        })
}
