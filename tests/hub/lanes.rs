//! The window's end of it: look up, fetch, pause, close, go on, check, remove; each command is answered once.

use crate::scene::{NAME, assert_whole, noise_model, server, settings, side};
use crate::server::{Fault, Server};
use pentimento::hub::{Offer, Source};
use pentimento::jobs::{Backend, Command, Event, Failure, GetEnding, Job, Jobs, Models};
use pentimento::pipeline::{Observer, Outcome};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No model is run here.
struct Idle;

impl Backend for Idle {
    fn run(&mut self, _: &Job, _: &mut dyn Observer) -> Result<Outcome, Failure> {
        Ok(Outcome::Cancelled { made: Vec::new() })
    }

    fn device(&self) -> String {
        String::new()
    }

    fn forget(&mut self) {}
}

fn lanes(home: &Path, server: &Server) -> Jobs {
    let (home, endpoint) = (home.to_owned(), server.endpoint.clone());
    Jobs::start_at(Box::new(Idle), Arc::new(|| {}), Arc::new(move || Ok(settings(&home, &endpoint)))).unwrap()
}

/// Waits for an event that `take` takes; the others are dropped.
fn wait<T>(jobs: &mut Jobs, mut take: impl FnMut(Event) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = jobs.poll(100).into_iter().find_map(&mut take) {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn look_up(jobs: &mut Jobs) -> Result<Box<Offer>, String> {
    jobs.send(Command::LookUpModel(Source::Listed(NAME.to_owned())));
    wait(jobs, |e| if let Event::ModelLookedUp { result, .. } = e { Some(result) } else { None })
}

fn ended(jobs: &mut Jobs) -> GetEnding {
    wait(jobs, |e| if let Event::GetEnded { name, ending } = e { (name == NAME).then_some(ending) } else { None })
}

fn list(jobs: &mut Jobs) -> Models {
    jobs.send(Command::ListModels(Vec::new()));
    wait(jobs, |e| if let Event::Models(models) = e { models.ok() } else { None })
}

/// Waits until so many bytes are here.
fn reach(jobs: &mut Jobs, bytes: u64) {
    wait(jobs, |e| if let Event::GetProgress { progress, .. } = e { (progress.bytes_done >= bytes).then_some(()) } else { None });
}

#[test]
fn a_model_is_fetched_paused_closed_on_and_gone_on_with() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(4_000_000)));
    let mut jobs = lanes(home.path(), &server);
    assert!(list(&mut jobs).installed.is_empty());
    let offer = look_up(&mut jobs).unwrap();
    // Nobody has accepted anything yet.
    jobs.send(Command::GetModel { offer: offer.clone(), accepted: Vec::new() });
    assert!(matches!(ended(&mut jobs), GetEnding::Failed(why) if why.contains("has not been accepted")));
    let accepted: Vec<String> = offer.to_accept().map(|r| r.licence.hash.clone()).collect();
    server.set_speed(2_000_000);
    jobs.send(Command::GetModel { offer: offer.clone(), accepted });
    reach(&mut jobs, 1_000_000);
    // A second one waits for nobody: it is told at once.
    jobs.send(Command::ResumeGet(NAME.to_owned()));
    assert!(matches!(ended(&mut jobs), GetEnding::Failed(why) if why.contains("is being fetched")));
    jobs.send(Command::PauseGet);
    assert_eq!(ended(&mut jobs), GetEnding::Paused);
    let begun = list(&mut jobs).unfinished;
    assert!(begun.len() == 1 && begun[0].bytes_here >= 1_000_000);
    // The window is closed while it fetches, and opened again: nothing begins by itself.
    jobs.send(Command::ResumeGet(NAME.to_owned()));
    reach(&mut jobs, begun[0].bytes_here + 500_000);
    jobs.close(Duration::from_secs(10));
    drop(jobs);
    std::thread::sleep(Duration::from_millis(300));
    let asked = server.asked().len();
    let mut jobs = lanes(home.path(), &server);
    assert_eq!(list(&mut jobs).unfinished.len(), 1);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.asked().len(), asked, "it began by itself");
    server.set_speed(0);
    jobs.send(Command::ResumeGet(NAME.to_owned()));
    let GetEnding::Done(installed) = ended(&mut jobs) else { panic!("it is not done") };
    assert_whole(&installed.folder, &[&noise_model(4_000_000), &side()]);
    let now = list(&mut jobs);
    assert_eq!((now.installed, now.unfinished.len()), (vec![installed], 0));
    jobs.send(Command::VerifyModel(NAME.to_owned()));
    assert_eq!(wait(&mut jobs, |e| if let Event::ModelVerified { result, .. } = e { Some(result) } else { None }), Ok(Vec::new()));
    jobs.send(Command::RemoveModel { name: NAME.to_owned(), cached: true });
    let freed = wait(&mut jobs, |e| if let Event::ModelRemoved { result, .. } = e { Some(result) } else { None }).unwrap();
    assert_eq!(freed, offer.bytes);
    assert!(list(&mut jobs).installed.is_empty());
}

#[test]
fn a_model_is_given_up_running_and_not() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(4_000_000)));
    let mut jobs = lanes(home.path(), &server);
    let offer = look_up(&mut jobs).unwrap();
    let accepted: Vec<String> = offer.to_accept().map(|r| r.licence.hash.clone()).collect();
    for pause_first in [false, true] {
        server.set_speed(2_000_000);
        jobs.send(Command::GetModel { offer: offer.clone(), accepted: accepted.clone() });
        reach(&mut jobs, 500_000);
        if pause_first {
            jobs.send(Command::PauseGet);
            assert_eq!(ended(&mut jobs), GetEnding::Paused);
        }
        jobs.send(Command::CancelGet(NAME.to_owned()));
        assert_eq!(ended(&mut jobs), GetEnding::Cancelled);
        assert!(list(&mut jobs).unfinished.is_empty());
    }
}

#[test]
fn a_failure_is_told_once_and_kept_for_another_try() {
    let (home, server) = (tempfile::tempdir().unwrap(), server(noise_model(600_000)));
    let mut jobs = lanes(home.path(), &server);
    let offer = look_up(&mut jobs).unwrap();
    let accepted: Vec<String> = offer.to_accept().map(|r| r.licence.hash.clone()).collect();
    server.fails(crate::scene::WEIGHTS, &Fault::Status(503, None), 5);
    jobs.send(Command::GetModel { offer, accepted });
    assert!(matches!(ended(&mut jobs), GetEnding::Failed(why) if why.contains("too busy (503)")));
    assert_eq!(list(&mut jobs).unfinished.len(), 1);
    jobs.send(Command::ResumeGet(NAME.to_owned()));
    assert!(matches!(ended(&mut jobs), GetEnding::Done(_)));
}
