//! Hashes of files: SHA-256 of large ones, and for small ones the SHA-1 that git gives a blob.

use super::{Error, Result, Stop};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a file's content must hash to, in lower hex. In the cache it is the file's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    Sha256(String),
    /// Over `blob SIZE\0` and the content.
    GitSha1(String),
}

impl Hash {
    /// From an `ETag`, a blob's id or a hash: 64 or 40 hex digits, perhaps in quotes and marked as weak.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        if !text.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        match text.len() {
            64 => Some(Self::Sha256(text)),
            40 => Some(Self::GitSha1(text)),
            _ => None,
        }
    }

    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitSha1(hex) => hex,
        }
    }
}

/// Hashes a file of a known size as it comes in.
#[derive(Clone)]
pub(super) enum Hasher {
    Sha256(Sha256),
    GitSha1(Sha1),
}

impl Hasher {
    pub fn new(hash: &Hash, size: u64) -> Self {
        match hash {
            Hash::Sha256(_) => Self::Sha256(Sha256::new()),
            Hash::GitSha1(_) => {
                let mut sha = Sha1::new();
                sha.update(format!("blob {size}\0"));
                Self::GitSha1(sha)
            }
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sha) => sha.update(bytes),
            Self::GitSha1(sha) => sha.update(bytes),
        }
    }

    pub fn is(self, hash: &Hash) -> bool {
        let hex = match self {
            Self::Sha256(sha) => to_hex(&sha.finalize()),
            Self::GitSha1(sha) => to_hex(&sha.finalize()),
        };
        hex == hash.hex()
    }

    /// Reads at most `most` bytes of a file into the hash, and tells how many there were.
    pub fn read(&mut self, file: &mut File, path: &Path, most: u64, stop: &Stop, mut told: impl FnMut(u64)) -> Result<u64> {
        let (mut buffer, mut done) = (vec![0; 1 << 20], 0);
        while done < most {
            stop.check()?;
            let want = (most - done).min(buffer.len() as u64) as usize;
            let read = file.read(&mut buffer[..want]).map_err(Error::disk("read", path))?;
            if read == 0 {
                break;
            }
            self.update(&buffer[..read]);
            done += read as u64;
            told(read as u64);
        }
        Ok(done)
    }
}

/// Whether a file has the size and the hash.
pub(super) fn is_whole(path: &Path, size: u64, hash: &Hash, stop: &Stop, told: impl FnMut(u64)) -> Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(Error::disk("read", path)(e)),
    };
    if file.metadata().map_err(Error::disk("read", path))?.len() != size {
        return Ok(false);
    }
    let mut hasher = Hasher::new(hash, size);
    let read = hasher.read(&mut file, path, size, stop, told)?;
    Ok(read == size && hasher.is(hash))
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn hashes_are_those_of_git_and_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "hello\n").unwrap();
        let whole = |hash: &str, size| is_whole(&path, size, &Hash::parse(hash).unwrap(), &Stop::default(), |_| {}).unwrap();
        assert!(whole("\"ce013625030ba8dba906f756967f9e9ca394464a\"", 6)); // git hash-object
        assert!(whole("W/\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"", 6)); // sha256sum
        assert!(!whole("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be04", 6));
        assert!(!whole("ce013625030ba8dba906f756967f9e9ca394464a", 7));
        assert_eq!(Hash::parse("\"d41d8cd98f00b204e9800998ecf8427e-12\""), None);
    }
}
