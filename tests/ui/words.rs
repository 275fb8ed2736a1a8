//! The catalogue of what the window says, held against the code by reading both as text: every language says the same, what
//! the code asks for is there, nothing is there that nobody asks for, and nothing is said outside of it.

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use pentimento::ui::{ACTIONS, LANGUAGES};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Literals that are no words of the window: names, what settings and systems call things, and files without words.
const NO_WORDS: &[&str] = &[
    "Pentimento",
    "{} – Pentimento",
    "{} {}/{} – Pentimento",
    "tip",
    "{key}.tip",
    "strong",
    "thumbnail {}",
    "example {at}",
    "result {}",
    "ratio",
    "action",
    "words",
    "keys",
];
const NO_FILES: [&str; 4] = ["processor.rs", "theme.rs", "times.rs", "words.rs"];
/// Before a literal: it is an id or goes to the log.
const NO_SAYING: &[&str] = &[
    "Id::unique(",
    "Id::unique((",
    "from_id_salt(",
    "id_salt(",
    "Grid::new(",
    "Grid::new((",
    "Panel::top(",
    "Panel::bottom(",
    "Panel::left(",
    "Panel::right(",
    "tracing::info!(",
    "tracing::warn!(",
    "stringify!(",
];
/// Signs and units, which are the same everywhere.
const UNITS: [&str; 5] = ["px", "kB", "MB", "GiB", "bit"];
/// Attributes of actions that only some have.
const MORE_OF_ACTIONS: [&str; 3] = ["short", "stroke", "end"];

fn variables(pattern: &Pattern<&str>, out: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        match element {
            PatternElement::Placeable { expression: Expression::Inline(inline) } => variable(inline, out),
            PatternElement::Placeable { expression: Expression::Select { selector, variants } } => {
                variable(selector, out);
                variants.iter().for_each(|v| variables(&v.value, out));
            }
            PatternElement::TextElement { .. } => {}
        }
    }
}

fn variable(inline: &InlineExpression<&str>, out: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            out.insert(id.name.to_owned());
        }
        InlineExpression::StringLiteral { .. } => {}
        other => panic!("{other:?} is not looked into"),
    }
}

/// All keys and attributes of a language, with the names of the values in them.
fn catalogue(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let resource = fluent_syntax::parser::parse(text).unwrap_or_else(|(_, errors)| panic!("{errors:?}"));
    let mut all = BTreeMap::new();
    for entry in &resource.body {
        let Entry::Message(message) = entry else { continue };
        let attributes = message.attributes.iter().map(|a| (format!("{}.{}", message.id.name, a.id.name), &a.value));
        for (key, pattern) in message.value.iter().map(|v| (message.id.name.to_owned(), v)).chain(attributes) {
            let mut names = BTreeSet::new();
            variables(pattern, &mut names);
            assert!(all.insert(key.clone(), names).is_none(), "{key} is there twice");
        }
    }
    all
}

/// A piece of a file: what stands before a literal, and the literal.
struct Literal {
    file: String,
    /// Where it ends.
    end: usize,
    before: String,
    text: String,
}

/// Literals of Rust, without those in comments and attributes.
fn literals(file: &str, text: &str) -> Vec<Literal> {
    let (bytes, mut out, mut i) = (text.as_bytes(), Vec::new(), 0);
    while i < bytes.len() {
        let rest = &text[i..];
        if rest.starts_with("//") || rest.starts_with("#[") {
            i += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            i += 3;
        } else if bytes[i] == b'"' {
            let mut end = i + 1;
            while bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            out.push(Literal {
                file: file.to_owned(),
                end: end + 1,
                before: text[..i].trim_end().to_owned(),
                text: text[i + 1..end].to_owned(),
            });
            i = end + 1;
        } else {
            i += rest.chars().next().unwrap().len_utf8();
        }
    }
    out
}

/// The code of the surface, without its tests.
fn code() -> Vec<(String, String)> {
    fn walk(folder: &Path, out: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                walk(&entry.path(), out);
            } else {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                out.push((entry.file_name().into_string().unwrap(), text));
            }
        }
    }
    let mut out = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui"), &mut out);
    assert!(out.len() > 20);
    out
}

/// Whether there is a word in it that somebody could read.
fn has_words(text: &str) -> bool {
    let mut plain = String::new();
    let mut depth = 0;
    for char in text.replace("\\n", " ").chars() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().count() > 1 && !UNITS.contains(&word))
}

