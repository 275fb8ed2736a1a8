//! The flow-match Euler schedule.

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

    /// sigma of the next step less that of this one.
    pub fn delta(&self, step: usize) -> f32 {
        self.sigmas[step + 1] - self.sigmas[step]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
