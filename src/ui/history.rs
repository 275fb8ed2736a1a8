//! The history: a tree of pictures, or those that were searched.

use super::icons::{Icon, icon_button};
use super::words::{say, tell};
use super::{Thumbnails, names, theme};
use crate::document::{Revision, RevisionId, Row};
use crate::editor::{Action, Editor, History};
use eframe::egui::{
    self, Button, FontId, Id, Image, Key, Modal, Rect, Response, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, Ui,
    WidgetInfo, pos2, vec2,
};

/// What the list keeps between frames.
#[derive(Default)]
pub struct Tree {
    /// The picture that was scrolled to, and in how many frames: in the first the list does not know its height yet.
    seen: Option<(RevisionId, u8)>,
}

impl Tree {
    pub fn show(&mut self, ui: &mut Ui, editor: &Editor, thumbnails: &mut Thumbnails, actions: &mut Vec<Action>) {
        let colours = theme::colours(ui.style());
        ui.horizontal(|ui| {
            ui.label(RichText::new(say("history")).font(theme::strong_font(theme::BODY)));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let only = editor.history.only_starred;
                let (icon, tip) = if only { (Icon::Starred, "history-show-all") } else { (Icon::Star, "history-show-starred") };
                if icon_button(ui, icon, &say("history-only-starred"), &say(tip), true).clicked() {
                    actions.push(Action::History(History::Starred(!only)));
                }
                let mut words = editor.history.search.clone();
                let field = TextEdit::singleline(&mut words).id(Id::unique("search")).hint_text(say("history-search")).desired_width(150.0);
                let field = ui.add(field);
                ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(say("history-search.name")));
                if words != editor.history.search {
                    actions.push(Action::History(History::Search(words)));
                }
            });
        });
        if editor.document.revisions().is_empty() {
            ui.label(RichText::new(say("history-empty")).small().color(colours.weak));
            return;
        }
        let rows = match editor.found_revisions() {
            Some(found) => found.iter().map(|r| Row { id: r.id, depth: 0, lines: Vec::new(), is_root: true }).collect(),
            None => editor.document.outline(),
        };
        if rows.is_empty() {
            ui.label(RichText::new(say("history-not-found")).small().color(colours.weak));
            return;
        }
        ui.spacing_mut().item_spacing.y = 2.0;
        let current = editor.document.current().map(|r| r.id);
        let room = ui.available_height().max(LEAST_HEIGHT);
        let mut area = ScrollArea::vertical().id_salt("history").max_height(room).min_scrolled_height(room).auto_shrink([false, false]);
        // Another picture on the canvas is scrolled to, once.
        let frames = self.seen.filter(|(id, _)| Some(*id) == current).map_or(0, |(_, frames)| frames);
        if frames < SCROLLED {
            self.seen = current.map(|id| (id, frames + 1));
            ui.ctx().request_repaint();
            let height = theme::HISTORY_ROW + ui.spacing().item_spacing.y;
            if let Some(at) = rows.iter().position(|r| Some(r.id) == current) {
                area = area.vertical_scroll_offset((at as f32 * height - room / 2.0).max(0.0));
            }
        }
        // Only the rows in sight are drawn: a history can be long.
        area.show_rows(ui, theme::HISTORY_ROW, rows.len(), |ui, range| {
            for row in &rows[range] {
                if let Some(revision) = editor.document.revision(row.id) {
                    one(ui, editor, revision, row, thumbnails, actions);
                }
            }
        });
    }
}

/// Of the list, in points, however low the window is.
const LEAST_HEIGHT: f32 = 1.5 * theme::HISTORY_ROW;
/// Frames in which another picture is scrolled to.
const SCROLLED: u8 = 3;
/// Width of one step to the right.
const STEP: f32 = 14.0;
/// Steps that are shown; deeper ones stand at the same place.
const MOST_STEPS: usize = 6;

