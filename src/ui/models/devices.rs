//! What computes: the devices of this machine, what is missing for more, and a choice.

use super::{card, section, weak};
use crate::editor::{Action, DeviceChoice, DeviceFacts, Editor, sentence};
use crate::ui::theme;
use crate::ui::words::{figure, say, tell};
use eframe::egui::{Frame, Margin, RadioButton, RichText, Ui};

pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    section(ui, &say("devices"));
    let Some(devices) = &editor.devices else {
        weak(ui, say("looking"));
        return;
    };
    let chosen = editor.settings.device;
    card(
        ui,
        |ui| {
            (ui.spacing_mut().item_spacing.y, ui.spacing_mut().interact_size.y) = (4.0, 18.0);
            let words = match editor.computes() {
                Some(device) => tell!("devices-auto-now", device = kind(device)),
                None => say("devices-auto.tip"),
            };
            row(ui, &say("devices-auto"), &words, chosen == DeviceChoice::Auto, true, DeviceChoice::Auto, actions);
            for facts in devices {
                let can = facts.missing.is_none();
                let name = if facts.name.is_empty() { kind(facts.device) } else { format!("{}: {}", kind(facts.device), facts.name) };
                row(ui, &name, &about(facts), chosen == facts.device, can, facts.device, actions);
            }
            // One that was chosen on another machine.
            if chosen != DeviceChoice::Auto && !devices.iter().any(|d| d.device == chosen) {
                row(ui, &kind(chosen), &say("devices-none"), true, false, chosen, actions);
            }
        },
        |_| {},
    );
}

fn kind(device: DeviceChoice) -> String {
    say(match device {
        DeviceChoice::Auto => "devices-auto",
        DeviceChoice::Cpu => "device-cpu",
        DeviceChoice::Cuda => "device-cuda",
        DeviceChoice::Metal => "device-metal",
    })
}

/// What it is, or what is missing.
fn about(facts: &DeviceFacts) -> String {
    let memory =
        facts.memory_bytes.map(|bytes| tell!("device-memory", size = figure(format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)))));
    let details: Vec<String> = facts.details.iter().cloned().chain(memory).collect();
    let details = details.join(" · ");
    match &facts.missing {
        None => details,
        Some(why) if details.is_empty() => tell!("device-unusable", why = why.as_str()),
        Some(why) => format!("{details}. {}", tell!("device-unusable", why = why.as_str())),
    }
}

fn row(ui: &mut Ui, name: &str, words: &str, chosen: bool, can: bool, device: DeviceChoice, actions: &mut Vec<Action>) {
    let name = RichText::new(name).font(theme::strong_font(theme::BODY));
    if ui.add_enabled(can, RadioButton::new(chosen, name)).on_hover_text(say("devices-when")).clicked() {
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
