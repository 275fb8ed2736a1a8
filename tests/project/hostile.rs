//! Files that are no projects, or that somebody has broken: a sentence, bounded memory, no panic.

use crate::{Dice, PLENTY, assert_sentence, edited, mask, noise, small};
use pentimento::document::{Origin, RevisionId};
use pentimento::imaging::{Format, Picture, Pixels, encode};
use pentimento::project::{Error, Project, State};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
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
    let (project, document) = edited(&path);
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
                    let results = (was.and_then(|r| r.local.as_ref()), revision.local.as_ref());
                    assert!(!matches!(results, (Some(was), Some(is)) if was.result != is.result), "those of results too");
                }
            }
        }
    }
    assert!(damaged > 50, "{damaged}");
}

/// Lets somebody with a tool for databases change a project; foreign keys and checks do not hold them.
#[track_caller]
fn check_with(change: impl FnOnce(&Connection) -> rusqlite::Result<()>, told: &str, complaint: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    drop(edited(&path));
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;").unwrap();
    change(&connection).unwrap();
    drop(connection);
    match read(&path) {
        Ok(()) => assert_eq!(complaint, "", "{told}"),
        Err(error) => {
            assert_sentence(&error);
            assert!(error.is_damaged() && !complaint.is_empty() && error.to_string().contains(complaint), "{told}: {error}");
        }
    }
}

#[track_caller]
fn check(sql: &str, complaint: &str) {
    check_with(|connection| connection.execute_batch(sql), sql, complaint);
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
    check("UPDATE revision SET bits = 8 WHERE id = 0", "not the one that was said");
    check("UPDATE revision SET bits = 0 WHERE id = 0", "0 bits");
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
fn what_a_stranger_wrote_of_local_edits_is_not_believed() {
    for (column, values) in [
        ("seen_left", &["40", "-32", "-260001", "9223372036854775807", "-9223372036854775808"][..]),
        ("seen_top", &["30", "-32", "9223372036854775807"]),
        ("seen_width", &["0", "260001", "4294967295"]),
        ("seen_height", &["0", "260001", "4294967295"]),
    ] {
        for value in values {
            check(&format!("UPDATE local SET {column} = {value} WHERE revision = 4"), "part that cannot be one of its picture");
        }
    }
    check("UPDATE local SET seen_width = -1", "a number in it cannot be right");
    check("UPDATE local SET seen_height = 4294967296", "a number in it cannot be right");
    check("UPDATE local SET result = 99 WHERE revision = 4", "missing");
    check("UPDATE local SET result = mask WHERE revision = 5", "result of revision 5 is not the one that was said");
    check("UPDATE local SET result_width = 17 WHERE revision = 4", "result of revision 4 is not the one that was said");
    check("UPDATE local SET result_width = 17 WHERE revision = 6", "result of revision 6 is not the one that was said");
    check(
        "UPDATE local SET result_width = 60000, result_height = 60000 WHERE revision = 4",
        "has a result that is said to have 60000 x 60000",
    );
    check("UPDATE local SET result_height = 0 WHERE revision = 4", "has a result that is said to have 16 x 0");
    check("UPDATE local SET result_bits = 8 WHERE revision = 4", "not the one that was said");
    check("UPDATE local SET result_bits = 9 WHERE revision = 4", "9 bits");
    check("UPDATE local SET result_bits = 16 WHERE revision = 5", "not the one that was said");
    check("UPDATE local SET reconstruction_bits = NULL WHERE revision = 6", "wrong kind");
    check(
        "UPDATE local SET reconstruction = (SELECT picture FROM revision WHERE id = 0) WHERE revision = 6",
        "reconstruction of revision 6",
    );
    check("UPDATE local SET placing = 'anywhere' WHERE revision = 4", "in a way that nobody knows");
    check("UPDATE local SET placing = 'change' WHERE revision = 4", "wrong kind");
    check("UPDATE local SET placing = 'selection' WHERE revision = 4", "wrong kind");
    for reach in ["-0.5", "1.5", "9e999", "-9e999"] {
        check(&format!("UPDATE local SET reach = {reach} WHERE revision = 6"), "in a way that nobody knows");
        check(&format!("UPDATE local SET matching = {reach} WHERE revision = 5"), "in a way that nobody knows");
    }
    check("UPDATE local SET feather = 65001 WHERE revision = 5", "in a way that nobody knows");
    check("UPDATE local SET feather = -1 WHERE revision = 5", "a number in it cannot be right");
    check("UPDATE local SET feather = NULL WHERE revision = 5", "wrong kind");
    check("UPDATE local SET mask = NULL WHERE revision = 5", "wrong kind");
    check("UPDATE local SET mask = 99 WHERE revision = 5", "missing");
    check("UPDATE local SET mask = result WHERE revision = 5", "selection of revision 5");
    check("UPDATE blob SET hash = zeroblob(32) WHERE id = (SELECT mask FROM local WHERE revision = 5)", "not as they were written");
    check("UPDATE revision SET parent = 2 WHERE id = 4", "another size than what it was made from");
    check("DROP TABLE local", "tables");
    check("DROP INDEX local_mask", "tables");
    // Of a revision that was no edit of a part, of one that is not there, and of none: the pictures are in order.
    check("UPDATE local SET revision = 3 WHERE revision = 6", "");
    check("UPDATE local SET revision = 77 WHERE revision = 4", "");
    check("DELETE FROM local", "");
}

/// Puts bytes where the selection of revision 5 was, with everything around them in order.
#[track_caller]
fn check_mask(bytes: &[u8], complaint: &str) {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let change = |connection: &Connection| {
        connection.execute("INSERT INTO blob (id, hash, size) VALUES (99, ?1, ?2)", (hash, bytes.len() as i64))?;
        connection.execute("INSERT INTO piece (blob, place, bytes) VALUES (99, 0, ?1)", [bytes])?;
        connection.execute("UPDATE local SET mask = 99 WHERE revision = 5", []).map(drop)
    };
    check_with(change, &format!("{:?}", &bytes[..bytes.len().min(32)]), complaint);
}

#[test]
fn selections_that_a_stranger_packed_are_not_believed() {
    let right = mask([40, 30], 3).pack().unwrap();
    check_mask(&right, "");
    check_mask(&mask([30, 40], 3).pack().unwrap(), "not one of its picture");
    check_mask(&right[..10], "selection");
    check_mask(&right[..right.len() - 9], "damaged");
    let with = |at: usize, value: u32| [&right[..at], &value.to_le_bytes(), &right[at + 4..]].concat();
    for packed in [with(0, 60_000), with(4, 60_000), with(8, u32::MAX), with(16, 41), with(20, u32::MAX), with(16, 39)] {
        check_mask(&packed, "selection");
    }
    check_mask(&[&right[..24], &encode(&noise(41, 30, false, 1), Format::Png).unwrap()].concat(), "selection");
}

#[test]
fn who_lies_about_a_size_gets_no_more_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let (mut project, mut document) = small(&path);
    for side in [3000, 1] {
        let white = Picture::new(side, side, Pixels::Rgba8(vec![255; 4 * (side * side) as usize].into())).unwrap();
        let id = document.record(None, Origin::Pasted, white);
        project.record(document.revision(id).unwrap(), None).unwrap();
    }
    drop(project);
    // The same bytes are one picture that is large, as it is, and then one that is small.
    let lie = "UPDATE revision SET picture = (SELECT picture FROM revision WHERE id = 4) WHERE id = 5";
    Connection::open(&path).unwrap().execute_batch(lie).unwrap();
    assert!(needs(&path) > 36_000_000);
}

