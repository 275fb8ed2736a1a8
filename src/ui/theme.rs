//! How everything looks: the only file with colours and sizes.

use crate::editor::{Settings, ThemeChoice};
use eframe::egui::style::{HandleShape, ScrollAnimation};
use eframe::egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Frame, Margin, Shadow, Stroke, Style, TextStyle, Theme,
    ThemePreference, Vec2, Visuals, vec2,
};
use std::sync::Arc;

/// The colours of a theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// Around the picture.
    pub canvas: Color32,
    /// Panels.
    pub panel: Color32,
    /// Fields and cards on panels.
    pub field: Color32,
    /// Buttons.
    pub raised: Color32,
    pub raised_hover: Color32,
    pub raised_down: Color32,
    pub line: Color32,
    pub text: Color32,
    pub weak: Color32,
    pub accent: Color32,
    pub accent_hover: Color32,
    pub on_accent: Color32,
    pub danger: Color32,
    pub good: Color32,
    /// An empty picture while a model writes into it, and a cell that is not written yet.
    pub paper: Color32,
    pub cell: Color32,
    /// Under transparent pixels.
    pub checker: [[u8; 4]; 2],
    /// Over what is selected, and over what an edit has changed.
    pub selected: [u8; 4],
    pub changed: [u8; 4],
}

const fn grey(v: u8) -> Color32 {
    Color32::from_gray(v)
}

pub const DARK: Colours = Colours {
    canvas: Color32::from_rgb(22, 22, 24),
    panel: Color32::from_rgb(31, 31, 34),
    field: Color32::from_rgb(23, 23, 25),
    raised: Color32::from_rgb(48, 48, 53),
    raised_hover: Color32::from_rgb(60, 60, 66),
    raised_down: Color32::from_rgb(72, 72, 79),
    line: Color32::from_rgb(48, 48, 52),
    text: Color32::from_rgb(235, 234, 231),
    weak: Color32::from_rgb(163, 162, 158),
    accent: Color32::from_rgb(226, 141, 79),
    accent_hover: Color32::from_rgb(238, 157, 97),
    on_accent: Color32::from_rgb(30, 18, 9),
    danger: Color32::from_rgb(255, 138, 124),
    good: Color32::from_rgb(125, 200, 148),
    paper: Color32::from_rgb(38, 38, 42),
    cell: Color32::from_rgb(52, 52, 57),
    checker: [[58, 58, 62, 255], [70, 70, 74, 255]],
    selected: [146, 84, 255, 120],
    changed: [64, 190, 255, 130],
};

pub const LIGHT: Colours = Colours {
    canvas: Color32::from_rgb(226, 225, 222),
    panel: Color32::from_rgb(246, 245, 243),
    field: grey(255),
    raised: Color32::from_rgb(231, 230, 226),
    raised_hover: Color32::from_rgb(221, 219, 214),
    raised_down: Color32::from_rgb(208, 206, 200),
    line: Color32::from_rgb(216, 214, 209),
    text: Color32::from_rgb(32, 31, 29),
    weak: Color32::from_rgb(96, 94, 90),
    accent: Color32::from_rgb(168, 82, 22),
    accent_hover: Color32::from_rgb(148, 70, 16),
    on_accent: grey(255),
    danger: Color32::from_rgb(176, 40, 28),
    good: Color32::from_rgb(28, 112, 60),
    paper: Color32::from_rgb(240, 239, 236),
    cell: Color32::from_rgb(214, 212, 207),
    checker: [[255, 255, 255, 255], [229, 228, 225, 255]],
    selected: [120, 60, 235, 110],
    changed: [20, 140, 230, 130],
};

/// A colour that comes from a picture or a model.
pub const fn opaque(r: u8, g: u8, b: u8) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// Lines over a picture, whatever it shows: a dark one under a light one.
pub const UNDER_LINE: Color32 = Color32::from_black_alpha(110);
pub const OVER_LINE: Color32 = Color32::WHITE;
/// Over a picture: as it is, and pale where it was rejected.
pub const AS_IT_IS: Color32 = Color32::WHITE;
pub const PALE: Color32 = Color32::from_rgba_premultiplied(70, 70, 70, 70);

/// The colours in use.
pub fn colours(style: &Style) -> &'static Colours {
    if style.visuals.dark_mode { &DARK } else { &LIGHT }
}

/// Distances between things, in points: everything is a multiple of four.
pub const GAP: f32 = 8.0;
pub const PAD: i8 = 12;
pub const ROUND: u8 = 6;
pub const TOP_HEIGHT: f32 = 48.0;
pub const STATUS_HEIGHT: f32 = 26.0;
pub const INSPECTOR_WIDTH: f32 = 308.0;
pub const TOOLS_WIDTH: f32 = 48.0;
/// Of a row of the history.
pub const HISTORY_ROW: f32 = 52.0;
pub const BUTTON_HEIGHT: f32 = 30.0;
pub const RUN_BUTTON: Vec2 = vec2(132.0, 52.0);
/// Of the row above the prompt, whatever stands there.
pub const ROW_HEIGHT: f32 = 30.0;
pub const ICON: f32 = 16.0;
pub const SMALL: f32 = 12.0;
pub const BODY: f32 = 13.5;
pub const HEADING: f32 = 15.0;
pub const TITLE: f32 = 22.0;

/// Around a page that lies over the window.
pub fn page(style: &Style) -> Frame {
    Frame::popup(style).inner_margin(Margin::same(16))
}

/// Text in the semi-bold cut.
pub fn strong_font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(STRONG.into()))
}

