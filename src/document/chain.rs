//! The way to a picture as one can write it down: every edit behind each other, to be done again, also on another picture.
//! What is read here may have been written by a stranger.

use super::{Document, LinkMask, Origin, Placing, Revision, RevisionId};
use crate::imaging::{Blend, ContextBox, MAX_SIDE, SourceType, Tool};
use crate::recipe::{ModelId, Recipe, Upscaling};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt::Formatter;
use std::path::PathBuf;

/// The newest version of the format. The first one knows no painting that was gone on from a step or ended early, no
/// shortcuts, and no placing that was changed afterwards, the second one no products of rounded numbers; what has none of that is
/// written as such, so that older programs do it too.
const VERSION: u32 = 3;
/// The longest text that is read, in bytes.
pub const MOST_RECIPE_BYTES: usize = 64 << 20;
/// The most edits, and the most steps of a painting.
const MOST_LINKS: usize = 1000;
/// How much of a reason is told, in letters: it may quote the file.
const MOST_WORDS: usize = 160;
const MOST_STEPS: usize = 10_000;

/// What a chain begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begins {
    /// Nothing: the first edit makes a picture from words.
    Words,
    /// A person's own picture.
    Picture,
}

/// All edits on the way to a picture.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Chain {
    pub begins: Begins,
    #[serde(deserialize_with = "not_too_many")]
    pub edits: Vec<Link>,
}

/// Edits up to the most that are read: a short text may hold millions of them.
fn not_too_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Link>, D::Error> {
    struct Edits;
    impl<'de> Visitor<'de> for Edits {
        type Value = Vec<Link>;

        fn expecting(&self, f: &mut Formatter) -> std::fmt::Result {
            f.write_str("edits")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
            let mut edits = Vec::new();
            while let Some(edit) = all.next_element()? {
                if edits.len() == MOST_LINKS {
                    return Err(serde::de::Error::custom(format_args!("it has more than {MOST_LINKS} edits")));
                }
                edits.push(edit);
            }
            Ok(edits)
        }
    }
    deserializer.deserialize_seq(Edits)
}

/// One edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Link {
    Model {
        recipe: Box<Recipe>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<LinkPlace>,
    },
    Tool(Tool),
    Upscale(Upscaling),
}

/// Where a model's result was put.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkPlace {
    /// Width and height of the picture.
    pub of: [u32; 2],
    /// Left, top, width and height of what the model saw.
    pub seen: (i64, i64, u32, u32),
    pub placing: LinkPlacing,
    /// What was to be taken over when the model painted, where that was changed afterwards: the model paints by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub painted: Option<LinkPlacing>,
}

/// What was taken over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "takes", rename_all = "snake_case")]
pub enum LinkPlacing {
    Whole,
    Change {
        reach: f32,
    },
    Selection {
        /// `None` where a file had no room for it.
        mask: Option<LinkMask>,
        feather: u32,
        matching: f32,
    },
}

/// Why a text is no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("this is not a recipe: {0}")]
    Foreign(String),
    #[error("the recipe is of version {0}, which a newer program has written; this one reads {VERSION}")]
    Newer(u32),
    #[error("the recipe makes no sense: {0}")]
    Senseless(String),
    #[error("the recipe is without its selection, for which the file had no room")]
    NoSelection,
}

impl Document {
    /// The way to a revision, from a person's own picture or from words. `None` where there is no such revision.
    pub fn chain(&self, id: RevisionId) -> Option<Chain> {
        self.revision(id)?;
        let mut edits = Vec::new();
        let mut begins = Begins::Picture;
        for revision in self.path_to(id).into_iter().rev().filter_map(|id| self.revision(id)) {
            match &revision.origin {
                Origin::Opened { .. } | Origin::Pasted => break,
                Origin::Changed { tool } => edits.push(Link::Tool(*tool)),
                Origin::Upscaled { upscaling, .. } => edits.push(Link::Upscale(*upscaling)),
                Origin::Made { recipe, .. } => {
                    let size = revision.picture.size();
                    let painted = self.painted(revision);
                    let place = revision.local.as_deref().map(|l| LinkPlace::new(size, l.seen, &l.placing, painted));
                    edits.push(Link::Model { recipe: Box::new(without_folder(recipe)), place });
                    if revision.parent.is_none() {
                        begins = Begins::Words;
                        break;
                    }
                }
            }
        }
        edits.reverse();
        Some(Chain { begins, edits })
    }
}

