//! A program that is killed while it writes: whatever it had reported as kept is there afterwards.

use crate::{Dice, PLENTY, assert_sentence, made, noise, steps};
use pentimento::document::{Document, RevisionId};
use pentimento::imaging::Picture;
use pentimento::project::{Error, Project, State};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "PENTIMENTO_TEST_PROJECT_CHILD";
const ROUNDS: u64 = 50;
/// Fewer revisions than this say little; a slow machine kills more often until there are as many.
const FEW: usize = 60;

/// What the revision of an id shows.
fn picture(id: RevisionId) -> Picture {
    noise(64 + id.0 % 60, 64, id.0.is_multiple_of(3), id.0.into())
}

/// Works on a project until it is killed, and tells what it has done. Alone it does nothing.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let tell = |what: &str, id: RevisionId| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n@ {what} {}", id.0).unwrap();
        out.flush().unwrap();
    };
    let mut project = Project::open(Path::new(&path)).unwrap();
    let mut document = project.document(PLENTY).unwrap();
    let mut dice = Dice(document.next().0.into());
    loop {
        let parent = document.revisions().get(dice.below(document.revisions().len() as u64 + 1) as usize).map(|r| r.id);
        let next = document.next();
        let id = document.record_at(parent, made("x"), picture(next), 1, Some(steps(next.0.into())), None);
        project.record(document.revision(id).unwrap(), Some(&noise(16, 16, false, 1))).unwrap();
        tell("kept", id);
        document.go(id);
        project.set_current(id, None).unwrap();
        tell("current", id);
        let mask = (0..dice.below(100_000)).map(|n| n as u8).collect();
        project.save_state(&State { prompt: format!("{}", id.0), mask: Some(mask), ..State::default() }).unwrap();
        tell("prompt", id);
        let other = RevisionId(dice.below(u64::from(id.0) + 1) as u32);
        if let Some(gone) = document.prune(other).filter(|gone| gone.len() < 4) {
            gone.iter().for_each(|id| tell("pruning", *id));
            project.prune(&gone).unwrap();
            gone.iter().for_each(|id| tell("pruned", *id));
        } else {
            document = project.document(PLENTY).unwrap();
        }
    }
}

#[test]
fn nothing_that_was_kept_is_lost_when_the_program_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    drop(Project::create(&path, &Document::default(), &BTreeMap::new(), &State::default()).unwrap());
    let (mut kept, mut pruning, mut pruned) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut journals, mut unfinished, mut dice) = (0, 0, Dice(std::process::id().into()));
    let mut round = 0;
    while round < ROUNDS || kept.len() < FEW && round < 5 * ROUNDS {
        round += 1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::child", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_micros(10_000 + dice.below(240_000)));
        assert!(child.try_wait().unwrap().is_none(), "round {round}: the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let (mut current, mut prompt) = (None, None);
        for line in reader.join().unwrap() {
            let Some((what, id)) = line.strip_prefix("@ ").and_then(|l| l.split_once(' ')) else { continue };
            // The last line may be cut off.
            let Ok(id) = id.parse().map(RevisionId) else { continue };
            match what {
                "kept" => drop(kept.insert(id)),
                "pruning" => drop(pruning.insert(id)),
                "pruned" => drop(pruned.insert(id)),
                "current" => current = Some(id),
                _ => prompt = Some(id),
            }
        }
        if folder.path().join("a.pentimento-journal").exists() {
            journals += 1;
            // Who only looks cannot put right what is half written, and says so.
            match Project::open_read_only(&path) {
                Ok(project) => project.check().unwrap(),
                Err(error) => {
                    assert!(matches!(error, Error::Unfinished { .. }), "round {round}: {error}");
                    assert_sentence(&error);
                    unfinished += 1;
                }
            }
        }
        let project = Project::open(&path).unwrap_or_else(|e| panic!("round {round}: {e}"));
        project.check().unwrap_or_else(|e| panic!("round {round}: {e}"));
        let document = project.document(PLENTY).unwrap_or_else(|e| panic!("round {round}: {e}"));
        for id in kept.difference(&pruning) {
            assert!(document.revision(*id).is_some(), "round {round}: revision {} was kept and is gone", id.0);
        }
        for revision in document.revisions() {
            assert_eq!(revision.picture.here(), Some(&picture(revision.id)), "round {round}");
            assert!(!pruned.contains(&revision.id) && revision.steps == Some(steps(revision.id.0.into())), "round {round}");
        }
        // One more may have been kept than was told.
        assert!(current.is_none_or(|c| document.current().unwrap().id >= c || pruning.contains(&c)), "round {round}");
        let words = project.state().unwrap().prompt.parse().unwrap_or(0);
        assert!(prompt.is_none_or(|p: RevisionId| words >= p.0), "round {round}");
    }
    println!(
        "{} revisions kept, {} pruned, {journals} of {round} kills in the middle of writing, {unfinished} half written",
        kept.len(),
        pruned.len()
    );
    assert!(kept.len() >= FEW && journals > 0, "{} kept, {journals} journals", kept.len());
}
