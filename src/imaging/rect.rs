//! Rectangles of whole pixels.

/// A rectangle of a picture's pixels: from `(left, top)`, `width` to the right and `height` down. Empty where a side is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

impl Rect {
    /// From `(left, top)` up to, and without, `(right, bottom)`. Empty where these do not lie behind.
    pub fn between(left: u32, top: u32, right: u32, bottom: u32) -> Self {
        Self { left, top, width: right.saturating_sub(left), height: bottom.saturating_sub(top) }
    }

    /// The column behind the last.
    pub fn right(self) -> u32 {
        self.left.saturating_add(self.width)
    }

    /// The row behind the last.
    pub fn bottom(self) -> u32 {
        self.top.saturating_add(self.height)
    }

    pub fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    pub fn contains(self, x: u32, y: u32) -> bool {
        x >= self.left && x < self.right() && y >= self.top && y < self.bottom()
    }

    /// What both cover.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let both = Self::between(
            self.left.max(other.left),
            self.top.max(other.top),
            self.right().min(other.right()),
            self.bottom().min(other.bottom()),
        );
        if both.is_empty() { Self::default() } else { both }
    }

    /// The smallest that covers both; an empty one counts for nothing.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        Self::between(
            self.left.min(other.left),
            self.top.min(other.top),
            self.right().max(other.right()),
            self.bottom().max(other.bottom()),
        )
    }

    /// `by` pixels more on each side, as far as a picture of `size` (width, height) goes.
    #[must_use]
    pub fn grown(self, by: u32, size: [u32; 2]) -> Self {
        if self.is_empty() {
            return self;
        }
        Self::between(
            self.left.saturating_sub(by),
            self.top.saturating_sub(by),
            self.right().saturating_add(by).min(size[0]),
            self.bottom().saturating_add(by).min(size[1]),
        )
    }
}
