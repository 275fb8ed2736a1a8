//! Small drawings for buttons, made of strokes so that they are sharp at every scale.

use super::theme;
use eframe::egui::{self, Color32, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

/// The drawings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Open,
    Export,
    Undo,
    Redo,
    Dice,
    Locked,
    Unlocked,
    Close,
    Fit,
    Plus,
    Minus,
    Sun,
    Moon,
    Auto,
    Recipe,
    Previous,
    Next,
    Sooner,
    Compare,
    Hand,
    Brush,
    Eraser,
    Rectangle,
    Lasso,
    Star,
    Starred,
}

impl Icon {
    /// Paints into a square.
    pub fn paint(self, painter: &egui::Painter, rect: Rect, colour: Color32) {
        let stroke = Stroke::new(1.5 * rect.width() / theme::ICON, colour);
        let p = |x: f32, y: f32| pos2(rect.left() + x * rect.width(), rect.top() + y * rect.height());
        let line = |points: &[(f32, f32)]| {
            painter.add(Shape::line(points.iter().map(|(x, y)| p(*x, *y)).collect(), stroke));
        };
        let arc = |center: (f32, f32), r: f32, from: f32, to: f32| {
            let at = |t: f32| (center.0 + r * t.cos(), center.1 + r * t.sin());
            line(&(0..=16).map(|i| at(from + (to - from) * i as f32 / 16.0)).collect::<Vec<_>>());
        };
        let dot = |x: f32, y: f32, r: f32| {
            painter.circle_filled(p(x, y), r * rect.width(), colour);
        };
        let turn = std::f32::consts::TAU;
        match self {
            Self::Open => {
                line(&[(0.06, 0.82), (0.06, 0.2), (0.38, 0.2), (0.48, 0.32), (0.86, 0.32), (0.86, 0.44)]);
                line(&[(0.06, 0.82), (0.22, 0.44), (0.98, 0.44), (0.82, 0.82), (0.06, 0.82)]);
            }
            Self::Export => {
                line(&[(0.5, 0.06), (0.5, 0.64)]);
                line(&[(0.26, 0.28), (0.5, 0.05), (0.74, 0.28)]);
                line(&[(0.1, 0.6), (0.1, 0.92), (0.9, 0.92), (0.9, 0.6)]);
            }
            Self::Undo | Self::Redo => {
                let flip = |x: f32| if self == Self::Undo { x } else { 1.0 - x };
                line(&[(flip(0.34), 0.14), (flip(0.1), 0.38), (flip(0.34), 0.62)]);
                let curve: Vec<(f32, f32)> = (0..=12)
                    .map(|i| {
                        let t = turn * (-0.25 + 0.5 * i as f32 / 12.0);
                        (flip(0.62 + 0.26 * t.cos()), 0.62 + 0.24 * t.sin())
                    })
                    .collect();
                line(&[(flip(0.1), 0.38), (flip(0.62), 0.38)]);
                line(&curve);
                line(&[(flip(0.62), 0.86), (flip(0.34), 0.86)]);
            }
            Self::Dice => {
                painter.rect_stroke(Rect::from_min_max(p(0.08, 0.08), p(0.92, 0.92)), 0.16 * rect.width(), stroke, StrokeKind::Middle);
                for (x, y) in [(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0.7, 0.7)] {
                    dot(x, y, 0.075);
                }
            }
            Self::Locked | Self::Unlocked => {
                painter.rect_stroke(Rect::from_min_max(p(0.16, 0.46), p(0.84, 0.94)), 0.1 * rect.width(), stroke, StrokeKind::Middle);
                arc((0.5, 0.32), 0.22, -turn * 0.5, if self == Self::Locked { 0.0 } else { -turn * 0.1 });
                line(&[(0.28, 0.46), (0.28, 0.32)]);
                if self == Self::Locked {
                    line(&[(0.72, 0.46), (0.72, 0.32)]);
                }
            }
            Self::Close => {
                line(&[(0.2, 0.2), (0.8, 0.8)]);
                line(&[(0.8, 0.2), (0.2, 0.8)]);
            }
            Self::Fit => {
                for (x, y) in [(0.08, 0.08), (0.92, 0.08), (0.92, 0.92), (0.08, 0.92)] {
                    let toward = |v: f32| if v < 0.5 { v + 0.28 } else { v - 0.28 };
                    line(&[(toward(x), y), (x, y), (x, toward(y))]);
                }
            }
            Self::Plus => {
                line(&[(0.5, 0.16), (0.5, 0.84)]);
                line(&[(0.16, 0.5), (0.84, 0.5)]);
            }
            Self::Minus => line(&[(0.16, 0.5), (0.84, 0.5)]),
            Self::Sun => {
                painter.circle_stroke(p(0.5, 0.5), 0.19 * rect.width(), stroke);
                for i in 0..8 {
                    let t = turn * i as f32 / 8.0;
                    let at = |r: f32| (0.5 + r * t.cos(), 0.5 + r * t.sin());
                    line(&[at(0.34), at(0.47)]);
                }
            }
            Self::Moon => {
                arc((0.46, 0.52), 0.4, turn * 0.02, turn * 0.78);
                arc((0.66, 0.36), 0.33, turn * 0.2, turn * 0.62);
            }
            Self::Auto => {
                painter.circle_stroke(p(0.5, 0.5), 0.4 * rect.width(), stroke);
                for i in 0..7 {
                    let x = 0.5 + 0.36 * i as f32 / 7.0;
                    let h = (0.16 - (x - 0.5) * (x - 0.5)).max(0.0).sqrt();
                    line(&[(x, 0.5 - h), (x, 0.5 + h)]);
                }
            }
            Self::Previous => line(&[(0.62, 0.18), (0.32, 0.5), (0.62, 0.82)]),
            Self::Next => line(&[(0.38, 0.18), (0.68, 0.5), (0.38, 0.82)]),
            Self::Compare => {
                painter.rect_stroke(Rect::from_min_max(p(0.06, 0.16), p(0.94, 0.84)), 0.08 * rect.width(), stroke, StrokeKind::Middle);
                line(&[(0.5, 0.04), (0.5, 0.96)]);
                line(&[(0.66, 0.5), (0.8, 0.5)]);
                line(&[(0.2, 0.5), (0.34, 0.5)]);
            }
            Self::Hand => {
                // Four arrows: what it does says more than a hand of sixteen points.
                line(&[(0.5, 0.04), (0.5, 0.96)]);
                line(&[(0.04, 0.5), (0.96, 0.5)]);
                for (x, y) in [(0.5, 0.04), (0.5, 0.96), (0.04, 0.5), (0.96, 0.5)] {
                    let toward = |v: f32| v + (0.5 - v) * 0.36;
                    let across = if x == 0.5 { (0.15, 0.0) } else { (0.0, 0.15) };
                    let (ix, iy) = (toward(x), toward(y));
                    line(&[(ix - across.0, iy - across.1), (x, y), (ix + across.0, iy + across.1)]);
                }
            }
            Self::Brush => {
                line(&[(0.94, 0.06), (0.46, 0.54)]);
                line(&[(0.94, 0.06), (0.58, 0.66), (0.34, 0.42), (0.94, 0.06)]);
                line(&[(0.34, 0.5), (0.14, 0.62), (0.06, 0.94), (0.38, 0.86), (0.5, 0.66)]);
            }
            Self::Eraser => {
                line(&[(0.36, 0.9), (0.08, 0.62), (0.58, 0.12), (0.92, 0.46), (0.48, 0.9), (0.36, 0.9)]);
                line(&[(0.32, 0.38), (0.66, 0.72)]);
                line(&[(0.36, 0.9), (0.94, 0.9)]);
            }
            Self::Rectangle => {
                for (x, y) in [(0.08, 0.14), (0.92, 0.14), (0.92, 0.86), (0.08, 0.86)] {
                    let toward = |v: f32| if v < 0.5 { v + 0.26 } else { v - 0.26 };
                    line(&[(toward(x), y), (x, y), (x, toward(y))]);
                }
                line(&[(0.44, 0.14), (0.56, 0.14)]);
                line(&[(0.44, 0.86), (0.56, 0.86)]);
                line(&[(0.08, 0.46), (0.08, 0.54)]);
                line(&[(0.92, 0.46), (0.92, 0.54)]);
            }
            Self::Lasso => {
                let ring: Vec<(f32, f32)> = (0..=24)
                    .map(|i| {
                        let t = turn * i as f32 / 24.0;
                        (0.5 + 0.44 * t.cos(), 0.36 + 0.28 * t.sin())
                    })
                    .collect();
                line(&ring);
                line(&[(0.24, 0.6), (0.2, 0.74), (0.3, 0.82), (0.26, 0.96)]);
            }
            Self::Star | Self::Starred => {
                let corners: Vec<(f32, f32)> = (0..=10)
                    .map(|i| {
                        let (t, r) = (turn * (i as f32 / 10.0 - 0.25), if i % 2 == 0 { 0.48 } else { 0.2 });
                        (0.5 + r * t.cos(), 0.53 + r * t.sin())
                    })
                    .collect();
                if self == Self::Starred {
                    for corner in corners.windows(2) {
                        let points = [corner[0], corner[1], (0.5, 0.53)].map(|(x, y)| p(x, y)).to_vec();
                        painter.add(Shape::convex_polygon(points, colour, Stroke::NONE));
                    }
                }
                line(&corners);
            }
            Self::Sooner => line(&[(0.18, 0.62), (0.5, 0.32), (0.82, 0.62)]),
            Self::Recipe => {
                painter.rect_stroke(Rect::from_min_max(p(0.16, 0.06), p(0.84, 0.94)), 0.08 * rect.width(), stroke, StrokeKind::Middle);
                for y in [0.3, 0.5, 0.7] {
                    line(&[(0.32, y), (0.68, y)]);
                }
            }
        }
    }
}

