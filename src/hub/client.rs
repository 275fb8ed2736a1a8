//! Requests to a server that speaks the Hugging Face protocol: redirects, the token, retries. The only file that connects.

use super::{Error, Hash, Patience, Result, Settings, Stop, paths};
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderMap, Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Timeout};

const MAX_REDIRECTS: usize = 8;

/// Speaks to one endpoint, and to those that it sends us to.
pub struct Client {
    agent: Agent,
    endpoint: String,
    home: Uri,
    host: String,
    token: Option<String>,
    pub(super) patience: Patience,
    stop: Stop,
}

/// Why a request did not succeed.
pub(super) enum Trouble {
    /// Trying again would not help.
    Final(Error),
    /// It might be better the next time.
    Passing { what: Passing, wait: Option<Duration> },
}

/// A trouble that passes.
#[derive(Clone, Debug)]
pub(super) enum Passing {
    Unreachable(String),
    Stalled,
    BrokenOff(String),
    Busy(u16),
    /// The answer is another file's.
    Wrong,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl From<Passing> for Trouble {
    fn from(what: Passing) -> Self {
        Self::Passing { what, wait: None }
    }
}

/// An answer, and what the endpoint itself said about the file before it sent us elsewhere.
pub(super) struct Answer {
    pub response: Response<Body>,
    pub commit: Option<String>,
    pub hash: Option<Hash>,
    pub size: Option<u64>,
    pub host: String,
}

impl Client {
    /// # Errors      the network is switched off, or the endpoint is no address
    pub fn new(settings: &Settings, stop: &Stop) -> Result<Self> {
        if settings.offline {
            return Err(Error::SwitchedOff);
        }
        let bad = |what: &str| Error::Answer { host: settings.endpoint.chars().take(200).collect(), what: what.to_owned() };
        let home: Uri = settings.endpoint.parse().map_err(|_| bad("it is no address; look at HF_ENDPOINT"))?;
        if !matches!(home.scheme_str(), Some("http" | "https")) || home.host().is_none() || home.query().is_some() {
            return Err(bad("it is no http or https address; look at HF_ENDPOINT"));
        }
        let patience = settings.patience.clone();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("pentimento/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.stall))
            .timeout_per_read(Some(patience.stall))
            .timeout_per_write(Some(patience.stall))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build()
            .into();
        let host = home.host().unwrap_or_default().to_owned();
        Ok(Self { agent, endpoint: settings.endpoint.clone(), home, host, token: settings.token.clone(), patience, stop: stop.clone() })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The endpoint's host, for sentences.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address of a file at a commit.
    pub(super) fn resolve(&self, repo: &str, commit: &str, path: &str) -> String {
        format!("{}/{repo}/resolve/{commit}/{}", self.endpoint, paths::in_address(path))
    }

    /// Breaks off all that is under way; nothing can be asked afterwards.
    pub(super) fn hang_up(&self) {
        self.agent.clone().shutdown();
    }

    /// Reads a small file.
    ///
    /// # Errors      it cannot be had after a few tries, or is larger than `most` bytes
    pub(super) fn read(&self, address: &str, most: u64, what: &str) -> Result<Vec<u8>> {
        self.few_tries(what, || {
            let answer = self.ask("GET", address, None, what)?;
            let host = answer.host;
            let mut bytes = Vec::new();
            let body = answer.response.into_body().into_reader();
            body.take(most + 1).read_to_end(&mut bytes).map_err(|e| broken_off(&e))?;
            if bytes.len() as u64 > most {
                return Err(Error::Answer { host, what: format!("more than {} MB for {what}", most >> 20) }.into());
            }
            Ok(bytes)
        })
    }

    /// Size and hash of a file that the list of files says nothing about.
    pub(super) fn head(&self, repo: &str, commit: &str, path: &str) -> Result<(u64, Hash)> {
        self.few_tries(path, || {
            let answer = self.ask("HEAD", &self.resolve(repo, commit, path), None, path)?;
            let not_stated = |what| Error::NotStated { what, file: path.to_owned() };
            let length = number(answer.response.headers(), "content-length");
            let size = answer.size.or(length).ok_or_else(|| not_stated("the size"))?;
            let hash = answer.hash.ok_or_else(|| not_stated("the hash"))?;
            Ok((size, hash))
        })
    }

    /// Tries a small request a few times: a person waits for the answer.
    fn few_tries<T>(&self, what: &str, mut ask: impl FnMut() -> std::result::Result<T, Trouble>) -> Result<T> {
        let mut retry = Retry::new(&self.host, what, Patience { tries: self.patience.tries.min(3), ..self.patience.clone() });
        loop {
            match ask() {
                Ok(answer) => return Ok(answer),
                Err(trouble) => retry.after(trouble, false, &self.stop, |_| {})?,
            }
        }
    }

    /// Asks, and follows redirects. The token goes to the endpoint alone.
    pub(super) fn ask(&self, method: &str, address: &str, from: Option<u64>, what: &str) -> std::result::Result<Answer, Trouble> {
        self.stop.check()?;
        let nonsense = |host: &str, what: &str| Trouble::Final(Error::Answer { host: host.to_owned(), what: what.to_owned() });
        let mut at: Uri = address.parse().map_err(|_| nonsense(&self.host, "an address that is none"))?;
        let (mut commit, mut hash, mut size) = (None, None, None);
        for hop in 0..=MAX_REDIRECTS {
            let host = at.host().unwrap_or_default().to_owned();
            let is_home = is_same_server(&at, &self.home);
            let mut headers = Vec::new();
            if let Some(token) = self.token.as_ref().filter(|_| is_home) {
                headers.push(("authorization", format!("Bearer {token}")));
            }
            if let Some(from) = from {
                headers.push(("range", format!("bytes={from}-")));
            }
            let sent = match method {
                "HEAD" => headers.iter().fold(self.agent.head(&at), |request, (name, value)| request.header(*name, value)).call(),
                _ => headers.iter().fold(self.agent.get(&at), |request, (name, value)| request.header(*name, value)).call(),
            };
            let response = sent.map_err(|e| self.failed(e, &host))?;
            let (status, fields) = (response.status(), response.headers());
            // What the endpoint says about a file comes with its first answers; another host knows only its own copy.
            if is_home {
                commit = commit.or_else(|| text(fields, "x-repo-commit"));
                size = size.or_else(|| number(fields, "x-linked-size"));
                let plain = || if status.is_redirection() { None } else { text(fields, "etag") };
                hash = hash.or_else(|| text(fields, "x-linked-etag").or_else(plain).as_deref().and_then(Hash::parse));
            }
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                let to = text(fields, "location").ok_or_else(|| nonsense(&host, "a redirect to nowhere"))?;
                let next = join(&at, &to).ok_or_else(|| nonsense(&host, "a redirect to what is no address"))?;
                if at.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                    return Err(nonsense(&host, "a redirect from https to http"));
                }
                at = next;
                continue;
            }
            if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(Answer { response, commit, hash, size, host });
            }
            return Err(refused(status, fields, &host, what, hop > 0 && !is_home));
        }
        Err(nonsense(&self.host, "redirects without an end"))
    }

