//! The window: carries events up to the editor, actions into it, commands down to the lanes.

use crate::editor::{Action, Closing, EXAMPLES, Editor, Frame, Leave, Message, Setting, Settings, WELCOME_NAME};
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
/// The project that is open by itself.
const SESSION: &str = "current.pentimento";
/// How long the end waits until everything is kept.
const CLOSING: Duration = Duration::from_secs(20);
/// Of the window, in points: how large it is, and how small and large it may be.
const USUAL: [f32; 2] = [1280.0, 820.0];
const LEAST: [f32; 2] = [820.0, 560.0];
const MOST: f32 = 16384.0;
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
    let settings = places::settings()
        .and_then(|folder| std::fs::read_to_string(folder.join(crate::jobs::SETTINGS_FILE)).ok())
        .map_or_else(Settings::default, |text| Settings::from_json(&text));
    let viewport =
        egui::ViewportBuilder::default().with_title("Pentimento").with_app_id("pentimento").with_min_inner_size(LEAST).with_icon(icon());
    let viewport = framed(viewport, settings.frame);
    let wgpu_options = egui_wgpu::WgpuConfiguration { wgpu_setup: render::adapter::setup(), ..Default::default() };
    let options = NativeOptions { viewport, clipboard_shortcuts: false, wgpu_options, ..NativeOptions::default() };
    let opened = eframe::run_native("pentimento", options, Box::new(|creation| Ok(Box::new(App::new(creation, files, settings, times)?))));
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

/// The window as it was left, or as large as it usually is.
fn framed(viewport: egui::ViewportBuilder, frame: Option<Frame>) -> egui::ViewportBuilder {
    let Some(Frame { position, size: [width, height], is_maximized }) = frame else { return viewport.with_inner_size(USUAL) };
    let within = |value: u32, least: f32| (value as f32).clamp(least, MOST);
    let viewport = viewport.with_inner_size([within(width, LEAST[0]), within(height, LEAST[1])]).with_maximized(is_maximized);
    match position {
        Some([x, y]) => viewport.with_position([x as f32, y as f32]),
        None => viewport,
    }
}

/// Where the window is. Size and place stay those from before while it is maximised, over the whole screen, or away.
fn frame_now(before: Option<Frame>, seen: &egui::ViewportInfo, zoom: f32) -> Option<Frame> {
    if seen.fullscreen == Some(true) || seen.minimized == Some(true) {
        return before;
    }
    if seen.maximized == Some(true) {
        let rest = before.unwrap_or(Frame { position: None, size: USUAL.map(|v| v as u32), is_maximized: true });
        return Some(Frame { is_maximized: true, ..rest });
    }
    let Some(inner) = seen.inner_rect.filter(egui::Rect::is_positive) else { return before };
    let position = seen.outer_rect.map(|rect| [rect.min.x, rect.min.y].map(|v| (v * zoom).round() as i32));
    Some(Frame { position, size: [inner.width(), inner.height()].map(|v| (v * zoom).round() as u32), is_maximized: false })
}

/// Moves the window to where it can be reached, where the screen that it stood on is gone.
fn bring_into_sight(creation: &CreationContext) {
    let Some(window) = creation.winit_window() else { return };
    let Ok(at) = window.outer_position() else { return };
    let screens: Vec<([i32; 2], [u32; 2])> = window
        .available_monitors()
        .map(|screen| ([screen.position().x, screen.position().y], [screen.size().width, screen.size().height]))
        .collect();
    let width = window.outer_size().width;
    if !is_in_sight([at.x, at.y], width, &screens)
        && let Some(screen) = window.primary_monitor().or_else(|| window.available_monitors().next())
    {
        window.set_outer_position(screen.position());
    }
}

/// Whether the middle of a window's upper edge is on a screen: there it is taken to be moved. All in pixels.
fn is_in_sight([x, y]: [i32; 2], width: u32, screens: &[([i32; 2], [u32; 2])]) -> bool {
    let middle = x.saturating_add((width / 2) as i32);
    let on = |at: i32, begin: i32, length: u32| at >= begin && i64::from(at) < i64::from(begin) + i64::from(length);
    // A system that tells no screens has put the window where it wants it.
    screens.is_empty() || screens.iter().any(|(begin, size)| on(middle, begin[0], size[0]) && on(y.saturating_add(8), begin[1], size[1]))
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
    /// Where the window is now.
    frame: Option<Frame>,
    times: Times,
}

