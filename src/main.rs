//! Parses the arguments and hands over to the window or the command line.

use clap::Parser as _;
use pentimento::cli::{Arguments, Command};
use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    pentimento::pipeline::memory::tune_allocator();
    let filter = tracing_subscriber::EnvFilter::try_from_env("PENTIMENTO_LOG")
        .unwrap_or_else(|_| "warn,wgpu_hal=error,egui_wgpu=error,egui_system_font_provider=error,winit=error,zbus=error".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Worker) => pentimento::jobs::worker::serve(),
        Some(command) => pentimento::cli::run(command),
        #[cfg(feature = "gui")]
        None => pentimento::app::open(arguments.files),
        #[cfg(not(feature = "gui"))]
        None => pentimento::cli::no_window(),
    }
}
