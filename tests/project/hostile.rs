//! Files that are no projects, or that somebody has broken: a sentence, bounded memory, no panic.

use crate::{Dice, PLENTY, assert_sentence, noise, small};
use pentimento::document::RevisionId;
use pentimento::imaging::{Format, encode};
use pentimento::project::{Error, Project, State};
use rusqlite::Connection;
use std::fs;
use std::path::Path;

/// Opens and reads everything.
fn read(path: &Path) -> Result<(), Error> {
    let project = Project::open(path)?;
    project.document(PLENTY)?;
    project.thumbnails()?;
    project.state()?;
    Ok(())
}

#[test]
fn foreign_and_newer_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let missing = Project::open(&path).unwrap_err();
    assert!(matches!(missing, Error::Read { .. }), "{missing}");
    assert_sentence(&missing);
    assert!(matches!(Project::open(folder.path()).unwrap_err(), Error::Read { .. }));
    let png = encode(&noise(9, 9, false, 1), Format::Png).unwrap();
    for bytes in [&b""[..], b"SQLite", b"PK\x03\x04", &png, &[0; 5000]] {
        fs::write(&path, bytes).unwrap();
        let error = Project::open(&path).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
        assert_sentence(&error);
        assert_eq!(fs::read(&path).unwrap(), bytes, "and the file is as it was");
    }
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE places (url TEXT)").unwrap();
    assert!(Project::open(&path).unwrap_err().is_foreign(), "another program's database");
    fs::remove_file(&path).unwrap();
    drop(small(&path));
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
    for error in [Project::open(&path).unwrap_err(), Project::open_read_only(&path).unwrap_err()] {
        assert!(matches!(error, Error::Newer { found: 9, .. }), "{error}");
        assert_sentence(&error);
    }
}

#[test]
fn a_file_that_ends_early_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    drop(small(&path));
    let whole = fs::read(&path).unwrap();
    let mut dice = Dice(3);
    let random = (0..60).map(|_| dice.below(whole.len() as u64) as usize);
    for length in [0, 15, 16, 50, 99, 100, 101, 16383, 16384, 16385, whole.len() - 1].into_iter().chain(random) {
        fs::write(&path, &whole[..length]).unwrap();
        for error in [Project::open(&path).map(drop), Project::open_read_only(&path).map(drop)].map(Result::unwrap_err) {
            assert!(error.is_damaged() || length < 16 && error.is_foreign(), "{length}: {error}");
            assert_sentence(&error);
        }
    }
}

#[test]
fn a_file_with_wrong_bytes_is_an_error_or_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let (project, document) = small(&path);
    drop(project);
    let whole = fs::read(&path).unwrap();
    let (mut dice, mut damaged) = (Dice(5), 0);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len() as u64) as usize;
            let run = (dice.below(40) as usize).min(bytes.len() - at);
            let value = dice.roll() as u8;
            bytes[at..at + run].fill(value);
        }
        fs::write(&path, &bytes).unwrap();
        match read(&path) {
            Err(error) => {
                damaged += 1;
                assert_sentence(&error);
            }
            Ok(()) => {
                let found = Project::open(&path).unwrap().document(PLENTY).unwrap();
                for revision in found.revisions() {
                    let was = document.revision(revision.id);
                    assert!(was.is_none_or(|was| was.picture == revision.picture), "pixels are as they were");
                }
            }
        }
    }
    assert!(damaged > 50, "{damaged}");
}

/// Lets somebody with a tool for databases change a project; foreign keys and checks do not hold them.
#[track_caller]
fn check(sql: &str, complaint: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    drop(small(&path));
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;").unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    match read(&path) {
        Ok(()) => assert_eq!(complaint, "", "{sql}"),
        Err(error) => {
            assert_sentence(&error);
            assert!(error.is_damaged() && !complaint.is_empty() && error.to_string().contains(complaint), "{sql}: {error}");
        }
    }
}