impl App {
    /// # Errors      the lanes cannot be started
    pub fn new(creation: &CreationContext, files: Vec<PathBuf>, settings: Settings, mut times: Times) -> std::io::Result<Self> {
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
        let frame = settings.frame;
        if frame.is_some_and(|frame| frame.position.is_some()) {
            bring_into_sight(creation);
        }
        let (mut editor, commands) = Editor::new(settings, dice());
        editor.slow_screen = slow;
        editor.home = places::user().and_then(|home| home.to_str().map(str::to_owned));
        editor.can_drop = std::env::var_os("WAYLAND_DISPLAY").is_none_or(|v| v.is_empty());
        let surface = Surface::default();
        let mut app = Self { editor, jobs, surface, followed: None, pasted: None, title: String::new(), frame, times };
        app.send(commands);
        let (projects, pictures): (Vec<PathBuf>, Vec<PathBuf>) =
            files.into_iter().partition(|f| f.extension().is_some_and(|e| e == "pentimento"));
        let project = projects.into_iter().next().or_else(|| places::projects().map(|folder| folder.join(SESSION)));
        let begun = project.as_ref().is_some_and(|p| p.exists());
        app.send(project.map(Command::OpenProject).into_iter().collect());
        if pictures.is_empty() && !begun {
            let examples = EXAMPLES.iter().map(|example| example.png).collect();
            // The picture is fitted into the room that they leave.
            app.send(vec![Command::OpenExamples(examples), Command::OpenBuiltIn { name: WELCOME_NAME, bytes: WELCOME }]);
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

    /// Closes the window where that is wanted, and asks first where something would be lost.
    fn close(&mut self, ctx: &egui::Context) {
        let is_wanted = ctx.input(|i| i.viewport().close_requested());
        if is_wanted && self.editor.closing != Closing::Goes {
            self.act(Action::Leave(Leave::Close));
        }
        match self.editor.closing {
            Closing::Asks if is_wanted => {
                ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
                // The question must be seen.
                ctx.send_viewport_cmd(egui::ViewportCommand::Minimized(false));
            }
            Closing::Goes if !is_wanted => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
            _ => {}
        }
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
        self.close(ctx);
        let zoom = ctx.zoom_factor(); // asked for here: inside of `input` it would wait for itself
        self.frame = ctx.input(|i| frame_now(self.frame, i.viewport(), zoom));
        self.times.done(self.editor.run.is_some());
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.times.work();
        for action in self.surface.show(ui, &self.editor) {
            self.act(action);
        }
        if self.editor.closing == Closing::Goes {
            ui.ctx().request_repaint();
        }
        if self.times.wants_a_frame() {
            ui.ctx().request_repaint();
        }
        self.times.done(self.editor.run.is_some());
    }

    fn on_exit(&mut self) {
        if let Some(frame) = self.frame.filter(|frame| self.editor.settings.frame != Some(*frame)) {
            self.act(Action::Set(Setting::Frame(frame)));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{Rect, ViewportInfo, pos2, vec2};

    #[test]
    fn the_window_is_as_it_was_left() {
        let seen = |x: f32, y: f32| ViewportInfo {
            inner_rect: Some(Rect::from_min_size(pos2(x, y + 30.0), vec2(500.0, 400.0))),
            outer_rect: Some(Rect::from_min_size(pos2(x, y), vec2(500.0, 430.0))),
            ..ViewportInfo::default()
        };
        // At twice the size of everything a point is two of the system's.
        let left = frame_now(None, &seen(-50.0, 10.0), 2.0).unwrap();
        assert_eq!(left, Frame { position: Some([-100, 20]), size: [1000, 800], is_maximized: false });
        let whole = frame_now(Some(left), &ViewportInfo { maximized: Some(true), ..seen(0.0, 0.0) }, 1.0).unwrap();
        assert_eq!(whole, Frame { is_maximized: true, ..left });
        for away in [ViewportInfo { fullscreen: Some(true), ..seen(0.0, 0.0) }, ViewportInfo { minimized: Some(true), ..seen(0.0, 0.0) }] {
            assert_eq!(frame_now(Some(left), &away, 1.0), Some(left));
        }
        let again = framed(egui::ViewportBuilder::default(), Some(left));
        assert_eq!((again.position, again.inner_size, again.maximized), (Some(pos2(-100.0, 20.0)), Some(vec2(1000.0, 800.0)), Some(false)));
        let tiny = framed(egui::ViewportBuilder::default(), Some(Frame { size: [1, u32::MAX], ..whole }));
        assert_eq!((tiny.inner_size, tiny.maximized), (Some(vec2(LEAST[0], MOST)), Some(true)));
    }

    #[test]
    fn a_window_whose_screen_is_gone_is_seen_again() {
        let two = [([0, 0], [1920, 1080]), ([1920, 0], [1280, 1024])];
        for (at, screens, seen) in [
            ([100, 100], &two[..], true),
            ([2000, 40], &two[..], true),
            ([2000, 40], &two[..1], false),
            ([-700, 0], &two[..1], false),
            ([300, -400], &two[..], false),
            ([9000, 0], &[][..], true),
        ] {
            assert_eq!(is_in_sight(at, 1000, screens), seen, "{at:?}");
        }
    }
}