/// A square button with a drawing, a name for those who cannot see it, and a tooltip for all.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str, tip: &str, enabled: bool) -> Response {
    let side = theme::BUTTON_HEIGHT;
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    let colours = theme::colours(ui.style());
    let fill = match () {
        () if !enabled => Color32::TRANSPARENT,
        () if response.is_pointer_button_down_on() => colours.raised_down,
        () if response.hovered() => colours.raised_hover,
        () => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, f32::from(theme::ROUND), fill);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, f32::from(theme::ROUND), Stroke::new(1.0, colours.accent), StrokeKind::Inside);
    }
    let colour = if enabled { colours.text } else { colours.weak.gamma_multiply(0.45) };
    icon.paint(ui.painter(), Rect::from_center_size(rect.center(), Vec2::splat(theme::ICON)), colour);
    response.on_hover_text(tip)
}

/// A button of a tool, which stays down while the tool is in hand.
pub fn tool_button(ui: &mut Ui, icon: Icon, name: &str, tip: &str, enabled: bool, chosen: bool) -> Response {
    let colours = theme::colours(ui.style());
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(34.0), if enabled { Sense::click() } else { Sense::hover() });
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, chosen, name));
    let fill = match () {
        () if enabled && chosen => colours.accent,
        () if enabled && response.hovered() => colours.raised_hover,
        () => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, f32::from(theme::ROUND), fill);
    if response.has_focus() {
        ui.painter().rect_stroke(rect.expand(1.0), f32::from(theme::ROUND), Stroke::new(1.0, colours.accent), StrokeKind::Outside);
    }
    let colour = match () {
        () if !enabled => colours.weak.gamma_multiply(0.45),
        () if chosen => colours.on_accent,
        () => colours.text,
    };
    icon.paint(ui.painter(), Rect::from_center_size(rect.center(), Vec2::splat(theme::ICON)), colour);
    response.on_hover_text(tip)
}