/// What a project says that it takes.
fn needs(path: &Path) -> u64 {
    match Project::open(path).unwrap().document(0) {
        Err(Error::TooLarge { needs_bytes, .. }) => needs_bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_of_a_local_edit_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    drop(small(&path));
    let without = needs(&path);
    let path = folder.path().join("b.pentimento");
    drop(edited(&path));
    // Three pictures of 16 bits, a result of 16 and two of 8, a reconstruction, and one tile of a selection.
    assert_eq!(needs(&path) - without, 3 * 40 * 30 * 8 + 16 * 16 * (8 + 4 + 4 + 4) + 256 * 256);
}

#[test]
fn a_picture_that_unpacks_without_end_is_refused_before_it_takes_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let (mut project, mut document) = small(&path);
    let white = Picture::new(3000, 3000, Pixels::Rgba8(vec![255; 36_000_000].into())).unwrap();
    let id = document.record(None, Origin::Pasted, white);
    project.record(document.revision(id).unwrap(), None).unwrap();
    project.save_state(&State { prompt: "x".into(), ..State::default() }).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 1_000_000);
    let error = project.document(30 << 20).unwrap_err();
    assert!(matches!(error, Error::TooLarge { needs_bytes: 36_000_000.., .. }), "{error}");
    assert!(project.document(PLENTY).unwrap().revision(RevisionId(4)).is_some());
}
