//! What the window's program and its worker say to each other, and how that lies in frames.
//!
//! Numbers and names stand in a frame's head, pixels and latents behind it as they are: nothing is rounded on the way.

use super::frames::Frame;
use crate::document::Placing;
use crate::imaging::{Blend, ContextBox, MAX_PIXELS, MAX_SIDE, Mask, Picture, Pixels, Rect};
use crate::jobs::{Forecast, Intent, Job, JobId, Place};
use crate::pipeline::{Blueprint, DeviceChoice, Latents, Made, Palette, Preview, PreviewMap, Progress, Stage};
use crate::recipe::Recipe;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Raised with every change of what is said here.
pub const PROTOCOL: u32 = 2;

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub program: String,
}

impl Hello {
    /// This program's.
    pub fn own() -> Self {
        Self { protocol: PROTOCOL, program: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// To the worker.
#[derive(Debug)]
pub enum Down {
    Hello(Hello),
    Job(Box<Order>),
    /// Say how a run would use memory. Answered by `News::Forecast` with that number.
    Forecast {
        number: u64,
        step_down: u32,
        intent: Box<Intent>,
    },
    /// These name the order that they are about.
    Cancel(u64),
    Enough(u64),
}

/// A job for the worker.
#[derive(Debug)]
pub struct Order {
    /// Never given twice to one worker.
    pub number: u64,
    /// How many times the worker before ran out of memory.
    pub step_down: u32,
    pub previews: bool,
    pub job: Job,
}

/// From the worker.
#[derive(Debug)]
pub enum Up {
    Hello(Hello),
    /// Of the order with that number.
    News(u64, News),
}

/// What happens to an order. The last three end it.
#[derive(Debug)]
pub enum News {
    Progress(Progress),
    Palette(Palette),
    Blueprint(Blueprint),
    /// Of all previews that follow.
    Map(PreviewMap),
    Preview {
        step: usize,
        steps: usize,
        latents: Latents,
    },
    Tokens {
        variation: usize,
        tokens: Vec<u32>,
    },
    Latents {
        variation: usize,
        step: usize,
        /// These are the prediction that the painting ended with early: nothing can go on behind them.
        early: bool,
        latents: Latents,
    },
    Notice(String),
    Plan {
        words: String,
        is_step_down: bool,
    },
    Made(Box<Made>),
    /// The answer to `Down::Forecast`, and all of it.
    Forecast(Box<std::result::Result<Forecast, String>>),
    Done {
        seconds: Vec<(Stage, f64)>,
        device: String,
    },
    Cancelled,
    Failed {
        why: String,
        out_of_memory: bool,
    },
}

/// Why a frame says nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a message cannot be put into words: {0}")]
    Words(#[from] serde_json::Error),
    #[error("a message makes no sense: {0}")]
    Nonsense(&'static str),
    #[error("a message brings a picture that is none: {0}")]
    Picture(#[from] crate::imaging::Error),
}

type Result<T> = std::result::Result<T, Error>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DownHead {
    Hello(Hello),
    Job(Box<OrderHead>),
    Forecast(u64, u32, Box<Intent>),
    Cancel(u64),
    Enough(u64),
}

#[derive(Serialize, Deserialize)]
struct OrderHead {
    number: u64,
    step_down: u32,
    previews: bool,
    id: u64,
    recipe: Recipe,
    device: DeviceChoice,
    variations: usize,
    tokens: bool,
    path: Vec<Sides>,
    reference: Option<PictureHead>,
    place: Option<PlaceHead>,
}

#[derive(Serialize, Deserialize)]
struct PictureHead {
    width: u32,
    height: u32,
    bits: u8,
}

/// Channels, height, width.
type Sides = [usize; 3];

#[derive(Serialize, Deserialize)]
struct PlaceHead {
    left: i64,
    top: i64,
    width: u32,
    height: u32,
    placing: PlacingHead,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlacingHead {
    Whole,
    Selection {
        size: [u32; 2],
        /// Left, top, width and height of the part that is not 0; its bytes are a blob.
        part: [u32; 4],
        feather: u32,
        matching: f32,
    },
    Change {
        reach: f32,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UpHead {
    Hello(Hello),
    Progress(u64, Progress),
    Palette(u64),
    Blueprint(u64, usize),
    Map(u64, usize),
    Preview(u64, usize, usize, Sides),
    Tokens(u64, usize),
    Latents(u64, usize, usize, bool, Sides),
    Notice(u64, String),
    Plan(u64, String, bool),
    Made(u64, Box<MadeHead>),
    Forecast(u64, Box<std::result::Result<Forecast, String>>),
    Done(u64, Vec<(Stage, f64)>, String),
    Cancelled(u64),
    Failed(u64, String, bool),
}

#[derive(Serialize, Deserialize)]
struct MadeHead {
    recipe: Recipe,
    path: Vec<Sides>,
    picture: PictureHead,
    reconstruction: Option<PictureHead>,
}

/// Where no image token is, in a blueprint.
const NO_CODE: u32 = u32::MAX;

impl Down {
    /// # Errors      a path that is no text
    pub fn to_frame(&self) -> Result<Frame> {
        let mut blobs = Vec::new();
        let head = match self {
            Self::Hello(hello) => DownHead::Hello(hello.clone()),
            Self::Forecast { number, step_down, intent } => DownHead::Forecast(*number, *step_down, intent.clone()),
            Self::Cancel(number) => DownHead::Cancel(*number),
            Self::Enough(number) => DownHead::Enough(*number),
            Self::Job(order) => {
                let job = &order.job;
                if let Some(tokens) = &job.tokens {
                    blobs.push(words(tokens));
                }
                DownHead::Job(Box::new(OrderHead {
                    number: order.number,
                    step_down: order.step_down,
                    previews: order.previews,
                    id: job.id.0,
                    recipe: job.recipe.clone(),
                    device: job.device,
                    variations: job.variations,
                    tokens: job.tokens.is_some(),
                    path: job.path.iter().map(|l| latents_out(l, &mut blobs)).collect(),
                    reference: job.reference.as_ref().map(|p| picture_out(p, &mut blobs)),
                    place: job.place.as_ref().map(|p| place_out(p, &mut blobs)),
                }))
            }
        };
        Ok(Frame { head: serde_json::to_vec(&head)?, blobs })
    }

    /// # Errors      it is nothing that is said to a worker
    pub fn from_frame(frame: Frame) -> Result<Self> {
        let mut blobs = Blobs(frame.blobs.into_iter());
        let down = match serde_json::from_slice(&frame.head)? {
            DownHead::Hello(hello) => Self::Hello(hello),
            DownHead::Forecast(number, step_down, intent) => Self::Forecast { number, step_down, intent },
            DownHead::Cancel(number) => Self::Cancel(number),
            DownHead::Enough(number) => Self::Enough(number),
            DownHead::Job(head) => {
                let tokens = if head.tokens { Some(blobs.words()?) } else { None };
                let path = head.path.into_iter().map(|sides| blobs.latents(sides)).collect::<Result<_>>()?;
                let reference = head.reference.map(|p| blobs.picture(&p)).transpose()?;
                let place = head.place.as_ref().map(|p| blobs.place(p)).transpose()?;
                let (id, recipe, variations, device) = (JobId(head.id), head.recipe, head.variations, head.device);
                let job = Job { id, recipe, reference, place, variations, tokens, path, device };
                Self::Job(Box::new(Order { number: head.number, step_down: head.step_down, previews: head.previews, job }))
            }
        };
        blobs.end()?;
        Ok(down)
    }
}

impl Up {
    /// # Errors      a path that is no text
    pub fn to_frame(&self) -> Result<Frame> {
        let mut blobs = Vec::new();
        let head = match self {
            Self::Hello(hello) => UpHead::Hello(hello.clone()),
            Self::News(n, news) => match news {
                News::Progress(progress) => UpHead::Progress(*n, *progress),
                News::Palette(palette) => {
                    blobs.push(palette.0.as_flattened().to_vec());
                    UpHead::Palette(*n)
                }
                News::Blueprint(blueprint) => {
                    let codes = |t: &Vec<Option<u32>>| t.iter().flat_map(|c| c.unwrap_or(NO_CODE).to_le_bytes()).collect();
                    blobs.extend(blueprint.tokens.iter().map(codes));
                    UpHead::Blueprint(*n, blueprint.total)
                }
                News::Map(map) => {
                    blobs.push(floats(&map.weights));
                    UpHead::Map(*n, map.channels)
                }
                News::Preview { step, steps, latents } => UpHead::Preview(*n, *step, *steps, latents_out(latents, &mut blobs)),
                News::Tokens { variation, tokens } => {
                    blobs.push(words(tokens));
                    UpHead::Tokens(*n, *variation)
                }
                News::Latents { variation, step, early, latents } => {
                    UpHead::Latents(*n, *variation, *step, *early, latents_out(latents, &mut blobs))
                }
                News::Notice(text) => UpHead::Notice(*n, text.clone()),
                News::Plan { words, is_step_down } => UpHead::Plan(*n, words.clone(), *is_step_down),
                News::Made(made) => {
                    blobs.push(words(&made.tokens));
                    let path = made.path.iter().map(|l| latents_out(l, &mut blobs)).collect();
                    let picture = picture_out(&made.picture, &mut blobs);
                    let reconstruction = made.reconstruction.as_ref().map(|p| picture_out(p, &mut blobs));
                    UpHead::Made(*n, Box::new(MadeHead { recipe: made.recipe.clone(), path, picture, reconstruction }))
                }
                News::Done { seconds, device } => UpHead::Done(*n, seconds.clone(), device.clone()),
                News::Forecast(told) => UpHead::Forecast(*n, told.clone()),
                News::Cancelled => UpHead::Cancelled(*n),
                News::Failed { why, out_of_memory } => UpHead::Failed(*n, why.clone(), *out_of_memory),
            },
        };
        Ok(Frame { head: serde_json::to_vec(&head)?, blobs })
    }

    /// # Errors      it is nothing that a worker says
    pub fn from_frame(frame: Frame) -> Result<Self> {
        let mut blobs = Blobs(frame.blobs.into_iter());
        let up = match serde_json::from_slice(&frame.head)? {
            UpHead::Hello(hello) => Self::Hello(hello),
            UpHead::Progress(n, progress) => Self::News(n, News::Progress(progress)),
            UpHead::Palette(n) => {
                let colours = blobs.next()?;
                let (colours, []) = colours.as_chunks::<3>() else { return Err(Error::Nonsense("colours")) };
                Self::News(n, News::Palette(Palette(colours.to_vec())))
            }
            UpHead::Blueprint(n, total) => {
                let mut tokens = Vec::new();
                while !blobs.is_empty() {
                    tokens.push(blobs.words()?.into_iter().map(|c| (c != NO_CODE).then_some(c)).collect());
                }
                Self::News(n, News::Blueprint(Blueprint { tokens, total }))
            }
            UpHead::Map(n, channels) => {
                let map = PreviewMap { channels, weights: blobs.floats()? };
                if !map.is_whole() {
                    return Err(Error::Nonsense("a map for previews"));
                }
                Self::News(n, News::Map(map))
            }
            UpHead::Preview(n, step, steps, sides) => Self::News(n, News::Preview { step, steps, latents: blobs.latents(sides)? }),
            UpHead::Tokens(n, variation) => Self::News(n, News::Tokens { variation, tokens: blobs.words()? }),
            UpHead::Latents(n, variation, step, early, sides) => {
                Self::News(n, News::Latents { variation, step, early, latents: blobs.latents(sides)? })
            }
            UpHead::Notice(n, text) => Self::News(n, News::Notice(text)),
            UpHead::Plan(n, words, is_step_down) => Self::News(n, News::Plan { words, is_step_down }),
            UpHead::Made(n, head) => {
                let tokens = blobs.words()?;
                let path = head.path.into_iter().map(|sides| blobs.latents(sides)).collect::<Result<_>>()?;
                let picture = blobs.picture(&head.picture)?;
                let reconstruction = head.reconstruction.map(|p| blobs.picture(&p)).transpose()?;
                Self::News(n, News::Made(Box::new(Made { picture, recipe: head.recipe, tokens, path, reconstruction })))
            }
            UpHead::Done(n, seconds, device) => Self::News(n, News::Done { seconds, device }),
            UpHead::Forecast(n, told) => Self::News(n, News::Forecast(told)),
            UpHead::Cancelled(n) => Self::News(n, News::Cancelled),
            UpHead::Failed(n, why, out_of_memory) => Self::News(n, News::Failed { why, out_of_memory }),
        };
        blobs.end()?;
        Ok(up)
    }
}

impl News {
    /// What is told of a preview, `map` being the one that was told before.
    pub fn preview(step: usize, steps: usize, latents: Latents, map: &Arc<PreviewMap>) -> Option<Preview> {
        (latents.channels == map.channels).then(|| Preview { step, steps, latents, map: map.clone() })
    }
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn latents_out(latents: &Latents, blobs: &mut Vec<Vec<u8>>) -> Sides {
    blobs.push(floats(&latents.values));
    [latents.channels, latents.height, latents.width]
}

fn picture_out(picture: &Picture, blobs: &mut Vec<Vec<u8>>) -> PictureHead {
    blobs.push(match picture.pixels() {
        Pixels::Rgba8(v) => v.to_vec(),
        Pixels::Rgba16(v) => v.iter().flat_map(|s| s.to_le_bytes()).collect(),
    });
    PictureHead { width: picture.width(), height: picture.height(), bits: picture.bits() }
}

fn place_out(place: &Place, blobs: &mut Vec<Vec<u8>>) -> PlaceHead {
    let placing = match &place.placing {
        Placing::Whole => PlacingHead::Whole,
        Placing::Change { reach } => PlacingHead::Change { reach: *reach },
        Placing::Selection { mask, blend } => {
            let part = mask.bounds().unwrap_or_default();
            blobs.push(mask.read(part));
            let part = [part.left, part.top, part.width, part.height];
            PlacingHead::Selection { size: mask.size(), part, feather: blend.feather, matching: blend.matching }
        }
    };
    let ContextBox { left, top, width, height } = place.seen;
    PlaceHead { left, top, width, height, placing }
}

/// The blobs of a frame, taken one after the other.
struct Blobs(std::vec::IntoIter<Vec<u8>>);

impl Blobs {
    fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    fn next(&mut self) -> Result<Vec<u8>> {
        self.0.next().ok_or(Error::Nonsense("something is missing"))
    }

    fn end(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(Error::Nonsense("something is left over")) }
    }

    fn words(&mut self) -> Result<Vec<u32>> {
        let bytes = self.next()?;
        let (words, []) = bytes.as_chunks::<4>() else { return Err(Error::Nonsense("numbers that are cut off")) };
        Ok(words.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }

    fn floats(&mut self) -> Result<Vec<f32>> {
        let bytes = self.next()?;
        let (words, []) = bytes.as_chunks::<4>() else { return Err(Error::Nonsense("numbers that are cut off")) };
        Ok(words.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    fn latents(&mut self, [channels, height, width]: Sides) -> Result<Latents> {
        let values = self.floats()?;
        let count = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
        if count != Some(values.len()) || values.is_empty() {
            return Err(Error::Nonsense("latents of another size"));
        }
        Ok(Latents { channels, height, width, values })
    }

    fn picture(&mut self, head: &PictureHead) -> Result<Picture> {
        let bytes = self.next()?;
        let pixels = match head.bits {
            8 => Pixels::Rgba8(bytes.into()),
            16 => {
                let (samples, []) = bytes.as_chunks::<2>() else { return Err(Error::Nonsense("samples that are cut off")) };
                Pixels::Rgba16(samples.iter().map(|b| u16::from_le_bytes(*b)).collect())
            }
            _ => return Err(Error::Nonsense("the depth of a picture")),
        };
        Ok(Picture::new(head.width, head.height, pixels)?)
    }

    fn place(&mut self, head: &PlaceHead) -> Result<Place> {
        let placing = match head.placing {
            PlacingHead::Whole => Placing::Whole,
            PlacingHead::Change { reach } => Placing::Change { reach },
            PlacingHead::Selection { size: [width, height], part: [left, top, w, h], feather, matching } => {
                if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
                    return Err(Error::Nonsense("the size of a selection"));
                }
                let (mut mask, bytes) = (Mask::new(width, height)?, self.next()?);
                mask.write(Rect { left, top, width: w, height: h }, &bytes)?;
                Placing::Selection { mask, blend: Blend { feather, matching } }
            }
        };
        let PlaceHead { left, top, width, height, .. } = *head;
        Ok(Place { seen: ContextBox { left, top, width, height }, placing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::ModelId;
    use proptest::prelude::*;

    fn latents() -> impl Strategy<Value = Latents> {
        (1usize..4, 1usize..4, 1usize..4).prop_flat_map(|(channels, height, width)| {
            // Every pattern of bits, those that are no numbers too.
            let values = prop::collection::vec(any::<u32>().prop_map(f32::from_bits), channels * height * width);
            values.prop_map(move |values| Latents { channels, height, width, values })
        })
    }

    fn picture() -> impl Strategy<Value = Picture> {
        (1u32..6, 1u32..6, any::<bool>(), any::<u64>()).prop_map(|(width, height, deep, seed)| {
            let sample = |i: u32| seed.wrapping_mul(u64::from(i) * 2 + 1).to_le_bytes();
            let count = 4 * width * height;
            let pixels = if deep {
                Pixels::Rgba16((0..count).map(|i| u16::from_le_bytes([sample(i)[3], sample(i)[4]])).collect())
            } else {
                Pixels::Rgba8((0..count).map(|i| sample(i)[3]).collect())
            };
            Picture::new(width, height, pixels).unwrap()
        })
    }

    fn place() -> impl Strategy<Value = Place> {
        let sides = (any::<i64>(), any::<i64>(), any::<u32>(), any::<u32>());
        (sides, 0u8..3, any::<u64>(), 0f32..1.0).prop_map(|((left, top, width, height), kind, seed, share)| {
            let placing = match kind {
                0 => Placing::Whole,
                1 => Placing::Change { reach: share },
                _ => {
                    let mut mask = Mask::new(300, 7).unwrap();
                    let part = Rect { left: (seed % 290) as u32, top: 2, width: (seed % 11) as u32, height: 3 };
                    let bytes: Vec<u8> = (0..part.width * part.height).map(|i| (seed >> (i % 50)) as u8).collect();
                    if !part.is_empty() {
                        mask.write(part, &bytes).unwrap();
                    }
                    Placing::Selection { mask, blend: Blend { feather: seed as u32, matching: share } }
                }
            };
            Place { seen: ContextBox { left, top, width, height }, placing }
        })
    }

    fn recipe() -> impl Strategy<Value = Recipe> {
        (".{0,40}", any::<u64>(), 0usize..2000, -9f32..9.0, any::<bool>()).prop_map(|(prompt, seed, steps, guidance, nano)| {
            let model = if nano { ModelId::Nano } else { ModelId::Folder(prompt.clone().into()) };
            Recipe { seed, steps, guidance, finish_seed: nano.then_some(seed ^ 1), ..Recipe::new(model, prompt) }
        })
    }

    fn bits(path: &[Latents]) -> Vec<(Sides, Vec<u32>)> {
        path.iter().map(|l| ([l.channels, l.height, l.width], l.values.iter().map(|v| v.to_bits()).collect())).collect()
    }

    fn through(frame: &Frame) -> Frame {
        let mut bytes = Vec::new();
        frame.write(&mut bytes).unwrap();
        Frame::read(&mut &bytes[..]).unwrap().unwrap()
    }

    proptest! {
        #[test]
        fn an_order_arrives_as_it_was_sent(
            recipe in recipe(),
            reference in prop::option::of(picture()),
            place in prop::option::of(place()),
            tokens in prop::option::of(prop::collection::vec(any::<u32>(), 0..9)),
            path in prop::collection::vec(latents(), 0..4),
            (number, variations, step_down, previews) in (any::<u64>(), 1usize..17, any::<u32>(), any::<bool>()),
        ) {
            let job = Job { id: JobId(number ^ 5), recipe, reference, place, variations, tokens, path, device: DeviceChoice::Cuda };
            let frame = Down::Job(Box::new(Order { number, step_down, previews, job: job.clone() })).to_frame().unwrap();
            let Down::Job(order) = Down::from_frame(through(&frame)).unwrap() else { panic!("no order") };
            prop_assert_eq!((order.number, order.step_down, order.previews), (number, step_down, previews));
            let there = order.job;
            prop_assert_eq!(bits(&there.path), bits(&job.path));
            prop_assert_eq!((there.id, there.recipe, there.tokens, there.variations), (job.id, job.recipe, job.tokens, job.variations));
            prop_assert_eq!((there.reference, there.place, there.device), (job.reference, job.place, job.device));
        }

        #[test]
        fn what_is_made_arrives_as_it_was_sent(
            recipe in recipe(),
            picture in picture(),
            reconstruction in prop::option::of(picture()),
            tokens in prop::collection::vec(any::<u32>(), 0..9),
            path in prop::collection::vec(latents(), 0..4),
        ) {
            let made = Made { picture, recipe, tokens, path, reconstruction };
            let frame = Up::News(9, News::Made(Box::new(made.clone()))).to_frame().unwrap();
            let Up::News(9, News::Made(there)) = Up::from_frame(through(&frame)).unwrap() else { panic!("nothing made") };
            prop_assert_eq!(bits(&there.path), bits(&made.path));
            prop_assert_eq!((there.picture, there.reconstruction), (made.picture, made.reconstruction));
            prop_assert_eq!((there.recipe, there.tokens), (made.recipe, made.tokens));
        }

        /// Whatever a broken end sends is an error or a message, and nothing else happens.
        #[test]
        fn what_is_garbled_is_refused_or_understood(
            made in (recipe(), picture(), latents()),
            (at, to, cut) in (any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>()),
        ) {
            let (recipe, picture, latents) = made;
            let job = Job {
                id: JobId(1), recipe: recipe.clone(), reference: Some(picture.clone()), place: None, variations: 1,
                tokens: Some(vec![1]), path: vec![latents.clone()], device: DeviceChoice::Auto,
            };
            let made = Made { picture, recipe, tokens: vec![2], path: vec![latents], reconstruction: None };
            for frame in [
                Down::Job(Box::new(Order { number: 1, step_down: 0, previews: true, job })).to_frame().unwrap(),
                Up::News(1, News::Made(Box::new(made))).to_frame().unwrap(),
            ] {
                let mut garbled = frame.clone();
                let byte = at.index(garbled.head.len());
                garbled.head[byte] = to;
                let _ = (Down::from_frame(garbled.clone()), Up::from_frame(garbled));
                let mut short = frame.clone();
                let last = short.blobs.len() - 1;
                short.blobs.truncate(cut.index(last + 1));
                prop_assert!(Down::from_frame(short.clone()).is_err() && Up::from_frame(short).is_err());
                let mut long = frame;
                long.blobs.push(vec![]);
                prop_assert!(Down::from_frame(long.clone()).is_err() && Up::from_frame(long).is_err());
            }
        }
    }

    #[test]
    fn small_news_arrive() {
        let progress = Progress { stage: Stage::Denoise, done: 3, total: 9, seconds: 1.5, variation: (1, 2) };
        let latents = Latents { channels: 1, height: 1, width: 2, values: vec![0.5, -1.0] };
        let blueprint = Blueprint { tokens: vec![vec![Some(3), None], vec![]], total: 5 };
        for news in [
            News::Progress(progress),
            News::Palette(Palette(vec![[1, 2, 3], [4, 5, 6]])),
            News::Blueprint(blueprint),
            News::Map(PreviewMap { channels: 1, weights: vec![0.25; 96] }),
            News::Preview { step: 2, steps: 7, latents: latents.clone() },
            News::Tokens { variation: 3, tokens: vec![7, 8] },
            News::Latents { variation: 1, step: 4, early: true, latents },
            News::Notice("“so”".to_owned()),
            News::Plan { words: "all of it stays".to_owned(), is_step_down: true },
            News::Done { seconds: vec![(Stage::Load, 0.5)], device: "CPU".to_owned() },
            News::Cancelled,
            News::Failed { why: "because".to_owned(), out_of_memory: true },
        ] {
            let up = Up::News(4, news);
            let there = Up::from_frame(through(&up.to_frame().unwrap())).unwrap();
            assert_eq!(format!("{there:?}"), format!("{up:?}"));
        }
    }
}
