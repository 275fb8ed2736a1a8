//! sRGB's curve, both ways: from its values to linear light and back.

use std::sync::OnceLock;

/// Linear light of an sRGB value, both 0..1.
pub(super) fn linear(v: f32) -> f32 {
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// The sRGB value of linear light, both 0..1; what lies outside is cut off.
pub(super) fn srgb(v: f32) -> f32 {
    let v = v.clamp(0.0, 1.0);
    if v <= 0.0031308 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

fn table(last: u16) -> Vec<f32> {
    (0..=last).map(|v| linear(f32::from(v) / f32::from(last))).collect()
}

/// [`linear`] of each 8-bit value.
pub(super) fn linear8() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| table(255))
}

/// [`linear`] of each 16-bit value.
pub(super) fn linear16() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| table(65_535))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back() {
        for (i, v) in linear8().iter().enumerate() {
            assert_eq!((srgb(*v) * 255.0).round() as usize, i);
        }
        for (i, v) in linear16().iter().enumerate() {
            assert_eq!((srgb(*v) * 65_535.0).round() as usize, i);
        }
    }
}