impl Document {
    /// What was to be taken over of a revision's result when it was painted, where that was another placing: the one of the
    /// first revision that has the same result.
    fn painted(&self, revision: &Revision) -> Option<&Placing> {
        let local = revision.local.as_ref()?;
        let same = |first: &&Revision| {
            let result = first.local.as_ref().is_some_and(|l| (l.seen, &l.result) == (local.seen, &local.result));
            result
                && matches!((&first.origin, &revision.origin), (Origin::Made { recipe: a, .. }, Origin::Made { recipe: b, .. }) if a == b)
        };
        let first = self.children(revision.parent).find(same)?.local.as_ref()?;
        (first.placing != local.placing).then_some(&first.placing)
    }
}

/// A model by its name alone: where it lies on a disk is nobody's business.
fn without_folder(recipe: &Recipe) -> Recipe {
    let model = match &recipe.model {
        ModelId::Nano => ModelId::Nano,
        folder @ ModelId::Folder(_) => ModelId::Folder(PathBuf::from(folder.name())),
    };
    Recipe { model, ..recipe.clone() }
}

impl Chain {
    /// Of edits that were put together by hand.
    pub fn new(begins: Begins, edits: Vec<Link>) -> Self {
        Self { begins, edits }
    }

    /// As it stands in files.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Written<'a> {
            pentimento: u32,
            begins: Begins,
            edits: &'a [Link],
        }
        let is_new = self.edits.iter().any(|link| {
            matches!(link, Link::Model { recipe, place } if !recipe.earlier.is_empty()
                || recipe.until.is_some()
                || !recipe.shortcuts.are_none()
                || place.as_ref().is_some_and(|place| place.painted.is_some()))
        });
        let is_newest = self.edits.iter().any(|link| matches!(link, Link::Model { recipe, .. } if recipe.shortcuts.rounded));
        let pentimento = match (is_newest, is_new) {
            (true, _) => VERSION,
            (false, true) => 2,
            (false, false) => 1,
        };
        // Numbers that are none do not get into a document.
        serde_json::to_string(&Written { pentimento, begins: self.begins, edits: &self.edits }).unwrap_or_default()
    }

    /// # Errors      another text, a newer version, or settings that make no sense
    pub fn from_json(text: &str) -> Result<Self, ChainError> {
        #[derive(Deserialize)]
        struct Head {
            pentimento: u32,
        }
        if text.len() > MOST_RECIPE_BYTES {
            return Err(ChainError::Foreign(format!("it is longer than {} MiB", MOST_RECIPE_BYTES >> 20)));
        }
        let foreign = |e: serde_json::Error| {
            let why = e.to_string();
            let end = why.char_indices().nth(MOST_WORDS).map_or(why.len(), |(at, _)| at);
            ChainError::Foreign(format!("{}{}", &why[..end], if end < why.len() { "…" } else { "" }))
        };
        let head: Head = serde_json::from_str(text).map_err(foreign)?;
        if head.pentimento > VERSION {
            return Err(ChainError::Newer(head.pentimento));
        }
        let chain: Self = serde_json::from_str(text).map_err(foreign)?;
        chain.complaint().map_or(Ok(chain), |why| Err(ChainError::Senseless(why)))
    }

    fn complaint(&self) -> Option<String> {
        let makes = |link: Option<&Link>| matches!(link, Some(Link::Model { place: None, .. }));
        if self.begins == Begins::Words && !makes(self.edits.first()) {
            return Some("it begins with words, but no picture is made of them".to_owned());
        }
        self.edits.iter().find_map(Link::complaint)
    }

    /// The edits by a model.
    pub fn recipes(&self) -> impl DoubleEndedIterator<Item = &Recipe> {
        self.edits.iter().filter_map(|link| match link {
            Link::Model { recipe, .. } => Some(recipe.as_ref()),
            Link::Tool(_) | Link::Upscale(_) => None,
        })
    }

    /// How a picture at the end of it came to be; `before` is what the picture at its beginning says of itself.
    pub fn source_type(&self, before: Option<SourceType>) -> Option<SourceType> {
        match (self.begins, before) {
            (Begins::Words, _) => Some(SourceType::TrainedAlgorithmicMedia),
            (Begins::Picture, before) if self.edits.iter().all(|edit| matches!(edit, Link::Tool(_))) => before,
            (Begins::Picture, Some(SourceType::TrainedAlgorithmicMedia)) => before,
            (Begins::Picture, _) => Some(SourceType::CompositeWithTrainedAlgorithmicMedia),
        }
    }

    /// The same without selections, which may be long.
    #[must_use]
    pub fn without_selections(mut self) -> Self {
        for link in &mut self.edits {
            let Link::Model { place: Some(place), .. } = link else { continue };
            for placing in [Some(&mut place.placing), place.painted.as_mut()].into_iter().flatten() {
                if let LinkPlacing::Selection { mask, .. } = placing {
                    *mask = None;
                }
            }
        }
        self
    }
}

