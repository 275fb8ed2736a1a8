//! Random numbers, pictures and selections: the same for the same seed, so that a failure can be seen again.

use pentimento::imaging::{Brush, ContextBox, Mask, Mode, Picture, Pixels, Rect};

/// `SplitMix64`.
pub struct Chance(pub u64);

impl Chance {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` up to, and without, `high`.
    pub fn whole(&mut self, low: i64, high: i64) -> i64 {
        low + (self.bits() % (high - low) as u64) as i64
    }

    /// 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    pub fn coin(&mut self) -> bool {
        self.bits() & 1 == 1
    }

    /// Mostly small, sometimes longer than a tile, sometimes a single pixel.
    pub fn side(&mut self) -> u32 {
        match self.whole(0, 8) {
            0 => 1,
            1 => self.whole(250, 700) as u32,
            _ => self.whole(2, 90) as u32,
        }
    }

    /// Width and height, not both long.
    pub fn size(&mut self) -> [u32; 2] {
        let [w, h] = [self.side(), self.side()];
        if u64::from(w) * u64::from(h) > 60_000 { [w, h.min(60)] } else { [w, h] }
    }

    /// Noise or flat, of 8 or 16 bits, opaque or not.
    pub fn picture(&mut self, [width, height]: [u32; 2], deep: bool) -> Picture {
        let flat = self.whole(0, 3) == 0;
        let opaque = self.coin();
        let first = self.bits();
        let mut sample = |i: usize| {
            let v = if flat { first.rotate_left((i % 4) as u32 * 16) } else { self.bits() };
            if opaque && i % 4 == 3 { 0xffff } else { v & 0xffff }
        };
        let count = 4 * width as usize * height as usize;
        let pixels = if deep {
            Pixels::Rgba16((0..count).map(|i| sample(i) as u16).collect())
        } else {
            Pixels::Rgba8((0..count).map(|i| (sample(i) >> 8) as u8).collect())
        };
        Picture::new(width, height, pixels).unwrap()
    }

    pub fn point(&mut self, [width, height]: [u32; 2]) -> [f32; 2] {
        [(self.unit() * 1.4 - 0.2) * width as f32, (self.unit() * 1.4 - 0.2) * height as f32]
    }

    pub fn mode(&mut self) -> Mode {
        if self.whole(0, 3) == 0 { Mode::Erase } else { Mode::Add }
    }

    pub fn rect(&mut self, [width, height]: [u32; 2]) -> Rect {
        let mut side = |n: u32| (self.whole(0, i64::from(n)) as u32, self.whole(0, i64::from(n) + 3) as u32);
        let ((left, width), (top, height)) = (side(width), side(height));
        Rect { left, top, width, height }
    }

    /// Draws something and returns where it may have changed.
    pub fn draw(&mut self, mask: &mut Mask) -> Rect {
        let size = mask.size();
        let mode = self.mode();
        match self.whole(0, 3) {
            0 => mask.rectangle(self.rect(size), mode),
            1 => {
                let points: Vec<_> = (0..self.whole(0, 9)).map(|_| self.point(size)).collect();
                mask.lasso(&points, mode)
            }
            _ => {
                let brush = Brush { diameter: self.unit() * 60.0, hardness: self.unit(), mode };
                mask.stroke(self.point(size), self.point(size), brush)
            }
        }
    }

    /// Strokes, rectangles, lassos, feathers; sometimes nothing and sometimes all.
    pub fn mask(&mut self, [width, height]: [u32; 2]) -> Mask {
        let mut mask = Mask::new(width, height).unwrap();
        match self.whole(0, 12) {
            0 => return mask,
            1 => mask.fill(255),
            2 => mask.fill(self.bits() as u8),
            _ => {}
        }
        for _ in 0..self.whole(1, 5) {
            self.draw(&mut mask);
        }
        if self.whole(0, 4) == 0 { mask.feathered(self.whole(0, 9) as u32) } else { mask }
    }

    /// Any box that shows at least a pixel of the picture: as the program chooses it, or as a hand may have left it.
    pub fn seen(&mut self, size: [u32; 2], mask: &Mask, model: [u32; 2]) -> ContextBox {
        let chosen = ContextBox::around(size, mask.bounds(), model);
        match self.whole(0, 3) {
            0 => chosen,
            1 => chosen.resized(self.whole(1, 200) as u32, size, model).moved(self.whole(-90, 90), self.whole(-90, 90), size),
            _ => {
                let [w, h] = size.map(i64::from);
                let (left, top) = (self.whole(-w - 5, w), self.whole(-h - 5, h));
                let side = |from: i64, chance: &mut Self| (chance.whole(1, 120) + (-from).max(0)) as u32;
                let (width, height) = (side(left, self), side(top, self));
                ContextBox { left, top, width, height }
            }
        }
    }
}