#[test]
fn what_a_stranger_wrote_into_the_tables_is_not_believed() {
    check("UPDATE revision SET parent = 3 WHERE id = 1", "not older than itself");
    check("UPDATE revision SET parent = 1 WHERE id = 1", "not older than itself");
    check("UPDATE revision SET parent = 1 WHERE id = 0; UPDATE revision SET parent = 0 WHERE id = 1", "not older than itself");
    check("DELETE FROM revision WHERE id = 0", "not there");
    check("UPDATE revision SET id = -5 WHERE id = 3", "a number in it cannot be right");
    check("UPDATE revision SET id = 4294967295 WHERE id = 3", "count of revisions");
    check("UPDATE revision SET width = 60000, height = 60000 WHERE id = 1", "60000 x 60000");
    check("UPDATE revision SET width = -1 WHERE id = 1", "a number in it cannot be right");
    check("UPDATE revision SET width = 41 WHERE id = 1", "not the one that was said");
    check("UPDATE revision SET bits = 8 WHERE id = 0", "another size");
    check("UPDATE revision SET picture = 99", "missing");
    check("UPDATE revision SET picture = steps WHERE id = 1", "not the one that was said");
    check("UPDATE revision SET origin = 'dreamt' WHERE id = 1", "where revision 1 came from");
    check("UPDATE revision SET recipe = '[[[[' WHERE id = 1", "recipe");
    check("UPDATE revision SET recipe = NULL WHERE id = 1", "wrong kind");
    check("UPDATE revision SET tokens = x'010203' WHERE id = 1", "tokens");
    check("UPDATE revision SET name = CAST(x'ff00fe' AS TEXT) WHERE id = 1", "UTF-8");
    check("UPDATE state SET value = CAST(x'ff00fe' AS TEXT) WHERE key = 'prompt'", "UTF-8");
    check("UPDATE revision SET step_count = 9000000000000000000 WHERE id = 1", "a number in it cannot be right");
    check("UPDATE revision SET step_count = 4000000000 WHERE id = 1", "absurdly large");
    check("UPDATE revision SET channels = 4000000000, latent_height = 4000000000 WHERE id = 1", "absurdly large");
    check("UPDATE revision SET step_count = 0 WHERE id = 1", "absurdly large");
    check("UPDATE revision SET step_count = 3 WHERE id = 1", "absurdly large");
    check("UPDATE revision SET step_count = 5 WHERE id = 1", "not what was said");
    check("UPDATE revision SET step_bits = 7 WHERE id = 1", "absurdly large");
    check("UPDATE blob SET hash = zeroblob(32)  WHERE id = 1", "not as they were written");
    check("UPDATE blob SET size = 1000000000000 WHERE id = 1", "absurdly large");
    check("UPDATE blob SET size = size - 1 WHERE id = 1", "longer than was said");
    check("UPDATE piece SET bytes = zeroblob(900000000) WHERE blob = 1", "absurdly large");
    check("DELETE FROM piece WHERE blob = 2", "not as they were written");
    check("UPDATE piece SET blob = 1, place = 5 WHERE blob = 2", "longer than was said");
    check("INSERT INTO state VALUES ('mask', 77)", "missing");
    check("CREATE VIEW more AS SELECT 1", "tables");
    check("CREATE TRIGGER t AFTER INSERT ON revision BEGIN DELETE FROM revision; END", "tables");
    check("DROP TABLE thumbnail", "tables");
    check(
        "DROP TABLE thumbnail; CREATE VIEW thumbnail AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n)
            SELECT x AS revision, x AS png FROM n",
        "tables",
    );
    // What can be made again or guessed is not worth an error.
    check("UPDATE thumbnail SET png = x'00'", "");
    check("DELETE FROM state", "");
    check("UPDATE state SET value = 77 WHERE key = 'current'", "");
    check("UPDATE revision SET redo = 3", "");
}

#[test]
fn a_picture_that_unpacks_without_end_is_refused_before_it_takes_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let (mut project, mut document) = small(&path);
    let white = pentimento::imaging::Picture::new(3000, 3000, pentimento::imaging::Pixels::Rgba8(vec![255; 36_000_000].into())).unwrap();
    let id = document.record(None, pentimento::document::Origin::Pasted, white);
    project.record(document.revision(id).unwrap(), None).unwrap();
    project.save_state(&State { prompt: "x".into(), ..State::default() }).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 1_000_000);
    let error = project.document(30 << 20).unwrap_err();
    assert!(matches!(error, Error::TooLarge { needs_bytes: 36_000_000.., .. }), "{error}");
    assert!(project.document(PLENTY).unwrap().revision(RevisionId(4)).is_some());
}
