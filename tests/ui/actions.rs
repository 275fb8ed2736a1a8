//! The table of actions, walked: each has its words, is in the menu, in the palette and in the README, and can be reached by
//! keys; keys do not get in each other's way, nor in the way of typing.

use crate::{Window, editing, harness, welcome};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, OutputCommand, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use pentimento::editor::{Action, Editor, Message, Setting, Settings};
use pentimento::jobs::Command;
use pentimento::ui::{ACTIONS, Deed, Entry, MENUS, When};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

/// How often a label is to be seen, alone or with keys behind it.
fn count(h: &Harness<'_, Window>, label: &str) -> usize {
    h.query_all_by_label_contains(label).count()
}

#[test]
fn every_action_is_in_the_menu() {
    for menu in MENUS {
        let mut h = harness(Window::new(), Theme::Dark);
        let entries: Vec<&Entry> = ACTIONS.iter().filter(|e| e.menu == menu).collect();
        assert!(!entries.is_empty(), "{menu:?} is empty");
        let before: Vec<usize> = entries.iter().map(|e| count(&h, &e.label())).collect();
        h.get_by_label("Pentimento").click();
        h.run_steps(3);
        h.get_by_role_and_label(Role::Button, &menu.name()).click();
        h.run_steps(4);
        for (entry, before) in entries.iter().zip(before) {
            assert!(count(&h, &entry.label()) > before, "{} is not in {}", entry.label(), menu.name());
        }
    }
}

#[test]
fn every_action_is_in_the_palette_and_reached_by_keys() {
    let mut h = harness(Window::new(), Theme::Dark);
    let before: Vec<usize> = ACTIONS.iter().map(|e| count(&h, &e.label())).collect();
    h.key_press_modifiers(Modifiers::COMMAND, Key::K);
    h.run_steps(4);
    for (entry, before) in ACTIONS.iter().zip(before) {
        let is_held = matches!(entry.deed, Deed::Holds(_));
        // What lasts as long as a key is held cannot be chosen from a list, and has a key.
        assert!(count(&h, &entry.label()) > before || is_held && !entry.keys.is_empty(), "{} is out of reach", entry.label());
    }
    // Its words find it, and Enter does it.
    h.get_by_role_and_label(Role::TextInput, "Action").type_text("models get");
    h.run_steps(3);
    h.key_press(Key::Enter);
    h.run_steps(3);
    assert!(h.state().editor.shelf.open);
}

#[test]
fn no_two_share_keys_and_all_have_words() {
    let settings = Settings::default();
    let mut ids = BTreeSet::new();
    for (at, entry) in ACTIONS.iter().enumerate() {
        assert!(ids.insert(entry.id), "{} is there twice", entry.id);
        for words in [entry.label(), entry.tip()] {
            assert!(!words.is_empty() && !words.starts_with("action-"), "{} has no words", entry.id);
        }
        for keys in entry.keys_in(&settings) {
            let other = ACTIONS[at + 1..].iter().find(|o| o.when.meets(entry.when) && o.keys.contains(&keys));
            assert!(other.is_none(), "{} and {} share {}", entry.id, other.unwrap().id, keys.written());
            assert!(!(keys.is_single() && entry.when == When::Always), "{} would fire while somebody types", entry.id);
        }
    }
}

#[test]
fn nothing_fires_while_somebody_types() {
    let mut window = editing::edited();
    window.editor.update(Message::Action(Action::SetPrompt(String::new())));
    // Also a person's own keys must not, whatever the file of settings says.
    window.editor.update(Message::Action(Action::Set(Setting::Keys("models".to_owned(), Some(vec!["Q".to_owned()])))));
    let mut h = harness(window, Theme::Dark);
    h.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    h.run_steps(2);
    h.state_mut().acted.clear();
    let letters = ('A'..='Z').chain('0'..='9').filter_map(|c| Key::from_name(&c.to_string()));
    let signs =
        [Key::OpenBracket, Key::CloseBracket, Key::Slash, Key::Backslash, Key::Comma, Key::Minus, Key::Plus, Key::Space, Key::Delete];
    for key in letters.chain(signs) {
        for modifiers in [Modifiers::NONE, Modifiers::SHIFT] {
            h.key_press_modifiers(modifiers, key);
            h.run_steps(1);
        }
    }
    h.run_steps(2);
    let acted: Vec<&Action> =
        h.state().acted.iter().filter(|a| !matches!(a, Action::Viewport(_) | Action::LookAhead | Action::SetPrompt(_))).collect();
    assert!(acted.is_empty(), "{acted:?}");
    // The same keys do something elsewhere.
    h.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    h.key_press(Key::Escape);
    h.run_steps(2);
    h.key_press(Key::B);
    h.run_steps(2);
    assert!(h.state().acted.iter().any(|a| matches!(a, Action::Select(_))), "{:?}", h.state().acted);
}

