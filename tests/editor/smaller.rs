//! What computes, what the next run would take, and models made smaller, by messages.

use super::plan::plan;
use super::{act, done, editor, event, facts, job};
use pentimento::editor::{Action, Editor, Message, Shelf, Smaller};
use pentimento::hub::Installed;
use pentimento::jobs::{
    Command, Component, ConvertProgress, Converted, DeviceChoice, DeviceFacts, Estimate, Event, FolderModel, Forecast, Glance, Intent,
    JobId, Models, Precision,
};
use pentimento::recipe::ModelId;
use serde_json::json;
use std::path::{Path, PathBuf};

fn smaller(editor: &mut Editor, what: Smaller) -> Vec<Command> {
    act(editor, Action::Shelf(Shelf::Smaller(what)))
}

const ORIGINAL: &str = "/models/blip3o-next-sft-3b";

/// One model that was downloaded, and these folders.
fn listed(editor: &mut Editor, folders: Vec<FolderModel>) {
    let installed = vec![Installed { plan: plan(8_000, true), folder: PathBuf::from(ORIGINAL), bytes: 8_000, missing: 0 }];
    event(editor, Event::Models(Ok(Models { installed, folders, folder: PathBuf::from("/models"), ..Models::default() })));
}

fn asked() -> Editor {
    let mut e = editor();
    act(&mut e, Action::Shelf(Shelf::Open));
    listed(&mut e, Vec::new());
    let commands = smaller(&mut e, Smaller::Ask(PathBuf::from(ORIGINAL)));
    assert!(matches!(&commands[..], [Command::EstimateConversion { model: ModelId::Folder(f), .. }] if f == Path::new(ORIGINAL)));
    e
}

fn estimated(e: &mut Editor, free: u64) {
    let sizes = vec![(Precision::Bf16, 8_000, 9_000), (Precision::Q8, 4_500, 5_500), (Precision::Q4, 2_600, 3_600)];
    let result = Ok(Estimate { bytes: 8_100, sizes, free: Some(free) });
    event(e, Event::ConversionEstimated { model: ModelId::Folder(ORIGINAL.into()), result });
}

fn out(e: &Editor) -> &str {
    &e.shelf.choice.as_ref().unwrap().out
}