impl Link {
    /// An edit by a model, with the size of the picture, what the model saw of it, and what was taken over.
    pub fn model(recipe: &Recipe, place: Option<([u32; 2], ContextBox, &Placing)>) -> Self {
        let place = place.map(|(of, seen, placing)| LinkPlace::new(of, seen, placing, None));
        Self::Model { recipe: Box::new(without_folder(recipe)), place }
    }

    fn complaint(&self) -> Option<String> {
        let (recipe, place) = match self {
            Self::Tool(tool) => return tool.complaint().map(str::to_owned),
            Self::Upscale(_) => return None,
            Self::Model { recipe, place } => (recipe, place),
        };
        let numbers = [recipe.guidance, recipe.sampling.temperature, recipe.sampling.top_p];
        let sane = numbers.into_iter().chain(recipe.earlier.iter().map(|stretch| stretch.guidance)).all(f32::is_finite);
        if !sane || recipe.steps > MOST_STEPS || recipe.earlier.len() > MOST_STEPS {
            return Some("a number is absurd".to_owned());
        }
        let place = place.as_ref()?;
        let side = |v: u32| (1..=4 * MAX_SIDE).contains(&v);
        let (left, top, width, height) = place.seen;
        let corner = [left, top].iter().all(|at| at.unsigned_abs() <= u64::from(4 * MAX_SIDE));
        let placing = [Some(&place.placing), place.painted.as_ref()].into_iter().flatten().all(LinkPlacing::is_sane);
        let is_sane = place.of.iter().all(|v| (1..=MAX_SIDE).contains(v)) && side(width) && side(height) && corner && placing;
        (!is_sane).then(|| "a part of a picture cannot be one".to_owned())
    }
}

impl LinkPlace {
    /// On a picture of the size `of`.
    fn new(of: [u32; 2], seen: ContextBox, placing: &Placing, painted: Option<&Placing>) -> Self {
        let ContextBox { left, top, width, height } = seen;
        Self { of, seen: (left, top, width, height), placing: LinkPlacing::of(placing), painted: painted.map(LinkPlacing::of) }
    }

    /// What the model saw, and what is taken over, for a picture of `size`: as it was for one of the same size; the same share
    /// of another. `model` is the size of the model's pictures.
    ///
    /// # Errors      the selection is missing or cannot be read
    pub fn on(&self, size: [u32; 2], model: [u32; 2]) -> Result<(ContextBox, Placing), ChainError> {
        let placing = self.placing_on(&self.placing, size)?;
        let (left, top, width, height) = self.seen;
        let seen = ContextBox { left, top, width, height };
        if size == self.of && !seen.visible(size).is_empty() {
            return Ok((seen, placing));
        }
        let bounds = if let Placing::Selection { mask, .. } = &placing { mask.bounds() } else { None };
        Ok((ContextBox::around(size, bounds, model), placing))
    }