/// A button with a drawing before its words.
pub fn labelled_button(ui: &mut Ui, icon: Icon, words: &str, tip: &str, enabled: bool) -> Response {
    let colours = theme::colours(ui.style());
    let colour = if enabled { colours.text } else { colours.weak.gamma_multiply(0.6) };
    let galley = ui.painter().layout_no_wrap(words.to_owned(), egui::FontId::proportional(theme::BODY), colour);
    let size = vec2(theme::ICON + galley.size().x + 30.0, theme::BUTTON_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, if enabled { Sense::click() } else { Sense::hover() });
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, words));
    let fill = match () {
        () if enabled && response.is_pointer_button_down_on() => colours.raised_down,
        () if enabled && response.hovered() => colours.raised_hover,
        () => colours.raised,
    };
    ui.painter().rect_filled(rect, f32::from(theme::ROUND), fill);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, f32::from(theme::ROUND), Stroke::new(1.0, colours.accent), StrokeKind::Inside);
    }
    let at = pos2(rect.left() + 11.0 + theme::ICON / 2.0, rect.center().y);
    icon.paint(ui.painter(), Rect::from_center_size(at, Vec2::splat(theme::ICON)), colour);
    let text: Pos2 = pos2(rect.left() + theme::ICON + 18.0, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(text, galley, colour);
    response.on_hover_text(tip)
}
