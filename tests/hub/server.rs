//! A server on loopback that speaks the Hugging Face protocol, on two ports: the site, and the store that it redirects
//! large files to. It misbehaves as it is told, and remembers what it was asked.

use pentimento::hub::Hash;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with the content of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// So many bytes, and the connection ends.
    Drop(usize),
    /// So many bytes, and then silence.
    Stall(usize),
    /// A body that is whole by its own word, and too short.
    Short(usize),
    /// A body that is longer than the file.
    Long,
    /// One byte is another.
    Corrupt,
    Status(u16, Option<&'static str>),
    /// Ranges are ignored.
    NoRange,
    /// A range that was not asked for.
    WrongRange,
    /// The site says that the file is another one.
    Changed,
    /// No HTTP at all.
    Noise,
    /// To itself, for ever.
    Loop,
    /// To another kind of address.
    Elsewhere(&'static str),
}

#[derive(Clone)]
pub struct Repo {
    pub commit: String,
    pub card: Value,
    /// Path, content, and whether the store has it.
    pub files: Vec<(String, Arc<Vec<u8>>, bool)>,
    /// Names that the list of files shows besides.
    pub also: Vec<String>,
    /// The list of files leaves out sizes and hashes.
    pub terse: bool,
}

impl Repo {
    pub fn new(digit: char) -> Self {
        let card = json!({"license": "apache-2.0"});
        Self { commit: digit.to_string().repeat(40), card, files: Vec::new(), also: Vec::new(), terse: false }
    }

    #[must_use]
    pub fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        let large = content.len() > 100_000;
        self.files.push((path.to_owned(), Arc::new(content), large));
        self
    }
}

/// The hash by which the cache knows a content.
pub fn hash(content: &[u8], large: bool) -> Hash {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect::<String>();
    if large {
        return Hash::Sha256(hex(&Sha256::digest(content)));
    }
    let sha = Sha1::new().chain_update(format!("blob {}\0", content.len())).chain_update(content);
    Hash::GitSha1(hex(&sha.finalize()))
}

/// What was asked, one line of it each.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whether the site was asked, and not the store.
    pub site: bool,
    pub method: String,
    pub path: String,
    pub range: Option<u64>,
    pub token: Option<String>,
}

#[derive(Default)]
struct State {
    repos: Mutex<BTreeMap<String, Repo>>,
    /// For a file's name: what goes wrong with its next answers, one by one.
    faults: Mutex<Vec<(String, Fault)>>,
    asked: Mutex<Vec<Asked>>,
    sent: AtomicU64,
    /// Bytes a second on each connection; 0: as fast as it goes.
    speed: AtomicU64,
    store: Mutex<String>,
}

pub struct Server {
    pub endpoint: String,
    state: Arc<State>,
}

impl Server {
    pub fn start() -> Self {
        let state = Arc::new(State::default());
        let listen = |site: bool| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let state = state.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = state.clone();
                    std::thread::spawn(move || drop(serve(&stream, &state, site)));
                }
            });
            format!("http://127.0.0.1:{port}")
        };
        let endpoint = listen(true);
        // The same machine by another name, so that nothing but the whole address tells the two apart.
        *state.store.lock().unwrap() = listen(false).replace("127.0.0.1", "localhost");
        Self { endpoint, state }
    }

    pub fn has(&self, name: &str, repo: Repo) {
        self.state.repos.lock().unwrap().insert(name.to_owned(), repo);
    }

    /// The next `times` answers for the file go wrong.
    pub fn fails(&self, file: &str, fault: &Fault, times: usize) {
        self.state.faults.lock().unwrap().extend((0..times).map(|_| (file.to_owned(), fault.clone())));
    }

    pub fn faults_left(&self) -> usize {
        self.state.faults.lock().unwrap().len()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Bytes of content that were sent.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    pub fn set_speed(&self, bytes_per_second: u64) {
        self.state.speed.store(bytes_per_second, Ordering::Relaxed);
    }
}