#[test]
fn a_model_is_made_smaller_paused_gone_on_with_used_and_removed() {
    let mut e = asked();
    assert!(smaller(&mut e, Smaller::Start).is_empty(), "nobody knows yet whether it can be");
    estimated(&mut e, 4_000);
    assert_eq!((out(&e), e.shelf.choice.as_ref().unwrap().lacks()), ("/models/blip3o-next-sft-3b-8bit", Some(5_500)));
    smaller(&mut e, Smaller::Choose(Precision::Q4));
    assert_eq!((out(&e), e.shelf.choice.as_ref().unwrap().lacks()), ("/models/blip3o-next-sft-3b-4bit", None));
    smaller(&mut e, Smaller::SetOut("disk/x".to_owned()));
    smaller(&mut e, Smaller::Choose(Precision::Q8));
    assert_eq!(out(&e), "disk/x", "what was typed stays");
    assert!(smaller(&mut e, Smaller::Start).is_empty() && e.shelf.choice.as_ref().unwrap().trouble.is_some(), "not a whole path");
    smaller(&mut e, Smaller::SetOut("/models/blip3o-next-sft-3b-8bit".to_owned()));
    let begun = smaller(&mut e, Smaller::Start);
    let [Command::Convert(request)] = &begun[..] else { panic!("{begun:?}") };
    let made = request.out.clone();
    assert_eq!((request.model.clone(), request.precisions.transformer), (ModelId::Folder(ORIGINAL.into()), Precision::Q8));
    assert!(e.shelf.choice.is_none() && e.shelf.is_converting(Path::new(ORIGINAL)));

    let progress = ConvertProgress { component: Component::Transformer, done: 1_000, total: 4_500, begun: 0, seconds: 2.0 };
    event(&mut e, Event::Converting { out: made.clone(), progress });
    assert_eq!(e.shelf.conversion.as_ref().unwrap().progress, Some(progress));
    assert!(matches!(smaller(&mut e, Smaller::Pause)[..], [Command::CancelConversion]));
    assert!(smaller(&mut e, Smaller::Pause).is_empty(), "once is enough");
    event(&mut e, Event::Converted { out: made.clone(), result: Ok(Converted::Cancelled) });
    let glance = Glance::Begun { done: 1_000, total: 4_500, request: Some(request.clone()) };
    listed(&mut e, vec![FolderModel { folder: made.clone(), glance }]);
    assert_eq!(e.shelf.folder_title(&made), "BLIP3o-NEXT SFT 3B, 8 bit");
    let again = smaller(&mut e, Smaller::GoOn(made.clone()));
    assert!(matches!(&again[..], [Command::Convert(r)] if r == request), "{again:?}");
    assert!(smaller(&mut e, Smaller::GoOn(made.clone())).is_empty(), "one at a time");

    let result = Ok(Converted::Done { bytes: 4_500, seconds: 9.0 });
    let commands = event(&mut e, Event::Converted { out: made.clone(), result });
    assert!(matches!(&commands[..], [Command::ListModels(none)] if none.is_empty()), "it lies where it is found anyway: {commands:?}");
    assert!(e.notices.last().unwrap().text.contains("8 bit is ready"), "{:?}", e.notices);
    listed(&mut e, vec![FolderModel { folder: made.clone(), glance: Glance::Ready { bytes: 4_500, bits: Some(8) } }]);
    act(&mut e, Action::Shelf(Shelf::UseFolder(made.clone())));
    assert_eq!(e.settings.model, ModelId::Folder(made.clone()));
    act(&mut e, Action::Shelf(Shelf::AskRemoveFolder(made.clone())));
    act(&mut e, Action::Shelf(Shelf::KeepIt));
    act(&mut e, Action::Shelf(Shelf::AskRemoveFolder(made.clone())));
    let removed = act(&mut e, Action::Shelf(Shelf::Remove));
    assert!(matches!(removed.last(), Some(Command::RemoveConverted(f)) if *f == made));
    assert_eq!(e.model.id, ModelId::Nano, "what is removed is not used any more");
}

#[test]
fn a_model_elsewhere_is_found_again_until_it_is_forgotten() {
    let mut e = asked();
    estimated(&mut e, 90_000);
    let made = PathBuf::from("/disk/small");
    smaller(&mut e, Smaller::SetOut(made.display().to_string()));
    smaller(&mut e, Smaller::Start);
    let commands = event(&mut e, Event::Converted { out: made.clone(), result: Ok(Converted::Done { bytes: 1, seconds: 1.0 }) });
    assert!(matches!(&commands[..], [Command::SaveSettings(_), Command::ListModels(all)] if *all == vec![made.clone()]), "{commands:?}");
    // One that a person has chosen is remembered once it is known to be a model.
    let other = ModelId::Folder("/disk/official".into());
    act(&mut e, Action::SetModel(other.clone()));
    event(&mut e, Event::Model { model: other.clone(), facts: Err("config.json is missing".to_owned()) });
    assert_eq!(e.settings.folders.len(), 1);
    event(&mut e, Event::Model { model: other.clone(), facts: Ok(facts()) });
    event(&mut e, Event::Model { model: other, facts: Ok(facts()) });
    assert_eq!(e.settings.folders, [made.clone(), "/disk/official".into()]);
    act(&mut e, Action::Shelf(Shelf::Forget(made)));
    assert_eq!(e.settings.folders, [PathBuf::from("/disk/official")]);
    // What fails is told.
    smaller(&mut e, Smaller::Ask(PathBuf::from(ORIGINAL)));
    estimated(&mut e, 90_000);
    smaller(&mut e, Smaller::Start);
    let out = e.shelf.conversion.as_ref().unwrap().request.out.clone();
    event(&mut e, Event::Converted { out, result: Err("the disk is full".to_owned()) });
    assert!(e.shelf.conversion.is_none() && e.notices.last().unwrap().text.contains("the disk is full"));
}

