//! What computes: the devices of this machine, what is missing for more, and a choice.

use super::{card, section, weak};
use crate::editor::{Action, DeviceChoice, DeviceFacts, Editor, sentence};
use crate::ui::theme;
use eframe::egui::{Frame, Margin, RadioButton, RichText, Ui};

pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    section(ui, "What computes");
    let Some(devices) = &editor.devices else {
        weak(ui, "Looking…");
        return;
    };
    let chosen = editor.settings.device;
    card(
        ui,
        |ui| {
            (ui.spacing_mut().item_spacing.y, ui.spacing_mut().interact_size.y) = (4.0, 18.0);
            let now = editor.computes().map_or_else(String::new, |device| format!("; at present {}", kind(device)));
            let words = format!("A graphics card where one can be used, else the CPU{now}");
            row(ui, "Automatic", &words, chosen == DeviceChoice::Auto, true, DeviceChoice::Auto, actions);
            for facts in devices {
                let can = facts.missing.is_none();
                let name =
                    if facts.name.is_empty() { kind(facts.device).to_owned() } else { format!("{}: {}", kind(facts.device), facts.name) };
                row(ui, &name, &about(facts), chosen == facts.device, can, facts.device, actions);
            }
            // One that was chosen on another machine.
            if chosen != DeviceChoice::Auto && !devices.iter().any(|d| d.device == chosen) {
                row(ui, kind(chosen), "This machine has none", true, false, chosen, actions);
            }
        },
        |_| {},
    );
}

fn kind(device: DeviceChoice) -> &'static str {
    match device {
        DeviceChoice::Auto => "automatic",
        DeviceChoice::Cpu => "CPU",
        DeviceChoice::Cuda => "CUDA",
        DeviceChoice::Metal => "Metal",
    }
}

/// What it is, or what is missing.
fn about(facts: &DeviceFacts) -> String {
    let memory = facts.memory_bytes.map(|bytes| format!("{:.1} GiB of memory", bytes as f64 / f64::from(1 << 30)));
    let details: Vec<String> = facts.details.iter().cloned().chain(memory).collect();
    let details = details.join(" · ");
    match &facts.missing {
        None => details,
        Some(why) if details.is_empty() => format!("Cannot be used: {why}."),
        Some(why) => format!("{details}. Cannot be used: {why}."),
    }
}

fn row(ui: &mut Ui, name: &str, words: &str, chosen: bool, can: bool, device: DeviceChoice, actions: &mut Vec<Action>) {
    let name = RichText::new(name).font(theme::strong_font(theme::BODY));
    if ui.add_enabled(can, RadioButton::new(chosen, name)).on_hover_text("From the next run on").clicked() {
        actions.push(Action::SetDevice(device));
    }
    Frame::new().inner_margin(Margin { left: 18, ..Margin::ZERO }).show(ui, |ui| {
        if chosen && !can {
            super::bad(ui, sentence(words));
        } else {
            weak(ui, sentence(words));
        }
    });
}
