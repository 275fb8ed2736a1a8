//! What the window says, from one catalogue per language (`assets/words/*.ftl`, the Fluent format).
//!
//! English is complete. What another language lacks is said in English, and what even English lacks shows its key, so that it
//! is seen.

use crate::editor::Language;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use std::cell::Cell;
use std::sync::OnceLock;

/// The languages: what settings call them, their own names, and their catalogues.
pub const LANGUAGES: [(Language, &str, &str, &str); 2] = [
    (Language::English, "English", "en", include_str!("../../assets/words/en.ftl")),
    (Language::German, "Deutsch", "de", include_str!("../../assets/words/de.ftl")),
];

struct Catalogue {
    bundle: FluentBundle<FluentResource>,
}

thread_local! {
    /// The language in use: an index into [`LANGUAGES`]. The window has one thread; tests have one each.
    static CHOSEN: Cell<usize> = const { Cell::new(0) };
}

fn catalogues() -> &'static [Catalogue] {
    static ALL: OnceLock<Vec<Catalogue>> = OnceLock::new();
    ALL.get_or_init(|| LANGUAGES.iter().map(|(_, _, code, text)| Catalogue::new(code, text)).collect())
}

impl Catalogue {
    fn new(code: &str, text: &str) -> Self {
        let mut bundle = FluentBundle::new_concurrent(code.parse().into_iter().collect());
        // Words stand beside each other in one direction here; the marks would show as boxes.
        bundle.set_use_isolating(false);
        let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(resource, errors)| {
            tracing::error!("the words of {code} are not all to be read: {errors:?}");
            resource
        });
        bundle.add_resource_overriding(resource);
        Self { bundle }
    }

    fn say(&self, key: &str, args: Option<&FluentArgs>) -> Option<String> {
        let mut errors = Vec::new();
        let (id, attribute) = key.split_once('.').map_or((key, None), |(id, attribute)| (id, Some(attribute)));
        let message = self.bundle.get_message(id)?;
        let pattern = match attribute {
            None => message.value()?,
            Some(name) => message.get_attribute(name)?.value(),
        };
        let said = self.bundle.format_pattern(pattern, args, &mut errors).into_owned();
        errors.is_empty().then_some(said)
    }
}

/// Takes a language; [`Language::System`]: the system's, where it is one of ours.
pub fn choose(language: Language) {
    let system = || {
        let locale = sys_locale::get_locale().unwrap_or_default();
        LANGUAGES.iter().position(|(_, _, code, _)| locale.split(['-', '_']).next() == Some(code))
    };
    let at = if language == Language::System { system() } else { LANGUAGES.iter().position(|l| l.0 == language) };
    CHOSEN.set(at.unwrap_or(0));
}

/// What stands under a key: `name`, or `name.attribute`.
pub fn say(key: &str) -> String {
    look_up(key, None)
}

/// The tooltip of a key: its attribute `tip`.
pub fn tip_of(key: &str) -> String {
    say(&format!("{key}.tip"))
}

/// A number in the language's way of writing: `text` has it with a point.
pub fn figure(text: String) -> String {
    let sign = say("decimal-sign");
    if sign == "." { text } else { text.replace('.', &sign) }
}

/// What stands under a key, with values: `tell!("prune-many", more = 3)`.
macro_rules! tell {
    ($key:expr $(, $name:ident = $value:expr)+ $(,)?) => {
        $crate::ui::words::say_with($key, &[$((stringify!($name), $value.into())),+])
    };
}
pub(super) use tell;

/// What stands under a key, with values in it.
pub fn say_with<'a>(key: &str, values: &[(&'a str, FluentValue<'a>)]) -> String {
    let args: FluentArgs = values.iter().map(|(name, value)| (*name, value.clone())).collect();
    look_up(key, Some(&args))
}

fn look_up(key: &str, args: Option<&FluentArgs>) -> String {
    let all = catalogues();
    let chosen = CHOSEN.get();
    all[chosen].say(key, args).or_else(|| all[0].say(key, args)).unwrap_or_else(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_chosen_and_numbers_follow() {
        assert_eq!(say("no-such-key"), "no-such-key");
        assert_eq!(
            (tell!("prune-many", more = 1), figure("1.5".to_owned())),
            ("Delete this picture and the one made from it for good?".to_owned(), "1.5".to_owned())
        );
        choose(Language::German);
        assert_eq!((say("cancel"), figure("1.5".to_owned())), ("Abbrechen".to_owned(), "1,5".to_owned()));
        choose(Language::English);
        assert_eq!(say("cancel"), "Cancel");
    }
}