fn one(ui: &mut Ui, editor: &Editor, revision: &Revision, row: &Row, thumbnails: &mut Thumbnails, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    let id = revision.id;
    let here = editor.document.current().is_some_and(|r| r.id == id);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), theme::HISTORY_ROW), Sense::click());
    response.widget_info(|| {
        WidgetInfo::selected(Role::Button, true, here, tell!("history-revision", number = id.0 + 1, title = names::title(revision)))
    });
    lines(ui, rect, row);
    let left = rect.left() + STEP * row.depth.min(MOST_STEPS) as f32;
    let card = Rect::from_min_max(pos2(left, rect.top() + 2.0), rect.max - vec2(0.0, 2.0));
    let hovers = response.hovered() || response.has_focus();
    let fill = if here {
        colours.raised
    } else if hovers {
        colours.raised_hover.gamma_multiply(0.5)
    } else {
        colours.panel
    };
    ui.painter().rect_filled(card, f32::from(theme::ROUND), fill);
    if here || response.has_focus() {
        let width = if here { 1.5 } else { 1.0 };
        ui.painter().rect_stroke(card, f32::from(theme::ROUND), Stroke::new(width, colours.accent), StrokeKind::Inside);
    }
    let side = card.height() - 6.0;
    let picture = Rect::from_min_size(card.min + vec2(3.0, 3.0), vec2(side, side));
    ui.painter().rect_filled(picture, 4.0, colours.field);
    if let Some(screen) = editor.screens.get(&id) {
        let (texture, size) = thumbnails.texture(ui.ctx(), id, &screen.thumbnail);
        let scale = (side / size.x).min(side / size.y);
        Image::new((texture, size)).corner_radius(4.0).paint_at(ui, Rect::from_center_size(picture.center(), size * scale));
    }
    let star = Rect::from_center_size(pos2(card.right() - 16.0, card.center().y), vec2(24.0, 24.0));
    if revision.starred || hovers || response.contains_pointer() {
        let name = if revision.starred { "history-unstar-one" } else { "history-star-one" };
        let name = tell!(name, number = id.0 + 1);
        let button = ui.interact(star, Id::unique(("star", id.0)), Sense::click());
        button.widget_info(|| WidgetInfo::selected(Role::Button, true, revision.starred, &name));
        let (icon, colour) = if revision.starred { (Icon::Starred, colours.accent) } else { (Icon::Star, colours.weak) };
        icon.paint(ui.painter(), star.shrink(4.0), colour);
        if button.clicked() {
            actions.push(Action::History(History::Star(id, !revision.starred)));
        }
    }
    let words = Rect::from_min_max(pos2(picture.right() + 8.0, card.top() + 4.0), pos2(star.left() - 2.0, card.bottom() - 4.0));
    match &editor.history.renaming {
        Some((renamed, written)) if *renamed == id => rename(ui, words, written, actions),
        _ => title(ui, words, revision),
    }
    if response.clicked() {
        let with = ui.input(|i| i.modifiers.shift);
        actions.push(if with { Action::CompareWith(id) } else { Action::Go(id) });
    }
    if response.double_clicked() || (response.has_focus() && ui.input(|i| i.key_pressed(Key::F2))) {
        actions.push(Action::History(History::BeginRename(id)));
    }
    menu(&response, editor, revision, actions);
    response.on_hover_ui(|ui| {
        ui.label(names::title(revision));
        ui.label(RichText::new(facts(revision)).small().color(theme::colours(ui.style()).weak));
    });
}

/// The lines of the tree on the left.
fn lines(ui: &Ui, rect: Rect, row: &Row) {
    let stroke = Stroke::new(1.0, theme::colours(ui.style()).weak.gamma_multiply(0.5));
    let x = |depth: usize| rect.left() + STEP * depth as f32 + 4.0;
    let bottom = rect.bottom() + ui.spacing().item_spacing.y;
    for (depth, goes_on) in row.lines.iter().enumerate().take(row.depth.min(MOST_STEPS)) {
        let beside = depth + 1 == row.depth;
        if *goes_on || beside {
            let end = if *goes_on { bottom } else { rect.center().y };
            ui.painter().line_segment([pos2(x(depth), rect.top()), pos2(x(depth), end)], stroke);
        }
        if beside {
            ui.painter().line_segment([pos2(x(depth), rect.center().y), pos2(x(depth) + STEP - 4.0, rect.center().y)], stroke);
        }
    }
}

