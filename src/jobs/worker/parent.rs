//! The window's side: a worker process, what is sent to it and what comes back.

use super::frames::Frame;
use super::words::{Down, Hello, Up};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a worker may take to say hello: libraries of a graphics card are large.
const HELLO: Duration = Duration::from_secs(30);
/// How long the end of a worker that has closed its pipe is waited for before it is forced.
const LAST_BREATH: Duration = Duration::from_secs(5);
/// What may wait to be heard; a worker that tells more waits too.
const UNHEARD: usize = 64;

/// A worker that has said hello.
pub struct Worker {
    child: Child,
    /// `None` when it was told to end.
    down: Option<Sender<Frame>>,
    up: Receiver<Result<Up, String>>,
}

/// What came of listening for a moment.
pub enum Heard {
    Up(Up),
    Nothing,
    /// The worker is gone or talks nonsense; how it ended, for a person.
    Gone(Gone),
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    pub how: String,
    /// As the system does it where memory runs out.
    pub killed: bool,
}

impl Worker {
    /// Starts the program as a worker and waits for its hello.
    ///
    /// # Errors      a sentence: the program is not there, does not start, or is of another version
    pub fn start(program: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "pentimento");
        let mut child = command.spawn().map_err(|e| format!("{} does not start: {e}", program.display()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let Some((stdin, stdout)) = pipes else { return Err("the worker has no pipes".to_owned()) };
        let (down, down_out) = unbounded();
        let (up_in, up) = bounded(UNHEARD);
        let spawned = thread::Builder::new()
            .name("to the worker".to_owned())
            .spawn(move || write(&down_out, stdin))
            .and_then(|_| thread::Builder::new().name("from the worker".to_owned()).spawn(move || read(stdout, &up_in)));
        let mut worker = Self { child, down: Some(down), up };
        spawned.map_err(|e| format!("there is no thread for a worker: {e}"))?;
        worker.say(&Down::Hello(Hello::own()))?;
        match worker.up.recv_timeout(HELLO) {
            Ok(Ok(Up::Hello(hello))) if hello == Hello::own() => Ok(worker),
            Ok(Ok(Up::Hello(hello))) => Err(format!(
                "{} is of version {}, and this is {}; install both together",
                program.display(),
                hello.program,
                Hello::own().program
            )),
            Ok(Ok(Up::News(..))) => Err(format!("{} does not behave like a worker", program.display())),
            Ok(Err(why)) => Err(format!("{} does not behave like a worker: {why}", program.display())),
            Err(RecvTimeoutError::Timeout) => Err(format!("{} says nothing", program.display())),
            Err(RecvTimeoutError::Disconnected) => {
                let gone = worker.end("");
                Err(format!("{} does not start: {}", program.display(), gone.how))
            }
        }
    }

    /// Never waits for the worker.
    ///
    /// # Errors      it cannot be put into words
    pub fn say(&self, down: &Down) -> Result<(), String> {
        let frame = down.to_frame().map_err(|e| e.to_string())?;
        // Where the worker is gone, that is heard.
        if let Some(down) = &self.down {
            let _ = down.send(frame);
        }
        Ok(())
    }

    /// Waits at most so long for something.
    pub fn listen(&mut self, most: Duration) -> Heard {
        match self.up.recv_timeout(most) {
            Ok(Ok(up)) => Heard::Up(up),
            Ok(Err(why)) => Heard::Gone(self.end(&why)),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::Gone(self.end("")),
        }
    }

    /// Ends it, if it has not ended by itself, and says how. `nonsense` is what could not be understood of it.
    fn end(&mut self, nonsense: &str) -> Gone {
        self.down = None;
        if nonsense.is_empty() {
            let start = Instant::now();
            while start.elapsed() < LAST_BREATH {
                if let Ok(Some(status)) = self.child.try_wait() {
                    return how(status);
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
        self.kill();
        let how = if nonsense.is_empty() { "it stopped talking".to_owned() } else { format!("it cannot be understood: {nonsense}") };
        Gone { how, killed: false }
    }

    fn kill(&mut self) {
        self.down = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn write(frames: &Receiver<Frame>, mut stdin: impl Write) {
    for frame in frames {
        // Whoever reads the other pipe hears that it is gone.
        if let Err(error) = frame.write(&mut stdin) {
            tracing::debug!("the worker takes nothing: {error}");
            return;
        }
    }
}

fn read(stdout: impl Read, up: &Sender<Result<Up, String>>) {
    let mut from = BufReader::with_capacity(1 << 16, stdout);
    loop {
        let heard = match Frame::read(&mut from) {
            Ok(Some(frame)) => Up::from_frame(frame).map_err(|e| e.to_string()),
            // One that dies may do so in the middle of a word.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return,
            Ok(None) => return,
            Err(error) => Err(error.to_string()),
        };
        let last = heard.is_err();
        if up.send(heard).is_err() || last {
            return;
        }
    }
}

fn how(status: ExitStatus) -> Gone {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let how = match signal {
            libc::SIGKILL => "it was killed, perhaps because memory ran out".to_owned(),
            libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE => format!("a fault in the program or in a driver, signal {signal}"),
            libc::SIGABRT => "the program or a driver gave up".to_owned(),
            _ => format!("signal {signal}"),
        };
        return Gone { how, killed: signal == libc::SIGKILL };
    }
    Gone { how: status.code().map_or_else(|| "nobody knows why".to_owned(), |code| format!("it ended with {code}")), killed: false }
}

/// This program, also where its file was replaced or removed since it started.
pub fn own_program() -> Option<PathBuf> {
    if cfg!(target_os = "linux") { Some(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe().ok() }
}
