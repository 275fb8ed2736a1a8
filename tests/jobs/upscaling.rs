//! The lane that makes pictures larger, with the real network.

use super::*;
use pentimento::jobs::Larger;
use pentimento::recipe::{Factor, Upscaling};

fn upscale(id: u64, side: u32, by: Factor) -> Command {
    let rgb: Vec<u8> = (0..3 * side * side).map(|i| (i / 3 % side + i / 3 / side) as u8).collect();
    Command::Upscale { id: JobId(id), picture: Picture::from_rgb8(side, side, &rgb).unwrap(), how: Upscaling::new(by) }
}

fn is_answer(event: &Event, to: u64) -> bool {
    matches!(event, Event::Upscaled { id, .. } if id.0 == to)
}

#[test]
fn pictures_get_larger_one_after_the_other_beside_a_job() {
    let mut bench = bench();
    bench.jobs.send(upscale(1, 500, Factor::Four));
    bench.jobs.send(upscale(2, 20, Factor::Two));
    bench.jobs.send(job(3, "a fox", 3, 1));
    // The job does not wait for the first picture, which takes longer.
    let mut all = bench.until(|e| matches!(e, Event::Finished { .. }));
    assert!(!all.iter().any(|e| is_answer(e, 1)));
    all.extend(bench.until(|e| is_answer(e, 2)));
    let sizes: Vec<_> = all
        .iter()
        .filter_map(|e| match e {
            Event::Upscaled { id, result: Ok(Some(larger)) } => {
                let Larger { picture, thumbnail, at, seconds, .. } = &**larger;
                assert!(*at > 0 && *seconds > 0.0 && thumbnail.width > 0);
                Some((id.0, picture.width()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [(1, 2000), (2, 40)]);
    let told: Vec<_> =
        all.iter().filter_map(|e| if let Event::Upscaling { id, progress } = e { Some((id.0, progress)) } else { None }).collect();
    assert!(told.iter().any(|(id, p)| *id == 1 && p.done > 0 && p.done < p.total));
}

#[test]
fn a_cancel_is_heard_and_what_waits_never_begins() {
    let mut bench = bench();
    // Nine parts, and a picture that nobody will wait for.
    bench.jobs.send(upscale(1, 900, Factor::Four));
    bench.jobs.send(upscale(2, 300, Factor::Four));
    let mut all = bench.until(|e| matches!(e, Event::Upscaling { .. }));
    bench.jobs.send(Command::CancelUpscale(JobId(2)));
    bench.jobs.send(Command::CancelUpscale(JobId(1)));
    all.extend(bench.until(|e| is_answer(e, 2)));
    let answers: Vec<_> = all.iter().filter(|e| matches!(e, Event::Upscaled { .. })).collect();
    assert!(matches!(
        answers[..],
        [Event::Upscaled { id: JobId(1), result: Ok(None) }, Event::Upscaled { id: JobId(2), result: Ok(None) }]
    ));
    assert!(!all.iter().any(|e| matches!(e, Event::Upscaling { id: JobId(2), .. })));
    let furthest = all.iter().filter_map(|e| if let Event::Upscaling { progress, .. } = e { Some(progress.done) } else { None }).max();
    assert!(furthest.unwrap() < 9 * 18, "it was painted to its end");
    // The lane goes on.
    bench.jobs.send(upscale(3, 4, Factor::Two));
    bench.until(|e| is_answer(e, 3));
    // What cannot be made is an answer too.
    let long = Picture::from_rgb8(20_000, 1, &vec![0; 60_000]).unwrap();
    bench.jobs.send(Command::Upscale { id: JobId(4), picture: long, how: Upscaling::new(Factor::Four) });
    let all = bench.until(|e| is_answer(e, 4));
    assert!(all.iter().any(|e| matches!(e, Event::Upscaled { result: Err(why), .. } if why.contains("80000 x 4"))));
}