    /// By what the model paints, where that is not what is taken over.
    ///
    /// # Errors      as there
    pub fn painted_on(&self, size: [u32; 2]) -> Result<Option<Placing>, ChainError> {
        self.painted.as_ref().map(|painted| self.placing_on(painted, size)).transpose()
    }

    fn placing_on(&self, placing: &LinkPlacing, size: [u32; 2]) -> Result<Placing, ChainError> {
        Ok(match placing {
            LinkPlacing::Whole => Placing::Whole,
            LinkPlacing::Change { reach } => Placing::Change { reach: *reach },
            LinkPlacing::Selection { mask, feather, matching } => {
                let mask = mask.as_ref().ok_or(ChainError::NoSelection)?.mask(self.of)?;
                let longest = |size: [u32; 2]| f64::from(size[0].max(size[1]));
                let feather = (f64::from(*feather) * longest(size) / longest(self.of)).round() as u32;
                let mask = if size == self.of {
                    mask.into_owned()
                } else {
                    mask.stretched(size).map_err(|e| ChainError::Senseless(e.to_string()))?
                };
                Placing::Selection { mask, blend: Blend { feather, matching: *matching } }
            }
        })
    }
}

impl LinkPlacing {
    fn of(placing: &Placing) -> Self {
        match placing {
            Placing::Whole => Self::Whole,
            Placing::Change { reach } => Self::Change { reach: *reach },
            Placing::Selection { mask, blend } => {
                Self::Selection { mask: Some(LinkMask::Plain(mask.clone())), feather: blend.feather, matching: blend.matching }
            }
        }
    }

