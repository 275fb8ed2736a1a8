//! Models on their way here: a server on loopback that misbehaves on purpose, kills, other tools on the same cache, and a
//! machine without a network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod interop;
mod kill;
mod lanes;
mod layout;
mod quiet;
mod scene;
mod server;
