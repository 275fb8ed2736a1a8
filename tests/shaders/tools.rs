//! The pass of plain tools against the tools themselves.

use crate::reference::noise;
use crate::screen::screen;
use pentimento::imaging::{Picture, Pixels, Tone, Tool};
use pentimento::render::tools::{ToolImage, ToolSource, texture};
use std::sync::Arc;

#[test]
fn what_is_shown_is_what_is_made() {
    let screen = screen();
    let tone = |of: fn(&mut Tone)| {
        let mut tone = Tone::default();
        of(&mut tone);
        Tool::Tone(tone)
    };
    let tools = [
        Tool::Crop { left: 3, top: 5, width: 20, height: 11, of: [61, 43] },
        Tool::Straighten { degrees: 7.3 },
        Tool::Straighten { degrees: -41.0 },
        Tool::Turn { quarters: 1 },
        Tool::Turn { quarters: 2 },
        Tool::Turn { quarters: 3 },
        Tool::Mirror,
        Tool::Flip,
        Tool::Resize { width: 23, height: 60, of: [61, 43] },
        Tool::Resize { width: 150, height: 7, of: [61, 43] },
        tone(|t| t.exposure = 1.3),
        tone(|t| t.exposure = -2.0),
        tone(|t| (t.black, t.white, t.gamma) = (0.1, 0.8, 1.7)),
        tone(|t| t.gamma = 0.4),
        tone(|t| t.contrast = 0.9),
        tone(|t| t.contrast = -0.7),
        tone(|t| t.saturation = 0.8),
        tone(|t| t.saturation = -1.0),
        tone(|t| t.temperature = 0.6),
        tone(|t| (t.temperature, t.exposure, t.saturation, t.contrast, t.black, t.gamma) = (-1.0, 0.7, 0.3, 0.4, 0.05, 1.2)),
    ];
    for has_alpha in [false, true] {
        for (w, h) in [(61, 43), (1, 1), (17, 90)] {
            let alpha = |x: u32, y: u32| if has_alpha { (x * 37 + y * 11) as u8 } else { 255 };
            let pixel = |x, y| {
                let [r, g, b, _] = noise(x, y);
                [r, g, b, alpha(x, y)]
            };
            let rgba: Arc<[u8]> = (0..h).flat_map(|y| (0..w).flat_map(move |x| pixel(x, y))).collect();
            let picture = Picture::new(w, h, Pixels::Rgba8(rgba.clone())).unwrap();
            for tool in tools {
                let Ok(want) = tool.apply(&picture) else { continue };
                let image = ToolImage { source: Arc::new(ToolSource::new([w, h], rgba.clone())), tool };
                let made = texture(&screen.state, &image).unwrap();
                assert_eq!([made.width(), made.height()], [want.width(), want.height()], "{tool:?}");
                let (got, want) = (screen.read(&made), want.to_rgba8());
                for (i, (got, want)) in got.iter().zip(want.as_chunks::<4>().0).enumerate() {
                    // What is hardly there has hardly a colour: it counts as much as it is seen.
                    let seen = f32::from(want[3]) / 255.0;
                    let far = (0..3).map(|c| f32::from(got[c].abs_diff(want[c])) * seen).fold(0.0, f32::max);
                    assert!(far <= 1.0 && got[3].abs_diff(want[3]) <= 1, "{tool:?} on {w} x {h}, pixel {i}: {got:?} is not {want:?}");
                }
            }
        }
    }
}