    fn is_sane(&self) -> bool {
        let share = |v: f32| (0.0..=1.0).contains(&v);
        match self {
            Self::Whole => true,
            Self::Change { reach } => share(*reach),
            Self::Selection { feather, matching, .. } => *feather <= MAX_SIDE && share(*matching),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LocalEdit;
    use super::*;
    use crate::imaging::{Mask, Mode, Picture, Rect};
    use crate::recipe::{Quality, Shortcuts};
    use std::sync::Arc;

    fn flat(w: u32, h: u32) -> Picture {
        Picture::from_rgb8(w, h, &vec![9; (3 * w * h) as usize]).unwrap()
    }

    fn made(prompt: &str) -> Origin {
        let recipe = Recipe::new(ModelId::Folder("/home/me/models/big".into()), prompt);
        Origin::Made { recipe: Box::new(recipe), tokens: Arc::from([1]), seconds: 1.0 }
    }

    #[test]
    fn the_way_to_a_picture_is_written_and_read() {
        let mut d = Document::default();
        let words = d.record(None, made("a fox"), flat(8, 8));
        let photo = d.record(None, Origin::Opened { name: "secret.jpg".into() }, flat(60, 40));
        let mut mask = Mask::new(60, 40).unwrap();
        mask.rectangle(Rect { left: 10, top: 10, width: 20, height: 10 }, Mode::Add);
        let seen = ContextBox { left: 0, top: -10, width: 60, height: 60 };
        let placing = Placing::Selection { mask: mask.clone(), blend: Blend { feather: 3, matching: 0.5 } };
        let local = LocalEdit { seen, result: flat(16, 16), reconstruction: None, placing: placing.clone() };
        let edit = d.record_at(Some(photo), made("a \"red\" hat"), flat(60, 40), 0, None, Some(Arc::new(local)));
        let turned = d.record(Some(edit), Origin::Changed { tool: Tool::Turn { quarters: 1 } }, flat(40, 60));

        let chain = d.chain(turned).unwrap();
        let text = chain.to_json();
        assert!(!text.contains("secret") && !text.contains("/home"), "{text}");
        let again = Chain::from_json(&text).unwrap();
        assert_eq!((&again, again.begins, again.edits.len()), (&chain, Begins::Picture, 2));
        let Link::Model { place: Some(place), .. } = &again.edits[0] else { unreachable!() };
        assert_eq!(place.on([60, 40], [16, 16]).unwrap(), (seen, placing));
        let (_, Placing::Selection { mask: wide, blend }) = place.on([120, 80], [16, 16]).unwrap() else { unreachable!() };
        assert_eq!((wide.bounds(), blend.feather), (Some(Rect { left: 19, top: 19, width: 42, height: 22 }), 6));
        let short = chain.clone().without_selections();
        let Link::Model { place: Some(place), .. } = &short.edits[0] else { unreachable!() };
        assert_eq!(place.on([60, 40], [16, 16]), Err(ChainError::NoSelection));

        use SourceType::{CompositeWithTrainedAlgorithmicMedia as Edited, TrainedAlgorithmicMedia as Generated};
        let kind = |id, before| d.chain(id).unwrap().source_type(before);
        assert_eq!([kind(words, None), kind(photo, None), kind(photo, Some(Edited))], [Some(Generated), None, Some(Edited)]);
        assert_eq!([kind(turned, None), kind(turned, Some(Generated))], [Some(Edited), Some(Generated)]);
        assert_eq!(d.chain(words).unwrap().begins, Begins::Words);
    }

    #[test]
    fn older_programs_get_what_they_understand() {
        let recipe = |recipe: Recipe| Chain::new(Begins::Words, vec![Link::Model { recipe: Box::new(recipe), place: None }]);
        let plain = Recipe::new(ModelId::Nano, "a fox");
        assert!(recipe(plain.clone()).to_json().starts_with(r#"{"pentimento":1,"#));
        let balanced = Quality::Balanced.shortcuts();
        let short = |rounded| Recipe { shortcuts: Shortcuts { rounded, ..balanced }, ..plain.clone() };
        let new = [(plain.from_step(3, 5.0), 2), (Recipe { until: Some(4), ..plain.clone() }, 2), (short(false), 2), (short(true), 3)];
        for (new, version) in new {
            let (text, chain) = (recipe(new.clone()).to_json(), recipe(new));
            assert!(text.starts_with(&format!(r#"{{"pentimento":{version},"#)), "{text}");
            assert_eq!(Chain::from_json(&text), Ok(chain));
        }
    }

    #[test]
    fn what_strangers_write_gets_a_sentence() {
        let chain = Chain::new(Begins::Picture, vec![Link::Tool(Tool::Straighten { degrees: 3.0 })]);
        let text = chain.to_json();
        assert_eq!(Chain::from_json(&text), Ok(chain));
        for (from, to, why) in [
            ("{", "x{", "not a recipe"),
            ("\"pentimento\":1", "\"pentimento\":4", "newer"),
            ("3.0", "99.0", "45 degrees"),
            ("picture", "words", "begins with words"),
            ("straighten", "explode", "not a recipe"),
            ("straighten", &"explode".repeat(10_000), "not a recipe"),
            ("[{", &format!("[{}{{", r#"{"edit":"tool","tool":"mirror"},"#.repeat(MOST_LINKS)), "more than 1000 edits"),
        ] {
            let error = Chain::from_json(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why) && error.len() < 600, "{error}");
        }
        assert!(Chain::from_json(&" ".repeat(MOST_RECIPE_BYTES + 1)).unwrap_err().to_string().contains("longer than"));
        let place = LinkPlace {
            of: [60_000, 60_000],
            seen: (0, 0, 4, 4),
            placing: LinkPlacing::Selection { mask: Some("AAAA".to_owned().into()), feather: 0, matching: 0.0 },
            painted: None,
        };
        assert!(matches!(place.on([4, 4], [4, 4]), Err(ChainError::Senseless(_))));
    }
}