/// Answers requests until the connection ends.
fn serve(stream: &TcpStream, state: &State, site: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut fields = BTreeMap::new();
        loop {
            let mut field = String::new();
            reader.read_line(&mut field)?;
            let Some((name, value)) = field.trim_end().split_once(':') else { break };
            fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let range = fields.get("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let asked = Asked { site, method, path, range, token: fields.get("authorization").cloned() };
        state.asked.lock().unwrap().push(asked.clone());
        if !answer(stream, state, &asked)? {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return Ok(());
        }
    }
}

fn status(mut stream: &TcpStream, line: &str, fields: &[(&str, String)]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {line}\r\n");
    text.extend(fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
    stream.write_all((text + "\r\n").as_bytes())
}

fn not_found(stream: &TcpStream, code: &str) -> std::io::Result<bool> {
    status(stream, "404 Not Found", &[("X-Error-Code", code.to_owned()), ("Content-Length", "0".to_owned())])?;
    Ok(true)
}

/// Returns whether the connection goes on.
fn answer(stream: &TcpStream, state: &State, asked: &Asked) -> std::io::Result<bool> {
    let path = asked.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').splitn(5, '/').collect();
    if !asked.site {
        // store/ORGANISATION/NAME/COMMIT/PATH
        let ["store", organisation, name, _, file] = parts[..] else { return not_found(stream, "EntryNotFound") };
        let repo = state.repos.lock().unwrap().get(&format!("{organisation}/{name}")).cloned();
        let found = repo.and_then(|repo| repo.files.into_iter().find(|f| f.0 == file));
        let Some((file, content, _)) = found else { return not_found(stream, "EntryNotFound") };
        return send(stream, state, asked, &file, &content, &[("ETag", "\"d41d8cd98f00b204e9800998ecf8427e-2\"".to_owned())]);
    }
    match parts[..] {
        ["api", "models", organisation, name, rest] if rest.starts_with("tree/") => {
            match state.repos.lock().unwrap().get(&format!("{organisation}/{name}")) {
                Some(repo) => say_json(stream, asked, &tree(repo)),
                None => not_found(stream, "RepoNotFound"),
            }
        }
        ["api", "models", organisation, name, _] | ["api", "models", organisation, name] => {
            let repo = state.repos.lock().unwrap().get(&format!("{organisation}/{name}")).cloned();
            match repo {
                Some(repo) => describe(stream, asked, &format!("{organisation}/{name}"), &repo),
                None => not_found(stream, "RepoNotFound"),
            }
        }
        [organisation, name, "resolve", revision, file] => {
            let repo = state.repos.lock().unwrap().get(&format!("{organisation}/{name}")).cloned();
            let Some(repo) = repo else { return not_found(stream, "RepoNotFound") };
            if revision != repo.commit && revision != "main" {
                return not_found(stream, "RevisionNotFound");
            }
            let Some((file, content, large)) = repo.files.iter().find(|f| f.0 == file) else { return not_found(stream, "EntryNotFound") };
            let mut etag = hash(content, *large).hex().to_owned();
            let fault = next_fault(state, file, |f| matches!(f, Fault::Changed | Fault::Loop | Fault::Elsewhere(_)));
            if fault == Some(Fault::Changed) {
                hash(b"another", *large).hex().clone_into(&mut etag);
            }
            let mut fields = vec![("X-Repo-Commit", repo.commit.clone())];
            if !large && fault.is_none() {
                fields.push(("ETag", format!("\"{etag}\"")));
                return send(stream, state, asked, file, content, &fields);
            }
            let store = state.store.lock().unwrap().clone();
            let to = match fault {
                Some(Fault::Loop) => asked.path.clone(),
                Some(Fault::Elsewhere(to)) => to.to_owned(),
                _ => format!("{store}/store/{organisation}/{name}/{revision}/{file}"),
            };
            fields.extend([("Location", to), ("X-Linked-ETag", format!("\"{etag}\"")), ("X-Linked-Size", content.len().to_string())]);
            fields.extend([("ETag", "\"0-0\"".to_owned()), ("Content-Length", "0".to_owned())]);
            status(stream, "302 Found", &fields)?;
            Ok(true)
        }
        _ => not_found(stream, "RepoNotFound"),
    }
}

/// The description of a repository.
fn describe(stream: &TcpStream, asked: &Asked, name: &str, repo: &Repo) -> std::io::Result<bool> {
    let mut siblings = Vec::new();
    for (path, content, large) in &repo.files {
        let mut sibling = json!({"rfilename": path});
        if asked.path.contains("blobs=") && !repo.terse {
            sibling["size"] = json!(content.len());
            sibling["blobId"] = json!(hash(content, false).hex());
            if *large {
                sibling["lfs"] = json!({"sha256": hash(content, true).hex(), "size": content.len(), "pointerSize": 130});
                sibling["blobId"] = json!("0".repeat(40));
            }
        }
        siblings.push(sibling);
    }
    siblings.extend(repo.also.iter().map(|path| json!({"rfilename": path, "size": 1, "blobId": "0".repeat(40)})));
    let body = json!({
        "_id": "1", "id": name, "modelId": name, "sha": repo.commit, "private": false, "gated": false, "tags": [], "downloads": 0,
        "likes": 0, "cardData": repo.card, "siblings": siblings,
    });
    say_json(stream, asked, &body)
}

/// The files of a repository, as newer clients ask for them.
fn tree(repo: &Repo) -> Value {
    let entry = |(path, content, large): &(String, Arc<Vec<u8>>, bool)| {
        let mut entry = json!({"type": "file", "path": path, "size": content.len(), "oid": hash(content, false).hex()});
        if *large {
            entry["oid"] = json!("0".repeat(40));
            entry["lfs"] = json!({"oid": hash(content, true).hex(), "size": content.len(), "pointerSize": 130});
        }
        entry
    };
    repo.files.iter().map(entry).collect()
}

fn say_json(mut stream: &TcpStream, asked: &Asked, body: &Value) -> std::io::Result<bool> {
    let body = body.to_string();
    let fields = [("Content-Type", "application/json".to_owned()), ("Content-Length", body.len().to_string())];
    status(stream, "200 OK", &fields)?;
    if asked.method != "HEAD" {
        stream.write_all(body.as_bytes())?;
    }
    Ok(true)
}

fn next_fault(state: &State, file: &str, of_kind: impl Fn(&Fault) -> bool) -> Option<Fault> {
    let mut faults = state.faults.lock().unwrap();
    let at = faults.iter().position(|(name, fault)| name == file && of_kind(fault))?;
    Some(faults.remove(at).1)
}

/// The content of a file, or what goes wrong with it.
fn send(
    mut stream: &TcpStream,
    state: &State,
    asked: &Asked,
    file: &str,
    content: &[u8],
    fields: &[(&str, String)],
) -> std::io::Result<bool> {
    if asked.method == "HEAD" {
        let length = [("Content-Length", content.len().to_string())];
        status(stream, "200 OK", &[fields, &length].concat())?;
        return Ok(true);
    }
    let fault = next_fault(state, file, |f| !matches!(f, Fault::Changed | Fault::Loop | Fault::Elsewhere(_)));
    match fault {
        Some(Fault::Status(code, retry)) => {
            let mut fields = vec![("Content-Length", "0".to_owned())];
            fields.extend(retry.map(|after| ("Retry-After", after.to_owned())));
            status(stream, &format!("{code} No"), &fields)?;
            return Ok(true);
        }
        Some(Fault::Noise) => {
            stream.write_all(b"\x16\x03\x01 this is no answer\r\n\r\n")?;
            return Ok(false);
        }
        Some(Fault::Short(n)) => {
            status(stream, "200 OK", &[fields, &[("Content-Length", n.to_string())]].concat())?;
            stream.write_all(&content[..n])?;
            return Ok(true);
        }
        Some(Fault::Long) => {
            status(stream, "200 OK", &[fields, &[("Content-Length", (content.len() + 7).to_string())]].concat())?;
            stream.write_all(content)?;
            stream.write_all(b"and more")?;
            return Ok(false);
        }
        _ => {}
    }
    let from = if fault == Some(Fault::NoRange) { None } else { asked.range.map(|r| r as usize).filter(|r| *r < content.len()) };
    let (length, mut content) = (content.len(), content[from.unwrap_or(0)..].to_vec());
    let mut fields = fields.to_vec();
    fields.push(("Content-Length", content.len().to_string()));
    fields.push(("Accept-Ranges", "bytes".to_owned()));
    let shift = usize::from(fault == Some(Fault::WrongRange));
    fields.extend(from.map(|from| ("Content-Range", format!("bytes {}-{}/{length}", from + shift, length - 1))));
    if fault == Some(Fault::Corrupt) {
        let middle = content.len() / 2;
        content[middle] ^= 1;
    }
    status(stream, if from.is_some() { "206 Partial Content" } else { "200 OK" }, &fields)?;
    let most = match fault {
        Some(Fault::Drop(n) | Fault::Stall(n)) => n.min(content.len()),
        _ => content.len(),
    };
    for piece in content[..most].chunks(16 << 10) {
        let speed = state.speed.load(Ordering::Relaxed);
        if speed > 0 {
            std::thread::sleep(Duration::from_secs_f64(piece.len() as f64 / speed as f64));
        }
        stream.write_all(piece)?;
        state.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }
    if let Some(Fault::Stall(_)) = fault {
        // Until the other side gives up.
        let mut byte = [0];
        let _ = std::io::Read::read(&mut stream, &mut byte);
    }
    Ok(most == content.len())
}