/// The table as the README has it.
fn readme_table() -> String {
    let mut out = String::from("| | keys | what it does |\n|---|---|---|\n");
    for menu in MENUS {
        let _ = writeln!(out, "| **{}** | | |", menu.name());
        for entry in ACTIONS.iter().filter(|e| e.menu == menu) {
            let keys: Vec<String> = entry.keys.iter().map(|k| format!("`{}`", k.words_on(false))).collect();
            let _ = writeln!(out, "| {} | {} | {} |", entry.label(), keys.join(", "), entry.tip());
        }
    }
    out
}

/// `UPDATE_README=1 cargo test --test ui readme` writes the list anew.
#[test]
fn the_readme_lists_every_action_with_its_keys() {
    const BEGIN: &str = "<!-- All actions: UPDATE_README=1 cargo test --test ui readme -->\n";
    const END: &str = "<!-- end of all actions -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a place for the actions");
    let (listed, after) = rest.split_once(END).expect("the list ends");
    let table = format!("\n{}\n", readme_table());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    for (is, should) in listed.lines().zip(table.lines()) {
        assert_eq!(is, should, "run `UPDATE_README=1 cargo test --test ui readme`");
    }
    assert_eq!(listed, table);
}

fn press(h: &mut Harness<'_, Window>, label: &str) {
    h.get_by_label(label).click();
    h.run_steps(3);
}

#[test]
fn a_failure_is_copied_as_a_report() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.editor.update(Message::Action(Action::Run)); // without words
    let mut h = harness(window, Theme::Dark);
    h.get_by_label("Copy report").click();
    let mut copied = None;
    for _ in 0..4 {
        h.step();
        copied = copied.or_else(|| {
            h.output()
                .platform_output
                .commands
                .iter()
                .find_map(|c| if let OutputCommand::CopyText(text) = c { Some(text.clone()) } else { None })
        });
    }
    let report = copied.expect("a report is on the clipboard");
    for said in ["Type what you want first", "program: Pentimento", "system: ", "picture: 640 x 640 px", "done: Run"] {
        assert!(report.contains(said), "{said} in {report}");
    }
    assert!(!report.contains("welcome.png"), "{report}");
}

#[test]
fn recent_files_are_opened_again_and_settings_are_kept() {
    let mut window = Window::new();
    window.editor.update(Message::Action(Action::OpenFiles(vec!["/pictures/old.png".into(), "/pictures/new.png".into()])));
    let mut h = harness(window, Theme::Light);
    for label in ["Pentimento", "File", "Open recent", "old.png"] {
        h.get_by_label_contains(label).click();
        h.run_steps(4);
    }
    assert!(h.state().acted.contains(&Action::OpenFiles(vec!["/pictures/old.png".into()])), "{:?}", h.state().acted);

    h.key_press_modifiers(Modifiers::COMMAND, Key::Comma);
    h.run_steps(4);
    press(&mut h, "As the model is used to (20)");
    assert_eq!((h.state().editor.settings.steps, h.state().editor.draft.steps), (Some(20), 20));
    press(&mut h, "Make them 4 times as wide and high");
    press(&mut h, "Nothing moves by itself");
    h.get_by_role_and_label(Role::TextInput, "Dialogs for files begin in").focus();
    h.run_steps(2);
    h.get_by_role_and_label(Role::TextInput, "Dialogs for files begin in").type_text("/pictures");
    h.run_steps(2);
    press(&mut h, "Close");
    let folder = Some(PathBuf::from("/pictures"));
    let Settings { upscale_results, reduced_motion, folder: kept, .. } = &h.state().editor.settings;
    assert!(*upscale_results && *reduced_motion && *kept == folder, "{:?}", h.state().editor.settings);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::BeginDialogsIn(to) if *to == folder)));
    // The next start knows them.
    let (editor, commands) = Editor::new(Settings::from_json(&h.state().editor.settings.to_json()), 1);
    assert!(editor.draft.steps == 20 && commands.iter().any(|c| matches!(c, Command::BeginDialogsIn(to) if *to == folder)));
}