fn title(ui: &Ui, rect: Rect, revision: &Revision) {
    let colours = theme::colours(ui.style());
    let painter = ui.painter().with_clip_rect(rect);
    let line = |text: String, size: f32, colour, strong: bool| {
        let font = if strong { theme::strong_font(size) } else { FontId::proportional(size) };
        let mut job = egui::text::LayoutJob::simple_singleline(text, font, colour);
        job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width());
        painter.layout_job(job)
    };
    let first = line(names::title(revision).replace('\n', " "), theme::BODY, colours.text, revision.name.is_some());
    let second = line(facts(revision), theme::SMALL, colours.weak, false);
    let top = rect.center().y - f32::midpoint(first.size().y, second.size().y);
    let under = top + first.size().y;
    painter.galley(pos2(rect.left(), top), first, colours.text);
    painter.galley(pos2(rect.left(), under), second, colours.weak);
}

/// How it came about, in a few words.
fn facts(revision: &Revision) -> String {
    let size = format!("{} × {}", revision.picture.width(), revision.picture.height());
    match (revision.recipe(), revision.parent) {
        (Some(recipe), Some(_)) => tell!("history-edit", seed = recipe.seed.to_string(), size = size),
        (Some(recipe), None) => tell!("history-new", seed = recipe.seed.to_string(), size = size),
        (None, _) => size,
    }
}

fn rename(ui: &mut Ui, rect: Rect, written: &str, actions: &mut Vec<Action>) {
    let mut name = written.to_owned();
    let id = Id::unique("rename");
    let field = ui.put(rect, TextEdit::singleline(&mut name).id(id));
    ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(say("history-name")));
    if name != written {
        actions.push(Action::History(History::SetName(name)));
    }
    let ended = field.lost_focus();
    if ended && ui.input(|i| i.key_pressed(Key::Escape)) {
        actions.push(Action::History(History::KeepName));
    } else if ended {
        actions.push(Action::History(History::Rename));
    } else if !field.has_focus() {
        field.request_focus();
    }
}

fn menu(response: &Response, editor: &Editor, revision: &Revision, actions: &mut Vec<Action>) {
    let id = revision.id;
    response.context_menu(|ui| {
        let mut item = |ui: &mut Ui, key: &str, action: Action| {
            if ui.button(say(key)).clicked() {
                actions.push(action);
                ui.close();
            }
        };
        item(ui, "action-rename", Action::History(History::BeginRename(id)));
        item(ui, if revision.starred { "history-unstar" } else { "action-star" }, Action::History(History::Star(id, !revision.starred)));
        if editor.document.current().is_some_and(|c| c.id != id) {
            item(ui, "history-compare", Action::CompareWith(id));
        }
        ui.separator();
        item(ui, "action-prune", Action::History(History::AskPrune(id)));
    });
}

/// Asks before pictures go for good, and shows which.
pub fn ask_prune(ui: &Ui, editor: &Editor, gone: &[RevisionId], thumbnails: &mut Thumbnails, actions: &mut Vec<Action>) {
    const SHOWN: usize = 12;
    let shown = Modal::new(Id::unique("prune")).frame(theme::page(ui.style())).show(ui.ctx(), |ui| {
        let colours = theme::colours(ui.style());
        ui.set_width(420.0);
        let title = match gone.len() {
            1 => say("prune-one"),
            n => tell!("prune-many", more = n - 1),
        };
        ui.label(RichText::new(title).heading());
        ui.label(RichText::new(say("prune-why")).small().color(colours.weak));
        ui.horizontal_wrapped(|ui| {
            for id in gone.iter().take(SHOWN) {
                let Some(screen) = editor.screens.get(id) else { continue };
                let (texture, size) = thumbnails.texture(ui.ctx(), *id, &screen.thumbnail);
                let scale = (60.0 / size.x).min(60.0 / size.y);
                ui.add(Image::new((texture, size)).fit_to_exact_size(size * scale).corner_radius(4.0));
            }
            if gone.len() > SHOWN {
                ui.label(tell!("prune-more", count = gone.len() - SHOWN));
            }
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.add(Button::new(RichText::new(say("prune")).color(colours.danger))).clicked() {
                actions.push(Action::History(History::Prune));
            }
            let keep = ui.button(say("keep"));
            if keep.clicked() {
                actions.push(Action::History(History::KeepAll));
            }
            if ui.memory(|m| m.focused().is_none()) {
                keep.request_focus();
            }
        });
    });
    if shown.should_close() {
        actions.push(Action::History(History::KeepAll));
    }
}
