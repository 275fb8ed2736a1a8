//! What things of other rooms are called in the window: pictures, stages, kinds of files, models.

use super::words::{say, tell};
use crate::document::{Link, Origin, Revision};
use crate::editor::{Editor, Kind, Stage, sentence};
use crate::imaging::Tool;
use crate::recipe::{Quality, Upscaling};

/// A picture: the name that a person gave, the prompt, the file's name, or how it was made.
pub fn title(revision: &Revision) -> String {
    match (&revision.name, &revision.origin) {
        (Some(_), _) | (None, Origin::Opened { .. } | Origin::Made { .. }) => revision.title().to_owned(),
        (None, Origin::Pasted) => say("title-pasted"),
        (None, Origin::Changed { tool }) => say(changed(tool)),
        (None, Origin::Upscaled { upscaling, .. }) => larger(*upscaling),
    }
}

/// An edit: the prompt, or what was done.
pub fn edit(link: &Link) -> String {
    match link {
        Link::Model { recipe, .. } => recipe.prompt.clone(),
        Link::Tool(tool) => say(changed(tool)),
        Link::Upscale(how) => larger(*how),
    }
}

fn larger(how: Upscaling) -> String {
    tell!("title-upscaled", by = how.by.number())
}

/// What a plain tool does, as a key.
pub fn changed(tool: &Tool) -> &'static str {
    match tool {
        Tool::Crop { .. } => "title-crop",
        Tool::Straighten { .. } => "title-straighten",
        Tool::Turn { quarters } => match quarters % 4 {
            1 => "title-turn-right",
            3 => "title-turn-left",
            _ => "title-turn-around",
        },
        Tool::Mirror => "title-mirror",
        Tool::Flip => "title-flip",
        Tool::Resize { .. } => "title-resize",
        Tool::Tone(_) => "title-tone",
    }
}

/// A stage of a run, as a key.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Load => "stage-load",
        Stage::Vision => "stage-vision",
        Stage::Blueprint => "stage-blueprint",
        Stage::Denoise => "stage-denoise",
        Stage::Decode => "stage-decode",
    }
}

/// Steps and shortcuts that go together, as a key with a tooltip.
pub fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Draft => "quality-draft",
        Quality::Balanced => "quality-balanced",
        Quality::Best => "quality-best",
    }
}

/// A kind of file, as a key with a tooltip.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Png => "kind-png",
        Kind::Jpeg => "kind-jpeg",
        Kind::WebP => "kind-webp",
        Kind::WebPLossy => "kind-webp-lossy",
        Kind::Tiff => "kind-tiff",
        Kind::Layers => "kind-layers",
    }
}

/// What a model of the catalogue is for; `words` where the window does not know it.
pub fn purpose(id: &str, words: &str) -> String {
    match id {
        "blip3o-next-sft-3b" => say("purpose-sft"),
        "blip3o-next-edit-vae" => say("purpose-edit"),
        "blip3o-next-grpo-geneval-3b" => say("purpose-geneval"),
        "blip3o-next-grpo-text-3b" => say("purpose-text"),
        "blip3o-next-pretrain-3b" => say("purpose-pretrain"),
        _ => sentence(words),
    }
}

/// What the window is called: what runs, or what is looked at, for the taskbar too.
pub fn window(editor: &Editor) -> String {
    if let Some(progress) = editor.run.as_ref().and_then(|run| run.progress) {
        return format!("{} {}/{} – Pentimento", say(stage(progress.stage)), progress.done, progress.total);
    }
    match editor.document.current() {
        Some(revision) => format!("{} – Pentimento", title(revision)),
        None => "Pentimento".to_owned(),
    }
}
