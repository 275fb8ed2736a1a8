//! `pentimento-cuda`: the same program, linked with CUDA. The window's program starts it as its worker.

#[path = "main.rs"]
mod program;

fn main() -> std::process::ExitCode {
    program::main()
}