#[test]
fn what_computes_is_chosen_kept_and_used_by_the_next_run() {
    let mut e = editor();
    assert_eq!(e.computes(), None);
    let device = |device, missing: Option<&str>| DeviceFacts {
        device,
        name: "x".to_owned(),
        details: vec![],
        memory_bytes: None,
        missing: missing.map(str::to_owned),
    };
    event(&mut e, Event::Devices(vec![device(DeviceChoice::Cpu, None), device(DeviceChoice::Cuda, Some("no driver"))]));
    assert_eq!(e.computes(), Some(DeviceChoice::Cpu));
    event(&mut e, Event::Devices(vec![device(DeviceChoice::Cpu, None), device(DeviceChoice::Cuda, None)]));
    assert_eq!(e.computes(), Some(DeviceChoice::Cuda));
    let kept = act(&mut e, Action::SetDevice(DeviceChoice::Cpu));
    assert!(matches!(&kept[..], [Command::SaveSettings(text)] if text.contains("\"cpu\"")), "{kept:?}");
    assert_eq!(e.computes(), Some(DeviceChoice::Cpu));
    act(&mut e, Action::SetPrompt("a fox".to_owned()));
    assert_eq!(job(act(&mut e, Action::Run)).device, DeviceChoice::Cpu);
}

fn forecast() -> Box<Forecast> {
    let plan = json!({
        "words": "Each stage loads what it needs: needs 4.1; 6.0 GiB are free", "residency": "stage_by_stage", "weights": "as_stored",
        "layers": [], "strip_values": 1, "stages": [], "peak_bytes": 4_402_341_478u64, "usable_bytes": 6_442_450_944u64,
        "is_step_down": false,
    });
    Box::new(serde_json::from_value(json!({"plan": plan, "device": "CPU"})).unwrap())
}

#[test]
fn the_plan_of_the_next_run_is_told_before_it_begins() {
    let (mut e, _) = Editor::new(pentimento::editor::Settings::default(), 7);
    let asks = |commands: Vec<Command>| -> Vec<Intent> {
        commands.into_iter().filter_map(|c| if let Command::Forecast(intent) = c { Some(*intent) } else { None }).collect()
    };
    let model = Event::Model { model: ModelId::Nano, facts: Ok(facts()) };
    let [first] = &asks(e.update(Message::Event(model)))[..] else { panic!("it is asked for as soon as the model is known") };
    assert_eq!((first.edits, first.variations), (false, 1));
    assert!(asks(e.update(Message::Action(Action::SetVariations(2)))).is_empty(), "one question at a time");
    let told = asks(e.update(Message::Event(Event::Forecast { intent: Box::new(first.clone()), result: Ok(forecast()) })));
    assert!(told.len() == 1 && told[0].variations == 2 && e.outlook().is_none(), "an answer to another question is none");
    e.update(Message::Event(Event::Forecast { intent: Box::new(told[0].clone()), result: Ok(forecast()) }));
    assert_eq!(e.outlook().unwrap().unwrap().words(), "CPU, stage by stage, 4.1 of 6.0 GiB");
    // Memory comes and goes.
    let [again] = &asks(e.update(Message::Action(Action::LookAhead)))[..] else { panic!("it is asked again") };
    e.update(Message::Event(Event::Forecast { intent: Box::new(again.clone()), result: Err("this needs 9.0 GiB".to_owned()) }));
    assert_eq!(e.outlook().unwrap().unwrap_err(), "this needs 9.0 GiB");
    // While a job runs its own plan counts; afterwards it is asked anew.
    e.update(Message::Action(Action::SetPrompt("a fox".to_owned())));
    assert!(asks(e.update(Message::Action(Action::Run))).is_empty());
    assert!(asks(e.update(Message::Action(Action::LookAhead))).is_empty());
    let id = JobId(1);
    e.update(Message::Event(Event::Plan { id, plan: "Everything stays in memory: 4 GiB".to_owned(), is_step_down: false }));
    assert_eq!(e.notices.len(), 0);
    let plan = "Memory was short; going on so: each stage loads what it needs: needs 2.0 GiB".to_owned();
    e.update(Message::Event(Event::Plan { id, plan: plan.clone(), is_step_down: true }));
    assert_eq!(e.run.as_ref().unwrap().plan, Some((plan.clone(), true)));
    assert!(e.notices.last().unwrap().text.starts_with(&plan), "the person is told");
    assert_eq!(asks(e.update(Message::Event(done(id)))).len(), 1);
}
