//! What selections and edits promise, held against thousands of random pictures, selections, sizes and bit depths.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chance;
mod edits;
mod masks;
mod scenes;