const STRONG: &str = "strong";

/// Sets fonts and both themes.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    for (theme, colours) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        ctx.style_mut_of(theme, |style| apply(style, colours, theme));
    }
    ctx.options_mut(|options| options.zoom_with_keyboard = false); // Mod+0 and its like belong to the canvas
}

/// Follows a person's choices: colours, language, size and motion.
pub fn choose(ctx: &Context, settings: &Settings) {
    super::words::choose(settings.language);
    ctx.set_zoom_factor(settings.scale as f32 / 100.0);
    ctx.all_styles_mut(|style| {
        let usual = Style::default();
        style.animation_time = if settings.reduced_motion { 0.0 } else { usual.animation_time };
        style.scroll_animation = if settings.reduced_motion { ScrollAnimation::none() } else { usual.scroll_animation };
        style.visuals.text_cursor.blink = !settings.reduced_motion;
    });
    ctx.set_theme(match settings.theme {
        ThemeChoice::System => ThemePreference::System,
        ThemeChoice::Dark => ThemePreference::Dark,
        ThemeChoice::Light => ThemePreference::Light,
    });
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let regular = FontData::from_static(include_bytes!("../../assets/fonts/Inter-Regular.otf"));
    let strong = FontData::from_static(include_bytes!("../../assets/fonts/Inter-SemiBold.otf"));
    fonts.font_data.insert("Inter".to_owned(), Arc::new(regular));
    fonts.font_data.insert("Inter SemiBold".to_owned(), Arc::new(strong));
    let rest = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let with = |first: &str| [first.to_owned()].into_iter().chain(rest.iter().cloned()).collect::<Vec<_>>();
    fonts.families.insert(FontFamily::Name(STRONG.into()), with("Inter SemiBold"));
    fonts.families.insert(FontFamily::Proportional, with("Inter"));
    fonts
}

fn apply(style: &mut Style, c: &Colours, theme: Theme) {
    let body = FontId::proportional(BODY);
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(SMALL)),
        (TextStyle::Body, body.clone()),
        (TextStyle::Button, body),
        (TextStyle::Heading, strong_font(HEADING)),
        (TextStyle::Monospace, FontId::monospace(BODY)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(GAP, GAP);
    spacing.button_padding = vec2(10.0, 5.0);
    spacing.interact_size = vec2(36.0, 28.0);
    spacing.slider_width = 126.0;
    spacing.slider_rail_height = 4.0;
    spacing.menu_margin = Margin::same(6);
    spacing.tooltip_width = 320.0;
    style.interaction.selectable_labels = false;
    let v = &mut style.visuals;
    *v = if theme == Theme::Dark { Visuals::dark() } else { Visuals::light() };
    let round = CornerRadius::same(ROUND);
    v.panel_fill = c.panel;
    v.window_fill = c.panel;
    v.window_stroke = Stroke::new(1.0, c.line);
    v.window_corner_radius = CornerRadius::same(10);
    v.menu_corner_radius = CornerRadius::same(8);
    let shadow =
        Shadow { offset: [0, 6], blur: 20, spread: 0, color: Color32::from_black_alpha(if theme == Theme::Dark { 110 } else { 40 }) };
    v.window_shadow = shadow;
    v.popup_shadow = shadow;
    v.extreme_bg_color = c.field;
    v.text_edit_bg_color = Some(c.field);
    v.faint_bg_color = c.field;
    v.code_bg_color = c.field;
    v.weak_text_color = Some(c.weak);
    v.hyperlink_color = c.accent;
    v.error_fg_color = c.danger;
    v.warn_fg_color = c.accent;
    v.selection.bg_fill = c.accent;
    v.selection.stroke = Stroke::new(1.0, c.on_accent);
    v.slider_trailing_fill = true;
    v.handle_shape = HandleShape::Circle;
    let w = &mut v.widgets;
    for (state, fill, text) in [
        (&mut w.noninteractive, c.panel, c.text),
        (&mut w.inactive, c.raised, c.text),
        (&mut w.hovered, c.raised_hover, c.text),
        (&mut w.active, c.raised_down, c.text),
        (&mut w.open, c.raised_hover, c.text),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = round;
        state.expansion = 0.0;
    }
    w.noninteractive.bg_stroke = Stroke::new(1.0, c.line);
    // Rails, boxes and knobs are seen on panels without a line around them.
    w.inactive.bg_fill = c.raised_down;
    w.hovered.bg_fill = c.raised_down;
    // The focus of the keyboard must be seen.
    w.active.bg_stroke = Stroke::new(1.0, c.accent);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast of WCAG 2.1.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let light = |c: Color32| {
            let linear = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(c.r()) + 0.7152 * linear(c.g()) + 0.0722 * linear(c.b())
        };
        let (a, b) = (light(a) + 0.05, light(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_can_be_read() {
        for c in [&DARK, &LIGHT] {
            for (text, grounds) in [
                (c.text, vec![c.panel, c.field, c.raised, c.raised_hover, c.raised_down, c.canvas]),
                (c.weak, vec![c.panel, c.field, c.canvas, c.raised, c.paper]),
                (c.on_accent, vec![c.accent, c.accent_hover]),
                (c.danger, vec![c.panel, c.field, c.canvas, c.raised, c.raised_hover]),
                (c.good, vec![c.panel, c.field]),
                (c.accent, vec![c.panel, c.field]),
            ] {
                for ground in grounds {
                    assert!(contrast(text, ground) >= 4.5, "{text:?} on {ground:?}: {:.2}", contrast(text, ground));
                }
            }
        }
    }
}
