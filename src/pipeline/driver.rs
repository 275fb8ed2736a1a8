//! NVIDIA's driver, asked at run time: this program starts without it.

use libloading::Library;
use std::ffi::{CStr, c_char, c_int};

/// What the driver tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// The newest CUDA that it understands, major and minor.
    pub cuda: (u32, u32),
    pub cards: Vec<Card>,
}

/// A graphics card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub name: String,
    pub memory_bytes: u64,
    /// Its compute capability, major and minor.
    pub capability: (u32, u32),
}

/// Where the driver's library is.
#[cfg(not(windows))]
pub const LIBRARY: &str = "libcuda.so.1";
#[cfg(windows)]
pub const LIBRARY: &str = "nvcuda.dll";

/// No card that could compute, among the driver's codes.
const NO_DEVICE: c_int = 100;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
/// More cards than anybody has.
const MOST_CARDS: c_int = 64;

impl Driver {
    /// Asks the driver behind a library.
    ///
    /// # Errors      what is wrong, as a sentence
    pub fn ask(library: &str) -> Result<Self, String> {
        type Init = unsafe extern "C" fn(u32) -> c_int;
        type Number = unsafe extern "C" fn(*mut c_int) -> c_int;
        type Handle = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
        type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
        type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
        type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
        // SAFETY: a driver's library has no initialiser that asks anything of its caller.
        let library = unsafe { Library::new(library) }.map_err(|_| format!("no NVIDIA driver was found ({library})"))?;
        let lacks = |e: libloading::Error| format!("the NVIDIA driver is not to be understood: {e}");
        // SAFETY: these are the signatures of the driver's interface, the same since CUDA 3.2.
        let (init, version, count, handle, name, memory, attribute) = unsafe {
            (
                library.get::<Init>(b"cuInit\0").map_err(lacks)?,
                library.get::<Number>(b"cuDriverGetVersion\0").map_err(lacks)?,
                library.get::<Number>(b"cuDeviceGetCount\0").map_err(lacks)?,
                library.get::<Handle>(b"cuDeviceGet\0").map_err(lacks)?,
                library.get::<Name>(b"cuDeviceGetName\0").map_err(lacks)?,
                library.get::<Memory>(b"cuDeviceTotalMem_v2\0").map_err(lacks)?,
                library.get::<Attribute>(b"cuDeviceGetAttribute\0").map_err(lacks)?,
            )
        };
        let done = |code: c_int| if code == 0 { Ok(()) } else { Err(format!("the NVIDIA driver answers with the error {code}")) };
        // SAFETY: every pointer is to a local of the right type, and the name's length is given.
        unsafe {
            let mut number: c_int = 0;
            done(version(&raw mut number))?;
            let cuda = (number as u32 / 1000, number as u32 % 1000 / 10);
            match init(0) {
                NO_DEVICE => return Ok(Self { cuda, cards: Vec::new() }),
                code => done(code)?,
            }
            let mut cards = Vec::new();
            done(count(&raw mut number))?;
            for index in 0..number.min(MOST_CARDS) {
                let (mut card, mut bytes, mut major, mut minor) = (0, 0usize, 0, 0);
                let mut text: [c_char; 256] = [0; 256];
                done(handle(&raw mut card, index))?;
                done(name(text.as_mut_ptr(), 255, card))?;
                done(memory(&raw mut bytes, card))?;
                done(attribute(&raw mut major, CAPABILITY_MAJOR, card))?;
                done(attribute(&raw mut minor, CAPABILITY_MINOR, card))?;
                let name = CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned();
                cards.push(Card { name, memory_bytes: bytes as u64, capability: (major as u32, minor as u32) });
            }
            Ok(Self { cuda, cards })
        }
    }
}

/// The version of the driver itself, where the system tells it.
pub fn version() -> Option<String> {
    find_version(&std::fs::read_to_string("/proc/driver/nvidia/version").ok()?)
}

/// `580.82.07` from the first line of what the kernel's module says.
fn find_version(text: &str) -> Option<String> {
    let is_version =
        |word: &&str| word.contains('.') && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_missing_or_has_a_version() {
        assert!(Driver::ask("libcuda-that-nobody-has.so.1").unwrap_err().contains("no NVIDIA driver"));
        let said = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build  (x)\nGCC version: 12.3.0\n";
        assert_eq!(find_version(said).as_deref(), Some("580.82.07"));
        assert_eq!(find_version(""), None);
    }

    /// A library with the driver's interface, made by the compiler that Rust links with.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_driver_is_asked_for_all_its_cards() {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("driver.c"), folder.path().join("libdriver.so"));
        let build = |init: i32| {
            let text = format!(
                "#include <string.h>\n\
                 int cuInit(unsigned f) {{ return {init}; }}\n\
                 int cuDriverGetVersion(int *v) {{ *v = 13020; return 0; }}\n\
                 int cuDeviceGetCount(int *n) {{ *n = 2; return 0; }}\n\
                 int cuDeviceGet(int *d, int i) {{ *d = 40 + i; return 0; }}\n\
                 int cuDeviceGetName(char *t, int n, int d) {{ memset(t, 'A' + d - 40, n); return 0; }}\n\
                 int cuDeviceTotalMem_v2(size_t *b, int d) {{ *b = (size_t)d << 30; return 0; }}\n\
                 int cuDeviceGetAttribute(int *v, int a, int d) {{ *v = a - 70; return 0; }}\n"
            );
            std::fs::write(&source, text).unwrap();
            let _ = std::fs::remove_file(&library);
            let built = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
            assert!(built.unwrap().success());
            Driver::ask(library.to_str().unwrap())
        };
        let driver = build(0).unwrap();
        assert_eq!((driver.cuda, driver.cards.len()), ((13, 2), 2));
        let Card { name, memory_bytes, capability } = &driver.cards[1];
        assert_eq!((name.as_str(), *memory_bytes, *capability), ("B".repeat(255).as_str(), 41 << 30, (5, 6)));
        assert_eq!(build(NO_DEVICE).unwrap().cards, []);
        assert!(build(999).unwrap_err().contains("999"));
    }
}
