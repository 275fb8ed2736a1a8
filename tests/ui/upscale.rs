//! Making a picture larger, by pointer.

use super::*;
use pentimento::jobs::{Larger, UpscaleProgress};
use pentimento::recipe::Factor;

#[test]
fn a_picture_is_made_larger_by_a_button_and_stopped_by_another() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    let mut h = harness(window, Theme::Dark);
    let asked = |h: &Harness<'_, Window>| -> Vec<(JobId, Factor)> {
        let wish = |c: &Command| if let Command::Upscale { id, how, .. } = c { Some((*id, how.by)) } else { None };
        h.state().commands.iter().filter_map(wish).collect()
    };
    h.get_by_label("Upscale 4x").click();
    h.run_steps(2);
    let [(id, Factor::Four)] = asked(&h)[..] else { panic!("{:?}", asked(&h)) };
    h.state_mut().hear(Event::Upscaling { id, progress: UpscaleProgress { done: 40, total: 100, seconds: 8.0 } });
    h.run_steps(2);
    h.get_by_label("Upscaling: 40 % · about 12 s left");
    h.get_by_label("Stop upscaling").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::CancelUpscale(stopped) if *stopped == id)));
    h.state_mut().hear(Event::Upscaled { id, result: Ok(None) });
    h.run_steps(2);

    h.get_by_label("Upscale 2x").click();
    h.run_steps(2);
    let (id, _) = asked(&h)[1];
    let picture = Picture::from_rgb8(1280, 1280, &vec![90; 3 * 1280 * 1280]).unwrap();
    let (pyramid, thumbnail) = (Arc::new(Pyramid::new(&picture)), Thumbnail { width: 1, height: 1, rgba: [9; 4].into() });
    let larger = Larger { picture, pyramid, thumbnail, at: 9, seconds: 1.0 };
    h.state_mut().hear(Event::Upscaled { id, result: Ok(Some(Box::new(larger))) });
    h.run_steps(2);
    h.get_by_label("Revision 2: Upscaled 2x");
    h.get_by_label("1280 × 1280 px, 8 bit");
    h.get_by_label("Upscale results").click();
    h.run_steps(2);
    assert!(h.state().editor.settings.upscale_results);
}