    fn failed(&self, error: ureq::Error, host: &str) -> Trouble {
        if self.stop.is_stopped() {
            return Error::Stopped.into();
        }
        let why = error.to_string();
        match error {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                Passing::Unreachable(why).into()
            }
            ureq::Error::Timeout(_) => Passing::Stalled.into(),
            ureq::Error::Io(e) => match e.kind() {
                std::io::ErrorKind::ConnectionRefused
                | std::io::ErrorKind::NetworkUnreachable
                | std::io::ErrorKind::HostUnreachable
                | std::io::ErrorKind::AddrNotAvailable => Passing::Unreachable(e.to_string()).into(),
                // A name that is not found has no kind of its own.
                _ if why.contains("lookup address") => Passing::Unreachable(e.to_string()).into(),
                _ => broken_off(&e).into(),
            },
            ureq::Error::Protocol(_) => Passing::BrokenOff(why).into(),
            _ => Error::Unreachable { host: host.to_owned(), why }.into(),
        }
    }
}

/// What an error while reading a body means.
pub(super) fn broken_off(error: &std::io::Error) -> Passing {
    let timeout = error.get_ref().and_then(|e| e.downcast_ref::<ureq::Error>()).is_some_and(|e| matches!(e, ureq::Error::Timeout(_)));
    match error.kind() {
        _ if timeout => Passing::Stalled,
        std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => Passing::Stalled,
        _ => Passing::BrokenOff(error.to_string()),
    }
}

