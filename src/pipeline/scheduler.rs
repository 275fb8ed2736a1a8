//! The flow-match schedule, and steps of second order along it.

use candle_core::{Result, Tensor};

/// Noise levels and times of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// One per step, from 1 down, and a final 0.
    pub sigmas: Vec<f32>,
    /// 1000 · sigma of every step.
    pub timesteps: Vec<f32>,
}

impl Schedule {
    /// sigmas = linspace(1, 1 / N, N), shifted, in f32.
    ///
    /// # Source      diffusers 0.34 `FlowMatchEulerDiscreteScheduler.set_timesteps` with BLIP3o-NEXT's sigmas
    pub fn new(steps: usize, shift: f32) -> Self {
        let last = 1.0 / steps as f64;
        let spacing = if steps > 1 { (last - 1.0) / (steps - 1) as f64 } else { 0.0 };
        let linear = |i: usize| (if i + 1 == steps && steps > 1 { last } else { 1.0 + i as f64 * spacing }) as f32;
        let mut sigmas: Vec<f32> = (0..steps).map(|i| shift * linear(i) / (1.0 + (shift - 1.0) * linear(i))).collect();
        let timesteps = sigmas.iter().map(|s| s * 1000.0).collect();
        sigmas.push(0.0);
        Self { sigmas, timesteps }
    }

    /// The latents after a step by DPM-Solver++ 2M, from what was predicted at it and at the step before.
    ///
    /// With x = (1 - sigma) x0 + sigma noise and lambda = ln((1 - sigma) / sigma), e^-h is the quotient of the noise to the signal
    /// after the step and before it. The first step has no signal and the last one no noise: they are of first order, as is
    /// what follows the first.
    ///
    /// # Source      diffusers 0.34 `DPMSolverMultistepScheduler` (`multistep_dpm_solver_second_order_update`, midpoint) for flows
    pub fn second_order(&self, step: usize, x: &Tensor, predicted: &Tensor, before: Option<&Tensor>) -> Result<Tensor> {
        let sigma = |step: usize| f64::from(self.sigmas[step]);
        let lambda = |step: usize| ((1.0 - sigma(step)) / sigma(step)).ln();
        let (now, next) = (sigma(step), sigma(step + 1));
        let rest = (1.0 - now) * next / ((1.0 - next) * now); // e^-h
        let mut target = predicted.clone();
        if let (Some(before), true, true) = (before, step > 1, next > 0.0) {
            let ratio = (lambda(step) - lambda(step - 1)) / (lambda(step + 1) - lambda(step));
            target = (&target + ((predicted - before)? * (0.5 / ratio))?)?;
        }
        (x * (next / now))? + (target * ((1.0 - next) * (1.0 - rest)))?
    }

    /// sigma of the next step less that of this one.
    pub fn delta(&self, step: usize) -> f32 {
        self.sigmas[step + 1] - self.sigmas[step]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn steps_of_second_order_follow_a_constant_exactly_and_a_bend_more_closely() {
        let tensor = |v: f64| Tensor::new(&[v], &Device::Cpu).unwrap();
        // x0 bends with the level of noise. Looked at while a quarter of it is left: the end says only what is predicted there.
        let run = |steps: usize, bend: f64, second: bool| {
            let schedule = Schedule::new(steps, 1.0);
            let (mut x, mut before) = (tensor(-1.3), None);
            for step in 0..steps * 3 / 4 {
                let sigma = f64::from(schedule.sigmas[step]);
                let x0 = tensor(0.7 + bend * sigma * sigma);
                x = if second {
                    schedule.second_order(step, &x, &x0, before.as_ref()).unwrap()
                } else {
                    let v = ((&x - &x0).unwrap() / sigma).unwrap();
                    (&x + (v * f64::from(schedule.delta(step))).unwrap()).unwrap()
                };
                before = Some(x0);
            }
            x.to_vec1::<f64>().unwrap()[0]
        };
        assert!((run(8, 0.0, true) - run(8, 0.0, false)).abs() < 1e-6);
        let truth = run(1 << 14, 0.9, false);
        let [euler, second] = [false, true].map(|second| (run(16, 0.9, second) - truth).abs());
        assert!(second < 0.6 * euler, "{second:e} and {euler:e}");
    }

    #[test]
    fn thirty_steps_are_the_official_ones() {
        let schedule = Schedule::new(30, 1.0);
        assert_eq!(schedule.timesteps[0], 1000.0);
        assert!((schedule.timesteps[1] - 966.666_7).abs() < 1e-3 && (schedule.timesteps[29] - 33.333_3).abs() < 1e-3);
        assert_eq!(schedule.sigmas.len(), 31);
        assert_eq!(Schedule::new(1, 1.0).sigmas, [1.0, 0.0]);
        assert!((Schedule::new(2, 3.0).sigmas[1] - 0.75).abs() < 1e-6);
    }
}
