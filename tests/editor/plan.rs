//! A model as a repository states it, for tests of the window.

use pentimento::hub::{Hash, Licence, Plan, RemoteFile, RemoteRepository};
use pentimento::jobs::Source;

/// A model of one file under a licence of its own.
pub fn plan(bytes: u64, accepted: bool) -> Plan {
    let licence = Licence {
        stated: Some("other".to_owned()),
        name: Some("a licence for the test".to_owned()),
        link: None,
        text: "You may use this for tests. ".repeat(40),
        file: Some("LICENSE".to_owned()),
        hash: "ab".repeat(32),
        accepted,
    };
    let file = RemoteFile { path: "model.safetensors".to_owned(), size: bytes, hash: Hash::Sha256("cd".repeat(32)) };
    let repository = RemoteRepository {
        repo: "BLIP3o/BLIP3o-NEXT-SFT-3B".to_owned(),
        revision: "main".to_owned(),
        commit: "0123456789".repeat(4),
        licence,
        why: None,
        files: vec![file],
    };
    let source = Source::Listed("blip3o-next-sft-3b".to_owned());
    Plan { source, name: "blip3o-next-sft-3b".to_owned(), title: "BLIP3o-NEXT SFT 3B".to_owned(), repositories: vec![repository] }
}
