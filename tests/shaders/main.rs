//! The shaders: that they are valid, that both sides agree on their numbers, and that what they draw is what the processor
//! would have drawn.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod canvas;
mod layout;
mod preview;
mod reference;
mod screen;
mod selection;
mod tools;
