//! Recipes as one text that many programs read: the prompt, perhaps what not to paint, and a line of settings.

use super::Words;
use crate::document::Chain;
use crate::recipe::{Shortcuts, Solver};
use std::fmt::Write as _;

/// The longest text that is looked at, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// Of the last edit that a model made; `None` where none did.
pub(super) fn text(chain: &Chain, [width, height]: [u32; 2]) -> Option<String> {
    let recipe = chain.recipes().next_back()?;
    let mut out = recipe.prompt.trim().to_owned();
    let sampler = match recipe.shortcuts.solver {
        Solver::Euler => "Euler",
        Solver::DpmPlusPlus2M => "DPM++ 2M",
    };
    let _ = write!(out, "\nSteps: {}, Sampler: {sampler}, CFG scale: {}, Seed: {}", recipe.steps, recipe.guidance, recipe.seed);
    let [from, to] = recipe.shortcuts.guided;
    if [from, to] != Shortcuts::default().guided {
        let _ = write!(out, ", Guided: {from} to {to}");
    }
    if recipe.shortcuts.cache > 0.0 {
        let _ = write!(out, ", First block cache: {}", recipe.shortcuts.cache);
    }
    if recipe.shortcuts.rounded {
        out.push_str(", Products: bf16");
    }
    if let Some(finish) = recipe.finish_seed {
        let _ = write!(out, ", Finish seed: {finish}");
    }
    let _ =
        write!(out, ", Size: {width}x{height}, Model: {}, Version: Pentimento {}", quoted(&recipe.model.name()), env!("CARGO_PKG_VERSION"));
    Some(out)
}

/// A name that would break the line stands in quotes.
fn quoted(name: &str) -> String {
    if name.contains([',', ':', '\n', '"']) { serde_json::to_string(name).unwrap_or_default() } else { name.to_owned() }
}

/// What such a text says; `None` where it is another kind of text.
pub(super) fn read(text: &str) -> Option<Words> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| !line.trim().is_empty())?;
    let has_settings = lines[last].contains("Steps: ");
    let body = if has_settings { &lines[..last] } else { &lines[..=last] };
    let negative_at = body.iter().position(|line| line.starts_with("Negative prompt:"));
    if !has_settings && negative_at.is_none() {
        return None;
    }
    let joined = |lines: &[&str]| lines.join("\n").trim().to_owned();
    let prompt = joined(&body[..negative_at.unwrap_or(body.len())]);
    let negative = negative_at.map(|at| joined(&body[at..])["Negative prompt:".len()..].trim().to_owned()).filter(|n| !n.is_empty());
    let settings = if has_settings { lines[last] } else { "" };
    let setting = |name: &str| {
        // Names begin a line or follow a comma; a value may stand in quotes, but numbers do not.
        let name = format!("{name}: ");
        let at = settings.match_indices(&name).find(|(at, _)| *at == 0 || settings[..*at].ends_with(", "))?.0;
        settings[at + name.len()..].split(',').next().map(str::trim)
    };
    Some(Words {
        prompt,
        negative,
        seed: setting("Seed").and_then(|v| v.parse().ok()),
        steps: setting("Steps").and_then(|v| v.parse().ok()),
        guidance: setting("CFG scale").and_then(|v| v.parse().ok()).filter(|v: &f32| v.is_finite()),
        model: setting("Model").map(|name| name.trim_matches('"').to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Begins, Link};
    use crate::recipe::{ModelId, Quality, Recipe};

    #[test]
    fn ours_and_theirs_are_read() {
        let recipe = Recipe { steps: 12, guidance: 3.5, ..Recipe::new(ModelId::Folder("/x/my, model".into()), "a fox,\nSteps: many") };
        let chain = Chain::new(Begins::Words, vec![Link::Model { recipe: Box::new(recipe), place: None }]);
        let words = read(&text(&chain, [64, 32]).unwrap()).unwrap();
        assert_eq!((words.prompt.as_str(), words.steps, words.guidance, words.seed), ("a fox,\nSteps: many", Some(12), Some(3.5), Some(0)));

        let recipe = Recipe { steps: 9, shortcuts: Quality::Balanced.shortcuts(), ..Recipe::new(ModelId::Nano, "x") };
        let chain = Chain::new(Begins::Words, vec![Link::Model { recipe: Box::new(recipe), place: None }]);
        let said = text(&chain, [8, 8]).unwrap();
        assert!(said.contains("Steps: 9, Sampler: DPM++ 2M,") && said.contains(", Guided: 0.22 to 1,"), "{said}");

        let theirs = "photo of a (cat:1.2), <lora:x:0.8>\nsecond line\nNegative prompt: blurry,\nugly\nSteps: 20, Sampler: DPM++ 2M Karras, \
            CFG scale: 7, Seed: 1234567890123, Size: 512x768, Model hash: abc, Model: dream_8, Lora hashes: \"x: 1, Seed: 3\", Version: v1.6.0";
        let words = read(theirs).unwrap();
        assert_eq!(words.prompt, "photo of a (cat:1.2), <lora:x:0.8>\nsecond line");
        assert_eq!((words.negative.as_deref(), words.seed, words.steps), (Some("blurry,\nugly"), Some(1_234_567_890_123), Some(20)));
        assert_eq!(words.model.as_deref(), Some("dream_8"));
        for other in ["", "\n\n", "a holiday in Rome", "Steps:", "Negative"] {
            assert_eq!(read(other), None, "{other:?}");
        }
        assert_eq!(read("Negative prompt:").unwrap().negative, None);
    }
}
