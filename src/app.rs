//! The window: carries events up to the editor, actions into it, commands down to the lanes.

use crate::editor::{Action, Editor, Message, Settings};
use crate::jobs::{Backend, Command, EngineBackend, Event, Jobs, Stage, WorkerBackend, yield_to_window};
use crate::ui::{Moment, SLOW_FRAME, Surface, Times, theme, title};
use crate::{places, render};
use eframe::egui::{self, Key};
use eframe::{CreationContext, NativeOptions, egui_wgpu, wgpu};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The picture of the first start.
const WELCOME: &[u8] = include_bytes!("../assets/welcome.png");
const WELCOME_NAME: &str = "welcome.png";
/// The project that is open by itself.
const SESSION: &str = "current.pentimento";
/// How long the end waits until everything is kept.
const CLOSING: Duration = Duration::from_secs(20);
/// Events that are handled in one frame.
const EVENTS_PER_FRAME: usize = 64;

/// Opens the window with the files.
pub fn open(files: Vec<PathBuf>) -> ExitCode {
    if !has_display() {
        eprintln!(
            "pentimento: there is no display to open a window on; on the command line try \
             `pentimento generate --prompt \"a fox in the snow\" --out fox.png`"
        );
        return ExitCode::FAILURE;
    }
    let times = Times::new();
    yield_to_window();
    let viewport = egui::ViewportBuilder::default()
        .with_title("Pentimento")
        .with_app_id("pentimento")
        .with_inner_size([1280.0, 820.0])
        .with_min_inner_size([820.0, 560.0])
        .with_icon(icon());
    let wgpu_options = egui_wgpu::WgpuConfiguration { wgpu_setup: render::adapter::setup(), ..Default::default() };
    let options = NativeOptions { viewport, clipboard_shortcuts: false, wgpu_options, ..NativeOptions::default() };
    let opened = eframe::run_native("pentimento", options, Box::new(|creation| Ok(Box::new(App::new(creation, files, times)?))));
    match opened {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "pentimento: the window cannot be opened: {error}; a driver for Vulkan or OpenGL is needed (on Debian: \
                 mesa-vulkan-drivers), the command line works without"
            );
            ExitCode::FAILURE
        }
    }
}

fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    cfg!(not(all(unix, not(target_os = "macos")))) || set("DISPLAY") || set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET")
}

fn icon() -> egui::IconData {
    eframe::icon_data::from_png_bytes(include_bytes!("../assets/icon.png")).unwrap_or_default()
}

/// The application in its window.
pub struct App {
    editor: Editor,
    jobs: Jobs,
    surface: Surface,
    /// Those that the window follows already.
    followed: Option<Settings>,
    /// Text from the clipboard, for the field that has the cursor.
    pasted: Option<String>,
    title: String,
    times: Times,
}

impl App {
    /// # Errors      the lanes cannot be started
    pub fn new(creation: &CreationContext, files: Vec<PathBuf>, mut times: Times) -> std::io::Result<Self> {
        times.mark("window and device");
        let ctx = creation.egui_ctx.clone();
        theme::install(&ctx);
        let mut slow = false;
        if let Some(state) = &creation.wgpu_render_state {
            render::install(state, &ctx);
            slow = slow_screen(state);
        }
        let (waker, pause) = (ctx.clone(), if slow { SLOW_FRAME } else { Duration::ZERO });
        let jobs = Jobs::start(backend(), Arc::new(move || waker.request_repaint_after(pause)))?;
        let settings = places::settings()
            .and_then(|folder| std::fs::read_to_string(folder.join(crate::jobs::SETTINGS_FILE)).ok())
            .map_or_else(Settings::default, |text| Settings::from_json(&text));
        let (mut editor, commands) = Editor::new(settings, dice());
        editor.slow_screen = slow;
        editor.can_drop = std::env::var_os("WAYLAND_DISPLAY").is_none_or(|v| v.is_empty());
        let mut app = Self { editor, jobs, surface: Surface::default(), followed: None, pasted: None, title: String::new(), times };
        app.send(commands);
        let (projects, pictures): (Vec<PathBuf>, Vec<PathBuf>) =
            files.into_iter().partition(|f| f.extension().is_some_and(|e| e == "pentimento"));
        let project = projects.into_iter().next().or_else(|| places::projects().map(|folder| folder.join(SESSION)));
        let begun = project.as_ref().is_some_and(|p| p.exists());
        app.send(project.map(Command::OpenProject).into_iter().collect());
        if pictures.is_empty() && !begun {
            app.send(vec![Command::OpenBuiltIn { name: WELCOME_NAME, bytes: WELCOME }]);
        } else {
            app.act(Action::OpenFiles(pictures));
        }
        app.times.mark("application");
        Ok(app)
    }