/// What a status that is no success means.
fn refused(status: StatusCode, headers: &HeaderMap, host: &str, what: &str, elsewhere: bool) -> Trouble {
    let (code, host) = (status.as_u16(), host.to_owned());
    let said = text(headers, "x-error-code").unwrap_or_default();
    let not_found = || Error::NotFound { host: host.clone(), what: what.to_owned() };
    match code {
        _ if said.ends_with("NotFound") => not_found().into(),
        // An address with a signature has run out: ask the endpoint for a new one.
        401 | 403 if elsewhere => Passing::Busy(code).into(),
        401 | 403 => Error::Forbidden { host, status: code }.into(),
        404 | 410 => not_found().into(),
        408 | 425 | 429 | 500..=599 => {
            let wait = number(headers, "retry-after").map(Duration::from_secs);
            Trouble::Passing { what: Passing::Busy(code), wait }
        }
        _ => Error::Answer { host, what: format!("status {code} for {what}") }.into(),
    }
}

/// Counts tries and waits between them.
pub(super) struct Retry {
    host: String,
    file: String,
    patience: Patience,
    tries: u32,
}

impl Retry {
    pub fn new(host: &str, file: &str, patience: Patience) -> Self {
        Self { host: host.to_owned(), file: file.to_owned(), patience, tries: 0 }
    }

    /// Waits until the next try. `progressed`: something has arrived since the last one, so that the count begins anew.
    ///
    /// # Errors      the trouble is final, or there were enough tries
    pub fn after(&mut self, trouble: Trouble, progressed: bool, stop: &Stop, tell: impl Fn(Option<String>)) -> Result<()> {
        stop.check()?;
        let (what, wait) = match trouble {
            Trouble::Final(error) => return Err(error),
            Trouble::Passing { what, wait } => (what, wait),
        };
        self.tries = if progressed { 1 } else { self.tries + 1 };
        let (tries, host, file) = (self.tries, self.host.clone(), self.file.clone());
        tracing::debug!("{what:?}, try {tries}: {file}");
        let enough = if matches!(what, Passing::Wrong) { self.patience.tries.min(3) } else { self.patience.tries };
        if tries >= enough {
            return Err(match what {
                Passing::Unreachable(why) => Error::Unreachable { host, why },
                Passing::Stalled => Error::Stalled { host, file, tries },
                Passing::BrokenOff(why) => Error::BrokenOff { file, why, tries },
                Passing::Busy(status) => Error::Busy { host, status, tries },
                Passing::Wrong => Error::Changed { file },
            });
        }
        let doubled = self.patience.first_wait.saturating_mul(1 << (tries - 1).min(16));
        let wait = wait.unwrap_or(doubled).min(self.patience.longest_wait);
        tell(Some(match what {
            Passing::Unreachable(_) => format!("{host} cannot be reached; trying again"),
            Passing::Stalled => format!("{host} sends nothing; trying again"),
            Passing::BrokenOff(_) => "the connection broke off; trying again".to_owned(),
            Passing::Busy(_) => format!("{host} asks to wait {} s", wait.as_secs().max(1)),
            Passing::Wrong => "the answer was another file's; trying again".to_owned(),
        }));
        let waited = stop.wait(wait);
        tell(None);
        waited
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn is_same_server(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

/// The address that a redirect leads to.
fn join(at: &Uri, to: &str) -> Option<Uri> {
    let (scheme, authority) = (at.scheme_str()?, at.authority()?);
    let address = if to.starts_with("//") {
        format!("{scheme}:{to}")
    } else if to.starts_with('/') {
        format!("{scheme}://{authority}{to}")
    } else if to.contains("://") {
        to.to_owned()
    } else {
        let folder = at.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{to}")
    };
    let uri: Uri = address.parse().ok()?;
    // Who is named before an @ could be mistaken for the host.
    let plain = !uri.authority()?.as_str().contains('@');
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && plain).then_some(uri)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let at: Uri = "https://huggingface.co/a/b?c".parse().unwrap();
        let to = |to: &str| join(&at, to).map(|uri| uri.to_string());
        assert_eq!(to("/x?y").as_deref(), Some("https://huggingface.co/x?y"));
        assert_eq!(to("x").as_deref(), Some("https://huggingface.co/a/x"));
        assert_eq!(to("https://github.com/x").as_deref(), Some("https://github.com/x"));
        assert_eq!((to("file:///etc/passwd"), to("https://huggingface.co@github.com/")), (None, None));
    }

    #[test]
    fn the_token_is_for_one_server() {
        let is = |a: &str, b: &str| is_same_server(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(is("https://huggingface.co/x", "https://HuggingFace.co:443"));
        assert!(!is("http://huggingface.co/x", "https://huggingface.co"));
        assert!(!is("http://huggingface.co:81/x", "http://huggingface.co"));
        assert!(!is("https://github.com/x", "https://huggingface.co"));
    }
}
