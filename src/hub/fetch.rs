//! Fetching one file: what is here is gone on with, what has arrived is compared with its hash, and only then named.

use super::cache::Cache;
use super::client::{Answer, Client, Passing, Retry, Trouble, broken_off, number};
use super::hash::{self, Hasher};
use super::offer::{RemoteFile, RemoteRepository};
use super::{Error, Result, Stop, paths};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes after which what has arrived is made to last.
const SYNC_EVERY: u64 = 64 << 20;
const CHUNK: usize = 256 << 10;

/// What is told while a file comes in.
pub(super) enum News {
    /// So many bytes of it are here.
    Here(u64),
    /// So many more have arrived from the net.
    Arrived(u64),
    /// So many more, already here, were compared with the hash.
    Checked(u64),
    /// Nothing comes in, and why; `None`: it does again.
    Waiting(Option<String>),
}

/// One file of a repository.
pub(super) struct Fetch<'a> {
    /// `None`: the network is switched off.
    pub client: Option<&'a Client>,
    pub cache: &'a Cache,
    pub repository: &'a RemoteRepository,
    pub file: &'a RemoteFile,
    pub stop: &'a Stop,
    pub tell: &'a dyn Fn(News),
}

impl Fetch<'_> {
    /// Sees to it that the file is in the cache, whole and with the right hash.
    ///
    /// # Errors      it cannot be had; what has arrived is kept unless it is damaged
    pub fn run(&self) -> Result<()> {
        let (repo, commit, hash) = (&self.repository.repo, &self.repository.commit, &self.file.hash);
        let blob = self.cache.blob(repo, hash);
        let folder = blob.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(Error::disk("made", folder))?;
        let _lock = self.cache.lock(repo, hash, self.stop, |waits| {
            (self.tell)(News::Waiting(waits.then(|| "another program fetches this file".to_owned())));
        })?;
        if let Some(here) = self.cache.find(repo, commit, self.file)? {
            if hash::is_whole(&here, self.file.size, hash, self.stop, |n| (self.tell)(News::Checked(n)))? {
                self.cache.put(repo, commit, self.file)?;
                (self.tell)(News::Here(self.file.size));
                return Ok(());
            }
            tracing::warn!("a file in the cache is damaged and is fetched anew: {}", here.display());
            (self.tell)(News::Here(0));
            fs::remove_file(&here).map_err(Error::disk("removed", &here))?;
        }
        let begun = self.cache.incomplete(repo, hash);
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&begun).map_err(Error::disk("opened", &begun))?;
        // A damaged one is fetched from its beginning once more: the first time, old bytes may have been to blame.
        for last in [false, true] {
            if self.fill(&mut file, &begun)? {
                file.sync_all().map_err(Error::disk("written", &begun))?;
                drop(file);
                fs::rename(&begun, &blob).map_err(Error::disk("renamed", &blob))?;
                paths::sync_folder(folder);
                self.cache.put(repo, commit, self.file)?;
                (self.tell)(News::Here(self.file.size));
                return Ok(());
            }
            file.set_len(0).map_err(Error::disk("written", &begun))?;
            (self.tell)(News::Here(0));
            if last {
                break;
            }
        }
        drop(file);
        let _ = fs::remove_file(&begun);
        Err(Error::Damaged { file: self.file.path.clone() })
    }

    /// Fetches what is missing behind the bytes that are here. Returns whether the whole has the right hash.
    fn fill(&self, file: &mut File, path: &Path) -> Result<bool> {
        let size = self.file.size;
        let mut hasher = Hasher::new(&self.file.hash, size);
        let here = file.metadata().map_err(Error::disk("read", path))?.len();
        if here > size {
            file.set_len(0).map_err(Error::disk("written", path))?;
        }
        file.seek(SeekFrom::Start(0)).map_err(Error::disk("read", path))?;
        let here = if here > size { 0 } else { here };
        let mut at = hasher.read(file, path, here, self.stop, |n| (self.tell)(News::Checked(n)))?;
        (self.tell)(News::Here(at));
        if at == size {
            return Ok(hasher.is(&self.file.hash));
        }
        let client = self.client.ok_or(Error::SwitchedOff)?;
        let mut retry = Retry::new(client.host(), &self.file.path, client.patience.clone());
        while at < size {
            let before = at;
            match self.receive(client, file, path, &mut hasher, &mut at) {
                Ok(()) => {}
                Err(trouble) => {
                    let progressed = at > before;
                    retry.after(trouble, progressed, self.stop, |why| (self.tell)(News::Waiting(why)))?;
                }
            }
        }
        Ok(hasher.is(&self.file.hash))
    }

    /// One request, from `at` to the end of the file or of the connection.
    fn receive(
        &self,
        client: &Client,
        file: &mut File,
        path: &Path,
        hasher: &mut Hasher,
        at: &mut u64,
    ) -> std::result::Result<(), Trouble> {
        let size = self.file.size;
        let address = client.resolve(&self.repository.repo, &self.repository.commit, &self.file.path);
        let answer = client.ask("GET", &address, (*at > 0).then_some(*at), &self.file.path)?;
        let begins = self.begins_at(&answer, *at)?;
        if begins != *at {
            // A server without ranges sends all of it again.
            *hasher = Hasher::new(&self.file.hash, size);
            *at = 0;
            file.set_len(0).map_err(Error::disk("written", path))?;
            (self.tell)(News::Here(0));
        }
        file.seek(SeekFrom::Start(*at)).map_err(Error::disk("written", path))?;
        let mut body = answer.response.into_body().into_reader();
        let (mut buffer, mut unsynced) = (vec![0; CHUNK], 0);
        while *at < size {
            self.stop.check()?;
            let want = (size - *at).min(CHUNK as u64) as usize;
            let read = match body.read(&mut buffer[..want]) {
                Ok(0) => return Err(Passing::BrokenOff("it ended too early".to_owned()).into()),
                Ok(read) => read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) if self.stop.is_stopped() => return Err(Error::Stopped.into()),
                Err(e) => return Err(broken_off(&e).into()),
            };
            file.write_all(&buffer[..read]).map_err(Error::disk("written", path))?;
            hasher.update(&buffer[..read]);
            *at += read as u64;
            unsynced += read as u64;
            if unsynced >= SYNC_EVERY {
                file.sync_data().map_err(Error::disk("written", path))?;
                unsynced = 0;
            }
            (self.tell)(News::Arrived(read as u64));
            (self.tell)(News::Here(*at));
        }
        Ok(())
    }

    /// Where the answer's body begins in the file.
    fn begins_at(&self, answer: &Answer, asked: u64) -> std::result::Result<u64, Trouble> {
        let changed = || Trouble::Final(Error::Changed { file: self.file.path.clone() });
        if answer.hash.as_ref().is_some_and(|hash| *hash != self.file.hash)
            || answer.commit.as_ref().is_some_and(|commit| *commit != self.repository.commit)
            || answer.size.is_some_and(|size| size != self.file.size)
        {
            return Err(changed());
        }
        let headers = answer.response.headers();
        match answer.response.status().as_u16() {
            200 => match number(headers, "content-length") {
                Some(length) if length != self.file.size => Err(Passing::Wrong.into()),
                _ => Ok(0),
            },
            206 => {
                let range = headers.get("content-range").and_then(|v| v.to_str().ok()).and_then(parse_range);
                match range {
                    Some((from, total)) if from == asked && total.is_none_or(|total| total == self.file.size) => Ok(asked),
                    _ => Err(Passing::Wrong.into()),
                }
            }
            _ => Err(Passing::Wrong.into()),
        }
    }
}

/// Beginning and whole size of `bytes 5-9/10`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let from = range.split_once('-')?.0.trim().parse().ok()?;
    Some((from, if total == "*" { None } else { Some(total.trim().parse().ok()?) }))
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_range("bytes 5-9/*"), Some((5, None)));
        assert!(["5-9/10", "bytes */10", "bytes 5-9", "bytes -5-9/10"].iter().all(|bad| parse_range(bad).is_none()));
    }
}