    fn send(&mut self, commands: Vec<Command>) {
        for command in commands {
            match &command {
                Command::Submit(job) => self.times.job(Moment::Submitted { edit: job.reference.is_some() }),
                Command::Cancel(_) => self.times.job(Moment::Cancelled),
                _ => {}
            }
            self.jobs.send(command);
        }
    }

    fn act(&mut self, action: Action) {
        let commands = self.editor.update(Message::Action(action));
        self.send(commands);
    }

    /// Takes in what the lanes have told.
    fn listen(&mut self, ctx: &egui::Context) {
        let events = self.jobs.poll(EVENTS_PER_FRAME);
        if events.len() >= EVENTS_PER_FRAME {
            ctx.request_repaint();
        }
        for event in events {
            match event {
                Event::PastedText(text) => {
                    self.pasted = Some(text);
                    ctx.request_repaint();
                }
                event => {
                    moment(&event).into_iter().for_each(|moment| self.times.job(moment));
                    let commands = self.editor.update(Message::Event(event));
                    self.send(commands);
                }
            }
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.times.begin(ctx.cumulative_frame_nr(), frame.info().cpu_usage);
        self.listen(ctx);
        if self.followed.as_ref() != Some(&self.editor.settings) {
            theme::choose(ctx, &self.editor.settings);
            self.followed = Some(self.editor.settings.clone());
        }
        let title = title(&self.editor);
        if title != self.title {
            ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
        self.times.done(self.editor.run.is_some());
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.times.work();
        for action in self.surface.show(ui, &self.editor) {
            self.act(action);
        }
        if self.times.wants_a_frame() {
            ui.ctx().request_repaint();
        }
        self.times.done(self.editor.run.is_some());
    }

    fn on_exit(&mut self) {
        self.send(vec![Command::SaveState(self.editor.state())]);
        self.jobs.close(CLOSING);
        self.times.print();
    }

    /// The clipboard is read by a lane of ours, pictures and all; text fields still get what they expect.
    fn raw_input_hook(&mut self, ctx: &egui::Context, raw: &mut egui::RawInput) {
        let typing = ctx.text_edit_focused();
        let mut paste = false;
        for event in &mut raw.events {
            let egui::Event::Key { key, pressed: true, modifiers, .. } = event else { continue };
            match key {
                Key::V if modifiers.command && !modifiers.shift && !modifiers.alt => paste = true,
                Key::C if modifiers.command && typing => *event = egui::Event::Copy,
                Key::X if modifiers.command && typing => *event = egui::Event::Cut,
                _ => {}
            }
        }
        if let Some(text) = self.pasted.take() {
            if typing {
                raw.events.push(egui::Event::Paste(text));
            } else {
                self.editor.draft.prompt.push_str(&text);
            }
        }
        if paste {
            self.act(Action::Paste);
        }
    }
}

/// The models in a process of their own; `PENTIMENTO_IN_PROCESS=1` keeps them in this one.
fn backend() -> Box<dyn Backend> {
    let inside = std::env::var_os("PENTIMENTO_IN_PROCESS").is_some_and(|v| v == "1");
    if inside { Box::new(EngineBackend::default()) } else { Box::new(WorkerBackend::default()) }
}

/// What an event is to whoever times the jobs.
fn moment(event: &Event) -> Option<Moment> {
    match event {
        Event::Blueprint { blueprint, .. } if blueprint.tokens.iter().any(|t| !t.is_empty()) => Some(Moment::Token),
        Event::Progress { progress, .. } if progress.stage == Stage::Blueprint && progress.done > 0 => Some(Moment::Token),
        Event::Preview { .. } => Some(Moment::Preview),
        Event::Finished { .. } => Some(Moment::Ended),
        _ => None,
    }
}

/// Whether the window is drawn without a graphics card.
fn slow_screen(state: &egui_wgpu::RenderState) -> bool {
    state.adapter.get_info().device_type == wgpu::DeviceType::Cpu
}

/// Where random seeds begin: the time, which is the same only for who starts twice in a nanosecond.
fn dice() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64)
}
