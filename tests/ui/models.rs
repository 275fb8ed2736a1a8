//! The page of models on the screen.

use super::plan::plan;
use super::{Window, harness, welcome};
use eframe::egui::Theme;
use egui_kittest::kittest::Queryable as _;
use pentimento::editor::{Action, Message, Shelf};
use pentimento::hub::{Installed, Offer, Progress, Unfinished};
use pentimento::jobs::{Command, Event, Models, Source};
use std::path::PathBuf;

fn open() -> Window {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.editor.draft.seed = 42;
    window.editor.update(Message::Action(Action::Shelf(Shelf::Open)));
    window
}

/// Something is here, something is on its way, and something was begun.
pub fn list() -> Window {
    let mut window = open();
    let named = |name: &str, title: &str, bytes: u64| {
        let mut plan = plan(bytes, true);
        (plan.name, plan.title) = (name.to_owned(), title.to_owned());
        plan
    };
    let installed = Installed {
        plan: plan(8_749_000_000, true),
        folder: PathBuf::from("/models/blip3o-next-sft-3b"),
        bytes: 8_749_000_000,
        missing: 0,
    };
    let begun =
        |name: &str, title: &str| Unfinished { plan: named(name, title, 9_000_000_000), bytes: 9_000_000_000, bytes_here: 3_100_000_000 };
    let (edits, text) = ("blip3o-next-edit-vae", "blip3o-next-grpo-text-3b");
    let models = Models {
        installed: vec![installed],
        unfinished: vec![begun(edits, "BLIP3o-NEXT Edit VAE"), begun(text, "BLIP3o-NEXT GRPO TexT 3B")],
        folder: PathBuf::from("/home/me/.local/share/pentimento/models"),
        cache: PathBuf::from("/home/me/.cache/huggingface/hub"),
        free_bytes: Some(212_000_000_000),
        offline: false,
    };
    window.hear(Event::Models(Ok(models)));
    window.editor.update(Message::Action(Action::Shelf(Shelf::Resume(edits.to_owned()))));
    let progress = Progress {
        bytes: 9_000_000_000,
        bytes_done: 4_200_000_000,
        files: 11,
        files_done: 6,
        bytes_per_second: 31_000_000.0,
        seconds_left: Some(155.0),
        ..Progress::default()
    };
    window.hear(Event::GetProgress { name: edits.to_owned(), progress });
    window
}

/// What is read before anything is fetched.
pub fn offer() -> Window {
    let mut window = open();
    let plan = plan(8_749_000_000, false);
    let source = plan.source.clone();
    window.editor.update(Message::Action(Action::Shelf(Shelf::LookUp(source.clone()))));
    let offer = Offer {
        plan,
        can_generate: Some(true),
        can_edit: Some(false),
        purpose: Some("pictures from words; the one to begin with"),
        bytes: 8_749_000_000,
        bytes_here: 1_200_000_000,
        free_bytes: Some(212_000_000_000),
        folder: PathBuf::from("/home/me/.local/share/pentimento/models/blip3o-next-sft-3b"),
        cache: PathBuf::from("/home/me/.cache/huggingface/hub"),
    };
    window.hear(Event::ModelLookedUp { source, result: Ok(Box::new(offer)) });
    window
}

#[test]
fn the_page_of_models_leads_to_a_download() {
    let mut h = harness(Window::new(), Theme::Dark);
    h.get_by_label("Models…").click();
    h.run_steps(5);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::ListModels)));
    h.get_by_label("Get BLIP3o-NEXT SFT 3B").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::LookUpModel(Source::Listed(id)) if id == "blip3o-next-sft-3b")));

    let mut h = harness(offer(), Theme::Light);
    h.get_by_label("Download 7.5 GB").click();
    h.run_steps(2);
    assert!(!h.state().commands.iter().any(|c| matches!(c, Command::GetModel { .. })), "its licence is not accepted yet");
    h.get_by_label("I accept this licence").click();
    h.run_steps(2);
    h.get_by_label("Download 7.5 GB").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::GetModel { .. })));
}

#[test]
fn what_is_here_is_used_checked_and_removed() {
    let mut h = harness(list(), Theme::Dark);
    h.get_by_label("Pause").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::PauseGet)));
    h.get_by_label("Check").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::VerifyModel(_))));
    h.get_by_label("Remove…").click();
    h.run_steps(2);
    h.get_by_label("Remove").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::RemoveModel { cached: true, .. })));
}
