//! `pentimento adjust`: plain tools, without a model.

use super::write::{self, Writing};
use crate::document::Link;
use crate::imaging::{Ratio, Rect, Tone, Tool, fit};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// What `adjust` is told. Done in this order: turn, mirror and flip, straighten, crop, resize, light and colour.
#[derive(Args, Debug)]
pub struct AdjustArguments {
    /// The picture
    pub image: PathBuf,
    /// Where the result goes: a name ending in .png, .jpg, .webp or .tif
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// By quarters
    #[arg(long, value_enum)]
    pub turn: Option<Turn>,
    /// Swap left and right
    #[arg(long)]
    pub mirror: bool,
    /// Swap top and bottom
    #[arg(long)]
    pub flip: bool,
    /// Turn clockwise by up to 45 degrees and cut off the corners
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true)]
    pub straighten: Option<f32>,
    /// Keep this part, in pixels
    #[arg(long, value_name = "LEFT,TOP,WIDTHxHEIGHT", value_parser = part)]
    pub crop: Option<Rect>,
    /// Keep the largest part of this shape about the middle
    #[arg(long, value_name = "WIDTH:HEIGHT", value_parser = ratio)]
    pub ratio: Option<Ratio>,
    /// To a size in pixels
    #[arg(long, value_name = "WxH", value_parser = super::arguments::size, conflicts_with = "fit")]
    pub resize: Option<crate::recipe::Size>,
    /// Into a box of this size; the shape stays
    #[arg(long, value_name = "WxH", value_parser = super::arguments::size)]
    pub fit: Option<crate::recipe::Size>,
    /// The value that becomes black, 0 to 0.9
    #[arg(long, default_value_t = 0.0)]
    pub black: f32,
    /// The value that becomes white, 0.1 to 1
    #[arg(long, default_value_t = 1.0)]
    pub white: f32,
    /// Middle values: brighter above 1, darker below
    #[arg(long, default_value_t = 1.0)]
    pub gamma: f32,
    /// In stops, -5 to 5
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
    pub exposure: f32,
    /// -1 to 1
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
    pub contrast: f32,
    /// -1 (grey) to 1
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
    pub saturation: f32,
    /// -1 (cool) to 1 (warm)
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
    pub temperature: f32,
    #[command(flatten)]
    pub writing: Writing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Turn {
    Right,
    Around,
    Left,
}

/// `10,20,300x200`.
fn part(text: &str) -> Result<Rect, String> {
    let parsed = || {
        let (left, rest) = text.split_once(',')?;
        let (top, size) = rest.split_once(',')?;
        let (width, height) = size.split_once('x')?;
        Some(Rect { left: left.parse().ok()?, top: top.parse().ok()?, width: width.parse().ok()?, height: height.parse().ok()? })
    };
    parsed().ok_or_else(|| "a place and a size in pixels, such as 10,20,300x200".to_owned())
}

/// `3:2`.
fn ratio(text: &str) -> Result<Ratio, String> {
    let sides = text.split_once(':').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match sides {
        Some((w, h)) if w > 0 && h > 0 => Ok(Ratio::Of(w, h)),
        _ => Err("two numbers, such as 3:2".to_owned()),
    }
}

pub fn adjust(arguments: &AdjustArguments) -> Result<ExitCode> {
    let format = arguments.writing.format(&arguments.out)?;
    let (mut picture, mut chain) = write::open(&arguments.image)?;
    let mut tools = Vec::new();
    if let Some(turn) = arguments.turn {
        tools.push(Tool::Turn { quarters: turn as u8 + 1 });
    }
    tools.extend(arguments.mirror.then_some(Tool::Mirror));
    tools.extend(arguments.flip.then_some(Tool::Flip));
    tools.extend(arguments.straighten.map(|degrees| Tool::Straighten { degrees }));
    let mut size = tools.iter().fold([picture.width(), picture.height()], |size, tool| tool.size(size));
    if arguments.crop.is_some() || arguments.ratio.is_some() {
        let whole = Rect { left: 0, top: 0, width: size[0], height: size[1] };
        let part = arguments.crop.unwrap_or(whole);
        if part.intersection(whole) != part || part.is_empty() {
            bail!("the part to keep is not within the picture, which has {} x {} pixels there", size[0], size[1]);
        }
        let Rect { left, top, width, height } = arguments.ratio.unwrap_or_default().within(part, size);
        tools.push(Tool::Crop { left, top, width, height, of: size });
        size = [width, height];
    }
    tools.extend(arguments.resize.map(|to| Tool::Resize { width: to.width, height: to.height, of: size }));
    if let Some(to) = arguments.fit {
        let [width, height] = fit(size, [to.width, to.height]);
        tools.push(Tool::Resize { width, height, of: size });
    }
    let AdjustArguments { black, white, gamma, exposure, contrast, saturation, temperature, .. } = *arguments;
    tools.push(Tool::Tone(Tone { black, white, gamma, exposure, contrast, saturation, temperature }));
    for tool in tools {
        if tool.is_idle([picture.width(), picture.height()]) {
            continue;
        }
        picture = tool.apply(&picture)?;
        chain.edits.push(Link::Tool(tool));
    }
    arguments.writing.write(&picture, &chain, &arguments.out, format)?;
    eprintln!("{}", arguments.out.display());
    Ok(ExitCode::SUCCESS)
}
