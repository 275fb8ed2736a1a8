//! The page of models on the screen.

use super::plan::plan;
use super::{Window, harness, welcome};
use eframe::egui::Theme;
use egui_kittest::kittest::Queryable as _;
use pentimento::editor::{Action, Message, Shelf, Smaller};
use pentimento::hub::{Installed, Offer, Progress, Unfinished};
use pentimento::jobs::{
    Command, Component, ConvertProgress, DeviceChoice, DeviceFacts, Estimate, Event, FolderModel, Forecast, Glance, Models, Precision,
    Source,
};
use pentimento::recipe::ModelId;
use serde_json::json;
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
        folders: Vec::new(),
        offline: false,
    };
    window.hear(Event::Models(Ok(models)));
    devices(&mut window);
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

/// A machine without a driver.
fn devices(window: &mut Window) {
    let cpu = DeviceFacts {
        device: DeviceChoice::Cpu,
        name: "AMD EPYC 7763".to_owned(),
        details: vec!["8 threads".to_owned(), "AVX2, FMA, F16C".to_owned()],
        memory_bytes: Some(16 << 30),
        missing: None,
    };
    let missing = "no NVIDIA driver was found (libcuda.so.1); with an NVIDIA card, install its driver, 580 or newer";
    let cuda = DeviceFacts {
        device: DeviceChoice::Cuda,
        name: "NVIDIA graphics card".to_owned(),
        details: Vec::new(),
        memory_bytes: None,
        missing: Some(missing.to_owned()),
    };
    window.hear(Event::Devices(vec![cpu, cuda]));
}

const ORIGINAL: &str = "/home/me/.local/share/pentimento/models/blip3o-next-sft-3b";

/// One model was downloaded, one was made of it, one is being made, and one was not finished.
pub fn smaller() -> Window {
    let mut window = open();
    let folder = PathBuf::from("/home/me/.local/share/pentimento/models");
    let named = |name: &str, glance| FolderModel { folder: folder.join(name), glance };
    let begun = |bits| Glance::Begun { done: 2_400_000_000, total: 4_900_000_000, request: Some(Box::new(request(bits))) };
    let models = Models {
        installed: vec![Installed { plan: plan(8_749_000_000, true), folder: ORIGINAL.into(), bytes: 8_749_000_000, missing: 0 }],
        folders: vec![
            named("blip3o-next-sft-3b-8bit", Glance::Ready { bytes: 4_900_000_000, bits: Some(8) }),
            named("blip3o-next-sft-3b-16bit", begun(Precision::Bf16)),
            FolderModel { folder: "/disk/BLIP3o-NEXT".into(), glance: Glance::Official { bytes: 8_100_000_000 } },
            FolderModel { folder: "/disk/gone".into(), glance: Glance::Nothing("there is no such folder".to_owned()) },
        ],
        cache: PathBuf::from("/home/me/.cache/huggingface/hub"),
        folder,
        free_bytes: Some(212_000_000_000),
        ..Models::default()
    };
    window.hear(Event::Models(Ok(models)));
    devices(&mut window);
    window
}

fn request(precision: Precision) -> pentimento::jobs::ConvertRequest {
    let out = PathBuf::from(format!("{ORIGINAL}-{}bit", precision.bits()));
    let precisions = pentimento::jobs::Precisions::all(precision);
    pentimento::jobs::ConvertRequest { model: ModelId::Folder(ORIGINAL.into()), out, precisions }
}

/// In how many bits.
pub fn choice() -> Window {
    let mut window = smaller();
    act(&mut window, Shelf::Smaller(Smaller::Ask(ORIGINAL.into())));
    let gigabyte = 1_000_000_000;
    let sizes = vec![
        (Precision::Bf16, 8 * gigabyte, 8 * gigabyte),
        (Precision::Q8, 49 * gigabyte / 10, 5 * gigabyte),
        (Precision::Q4, 31 * gigabyte / 10, 32 * gigabyte / 10),
    ];
    let result = Ok(Estimate { bytes: 8_700_000_000, sizes, free: Some(40 * gigabyte) });
    window.hear(Event::ConversionEstimated { model: ModelId::Folder(ORIGINAL.into()), result });
    window
}

fn act(window: &mut Window, what: Shelf) {
    let commands = window.editor.update(Message::Action(Action::Shelf(what)));
    window.commands.extend(commands);
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
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::ListModels(_))));
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
    h.run_steps(4);
    h.get_by_label("Remove").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::RemoveModel { cached: true, .. })));
}

#[test]
fn a_model_is_made_smaller_from_its_card() {
    let mut h = harness(smaller(), Theme::Dark);
    let buttons: Vec<_> = h.get_all_by_label("Make smaller…").collect();
    assert_eq!(buttons.len(), 2, "one of the download, one of the folder; not of what is small already");
    buttons[0].click();
    h.run_steps(4);
    h.get_by_label("Finding out how small it can be…");

    let mut h = harness(choice(), Theme::Light);
    h.get_by_label("4.9 GB");
    h.get_by_label("4 bit").click();
    h.run_steps(2);
    h.get_by_label("Make the copy").click();
    h.run_steps(3);
    let request = h.state().commands.iter().find_map(|c| if let Command::Convert(r) = c { Some(r.clone()) } else { None }).unwrap();
    assert_eq!((request.precisions.language_model, request.out), (Precision::Q4, PathBuf::from(format!("{ORIGINAL}-4bit"))));
    let progress =
        ConvertProgress { component: Component::Transformer, done: 1_200_000_000, total: 3_100_000_000, begun: 0, seconds: 60.0 };
    h.state_mut().hear(Event::Converting { out: format!("{ORIGINAL}-4bit").into(), progress });
    h.run_steps(2);
    h.get_by_label("Diffusion transformer · 1.2 GB of 3.1 GB · 2 minutes left");
    h.get_by_label("Pause").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::CancelConversion)));
}

#[test]
fn what_computes_is_told_and_chosen() {
    let mut h = harness(list(), Theme::Dark);
    h.get_by_label_contains("at present CPU");
    h.get_by_label_contains("no NVIDIA driver was found");
    h.get_by_label("CUDA: NVIDIA graphics card").click();
    h.run_steps(2);
    assert_eq!(h.state().editor.settings.device, DeviceChoice::Auto, "what cannot be used cannot be chosen");
    h.get_by_label("CPU: AMD EPYC 7763").click();
    h.run_steps(2);
    assert_eq!(h.state().editor.settings.device, DeviceChoice::Cpu);
}

#[test]
fn the_status_line_tells_the_plan_and_leads_to_the_page() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    let plan = json!({
        "words": "Each stage loads what it needs", "residency": "stage_by_stage", "weights": "as_stored", "layers": [], "strip_values": 1,
        "stages": [], "peak_bytes": 4_402_341_478u64, "usable_bytes": 6_442_450_944u64, "is_step_down": false,
    });
    let forecast: Forecast = serde_json::from_value(json!({"plan": plan, "device": "CPU"})).unwrap();
    // The first question was from before there was a picture; its answer brings the next one.
    for edits in [false, true] {
        let intents = window.commands.iter().filter_map(|c| if let Command::Forecast(i) = c { Some(i.clone()) } else { None });
        let intent = intents.last().unwrap();
        assert_eq!(intent.edits, edits);
        window.hear(Event::Forecast { intent, result: Ok(Box::new(forecast.clone())) });
    }
    let mut h = harness(window, Theme::Dark);
    h.get_by_label("Will run on CPU, stage by stage, 4.1 of 6.0 GiB").click();
    h.run_steps(3);
    h.get_by_label("To download");
}
