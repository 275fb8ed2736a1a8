//! Paths and addresses made of names that strangers chose, and writing small files whole.

use super::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A path inside a repository as a path below a folder.
///
/// # Errors      it could lead out of the folder, or means something else on another system
pub(super) fn inside(folder: &Path, path: &str) -> Result<PathBuf> {
    let part = |p: &str| {
        let stem = p.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let device = matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
            || stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) && stem.ends_with(|c: char| c.is_ascii_digit());
        !p.is_empty()
            && p.len() <= 255
            && p != "."
            && p != ".."
            && !p.ends_with(['.', ' '])
            && !device
            && !p.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|'))
    };
    if path.len() > 1000 || !path.split('/').all(part) {
        return Err(Error::Hostile { path: path.chars().take(200).collect() });
    }
    Ok(path.split('/').fold(folder.to_owned(), |at, p| at.join(p)))
}

/// A path as a part of an address.
pub(super) fn in_address(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push_str(&super::hash::to_hex(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

/// Writes a small file so that at any moment either the old one or the new one is there.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(folder);
    Ok(())
}

/// Makes a rename in a folder last. Where the system has no such thing there is nothing to do.
pub(super) fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

/// Bytes that are free for us on the disk of a folder, or of the closest one above that is there; `None`: not known.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|f| f.exists())?;
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let path = std::ffi::CString::new(there.as_os_str().as_bytes()).ok()?;
        let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the path ends with a nul, and `stat` is large enough for what the call writes.
        if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the call has said that it filled it.
        let stat = unsafe { stat.assume_init() };
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the types differ between systems")]
        Some((stat.f_bavail as u64).saturating_mul(stat.f_frsize as u64))
    }
    #[cfg(not(unix))]
    {
        let _ = there;
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn no_path_leads_out() {
        let root = Path::new("r");
        assert_eq!(inside(root, "vae/config.json").unwrap(), root.join("vae").join("config.json"));
        for bad in ["", "/x", "../x", "a/../x", "a//b", "./a", "a\\b", "C:x", "a\0b", "a/..", "nul", "COM1.txt", "a.", "a\nb"] {
            assert!(matches!(inside(root, bad), Err(Error::Hostile { .. })), "{bad:?}");
        }
        assert_eq!(in_address("a b/ü%.json"), "a%20b/%C3%BC%25.json");
    }

    #[test]
    fn a_disk_has_room() {
        assert!(!cfg!(unix) || free_bytes(&std::env::temp_dir().join("not/there/yet")).unwrap() > 0);
    }
}