/// The names of the values behind a key in `tell!(`; `at` is just behind the key.
fn given(text: &str, at: usize) -> BTreeSet<String> {
    let (mut depth, mut names, mut word) = (1, BTreeSet::new(), String::new());
    for (i, char) in text[at..].char_indices() {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return names;
        }
        match char {
            ',' if depth == 1 => word.clear(),
            '=' if depth == 1 && text[at + i..].starts_with("= ") && !text[..at + i].ends_with(['=', '!', '<', '>']) => {
                names.insert(word.trim().to_owned());
            }
            c => word.push(c),
        }
    }
    panic!("a bracket stays open")
}

#[test]
fn every_language_says_the_same_with_the_same_values() {
    let english = catalogue(LANGUAGES[0].3);
    assert!(english.len() > 300, "{}", english.len());
    for (_, name, _, text) in &LANGUAGES[1..] {
        let other = catalogue(text);
        let wrong: Vec<&String> = english.keys().chain(other.keys()).filter(|k| english.get(*k) != other.get(*k)).collect();
        assert!(wrong.is_empty(), "{name} differs in {wrong:?}");
    }
}

#[test]
fn what_the_window_says_is_in_the_catalogue_and_nothing_else_is() {
    let english = catalogue(LANGUAGES[0].3);
    let mut wrong = Vec::new();
    let mut used: BTreeSet<String> = ACTIONS.iter().flat_map(|a| [format!("action-{}", a.id), format!("action-{}.tip", a.id)]).collect();
    wrong.extend(used.iter().filter(|key| !english.contains_key(*key)).map(|key| format!("{key} is missing")));
    for (file, text) in code() {
        for Literal { file, end, before, text: literal } in literals(&file, &text) {
            let is_key = english.contains_key(&literal);
            if is_key {
                used.insert(literal.clone());
                used.extend(Some(format!("{literal}.tip")).filter(|tip| english.contains_key(tip)));
            }
            if before.ends_with("tip_of(") && !english.contains_key(&format!("{literal}.tip")) {
                wrong.push(format!("{file}: {literal} has no tooltip"));
            }
            if is_key && before.ends_with("say(") && !english[&literal].is_empty() {
                wrong.push(format!("{file}: {literal} wants {:?}", english[&literal]));
            }
            if is_key && before.ends_with("tell!(") && english[&literal] != given(&text, end) {
                wrong.push(format!("{file}: {literal} wants {:?} and gets {:?}", english[&literal], given(&text, end)));
            }
            let is_allowed = is_key
                || english.contains_key(&format!("action-{literal}"))
                || !has_words(&literal)
                || NO_WORDS.contains(&literal.as_str())
                || NO_FILES.contains(&file.as_str())
                || literal.starts_with("action-{")
                || file == "keys.rs" && ["Mod", "Mod+", "Shift", "Shift+", "Alt", "Alt+", "Ctrl+"].contains(&literal.as_str())
                || file == "names.rs" && literal.starts_with("blip3o-")
                || NO_SAYING.iter().any(|place| before.ends_with(place));
            if !is_allowed {
                wrong.push(format!("{file}: “{literal}” is said outside of the catalogue"));
            }
        }
    }
    let more = |key: &str| key.starts_with("action-") && key.split_once('.').is_some_and(|(_, a)| MORE_OF_ACTIONS.contains(&a));
    let marks = ["decimal-sign", "thousands-sign"]; // asked for where numbers are written
    wrong.extend(
        english.keys().filter(|k| !used.contains(*k) && !more(k) && !marks.contains(&k.as_str())).map(|k| format!("nobody says {k}")),
    );
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

#[test]
fn canaries_of_reading() {
    let found = literals("a.rs", "// \"no\"\nlet a = say(\"x-y\"); '\"' \"Hello\" #[x = \"no\"]\n");
    assert_eq!(found.iter().map(|l| l.text.as_str()).collect::<Vec<_>>(), ["x-y", "Hello"]);
    assert!(found[0].before.ends_with("say("));
    assert!(has_words("Hello {name}") && !has_words("{name} × {width:.1} px · {}/{}\\n"));
    assert_eq!(given(", a = f(b, c == 2), count = 3)", 0), ["a", "count"].map(str::to_owned).into());
    assert_eq!(catalogue("k = { $n ->\n    [one] a\n   *[other] { $m }\n}\n    .tip = T\n")["k"].len(), 2);
}
