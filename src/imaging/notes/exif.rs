//! What a camera has written (EXIF), changed as little as possible: what stays is left at its place in the block, since makers'
//! own notes point into it.

use std::borrow::Cow;

/// The longest block that is kept, in bytes.
pub(super) const MOST_BYTES: usize = 1 << 20;
/// The most entries of a directory.
const MOST_ENTRIES: usize = 2000;

const WIDTH: u16 = 0x0100;
const HEIGHT: u16 = 0x0101;
const ORIENTATION: u16 = 0x0112;
pub(in super::super) const XMP: u16 = 0x02bc;
pub(in super::super) const PROFILE: u16 = 0x8773;
const THUMBNAIL: u16 = 0x0201;
const THUMBNAIL_LENGTH: u16 = 0x0202;
const CAMERA: u16 = 0x8769;
const POSITION: u16 = 0x8825;
const COMMENT: u16 = 0x9286;
const PIXELS_ACROSS: u16 = 0xa002;
const PIXELS_DOWN: u16 = 0xa003;
/// What a TIFF file says of its picture and not of how it is stored: description, maker, model, resolution, software, time,
/// artist, copyright.
const DESCRIBES: [u16; 11] = [0x010e, 0x010f, 0x0110, 0x011a, 0x011b, 0x0128, 0x0131, 0x0132, 0x013b, 0x013c, 0x8298];

/// A line of a directory. Four bytes of the value, or where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    pub tag: u16,
    pub kind: u16,
    pub count: u32,
    pub value: [u8; 4],
}

impl Entry {
    /// Bytes of the value; `None` for a kind that nobody knows.
    fn length(&self) -> Option<usize> {
        let one = match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => return None,
        };
        (self.count as usize).checked_mul(one)
    }
}

/// A directory: where each entry stands, and where the number of the next directory does.
struct Directory {
    entries: Vec<(usize, Entry)>,
    next_at: usize,
}

/// A block in TIFF's structure.
#[derive(Clone, Debug)]
pub(in super::super) struct Block<'a> {
    pub bytes: Cow<'a, [u8]>,
    is_big: bool,
}

impl<'a> Block<'a> {
    /// One that says nothing.
    pub fn empty() -> Self {
        Self { bytes: b"II*\0\x08\0\0\0\0\0\0\0\0\0".into(), is_big: false }
    }

    /// `None` where it is none or too long.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
        let is_big = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        let block = Self { bytes: bytes.into(), is_big };
        (bytes.len() <= MOST_BYTES && block.directory(block.first()?).is_some()).then_some(block)
    }

    pub fn is_big(&self) -> bool {
        self.is_big
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(self.number(bytes))
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    pub fn bytes_of_u16(&self, v: u16) -> [u8; 2] {
        if self.is_big { v.to_be_bytes() } else { v.to_le_bytes() }
    }

    pub fn bytes_of_u32(&self, v: u32) -> [u8; 4] {
        if self.is_big { v.to_be_bytes() } else { v.to_le_bytes() }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.to_mut().get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn first(&self) -> Option<usize> {
        self.u32(4).map(|at| at as usize)
    }

    fn directory(&self, at: usize) -> Option<Directory> {
        let count = usize::from(self.u16(at)?);
        if count > MOST_ENTRIES {
            return None;
        }
        let entries = (0..count).map(|i| {
            let at = at + 2 + 12 * i;
            let value = self.bytes.get(at + 8..at + 12)?.try_into().ok()?;
            Some((at, Entry { tag: self.u16(at)?, kind: self.u16(at + 2)?, count: self.u32(at + 4)?, value }))
        });
        let entries = entries.collect::<Option<Vec<_>>>()?;
        // Some writers forget the number of the next directory at the end of the block.
        Some(Directory { entries, next_at: at + 2 + 12 * count })
    }

    /// The entries of the first directory.
    pub fn entries(&self) -> Vec<Entry> {
        let directory = self.first().and_then(|at| self.directory(at));
        directory.map(|d| d.entries.into_iter().map(|(_, e)| e).collect()).unwrap_or_default()
    }

    /// The bytes of an entry's value.
    fn value(&self, entry: &Entry) -> Option<Vec<u8>> {
        let length = entry.length()?;
        if length <= 4 {
            return Some(entry.value[..length].to_vec());
        }
        let from = self.number(entry.value) as usize;
        self.bytes.get(from..from.checked_add(length)?).map(<[u8]>::to_vec)
    }

    fn as_number(&self, entry: &Entry) -> Option<u32> {
        match entry.kind {
            3 => Some(u32::from(if self.is_big {
                u16::from_be_bytes([entry.value[0], entry.value[1]])
            } else {
                u16::from_le_bytes([entry.value[0], entry.value[1]])
            })),
            4 | 13 => Some(self.number(entry.value)),
            _ => None,
        }
    }

    /// Writes a number where there is one already.
    fn set_number(&mut self, at: usize, entry: &Entry, to: u32) {
        match (entry.kind, u16::try_from(to)) {
            (3, Ok(to)) => self.put(at + 8, &self.bytes_of_u16(to)),
            (4, _) => self.put(at + 8, &self.bytes_of_u32(to)),
            _ => {}
        }
    }

    /// A directory that an entry of the first one points to.
    fn below(&self, tag: u16) -> Option<Directory> {
        let entry = self.entries().into_iter().find(|e| e.tag == tag)?;
        self.directory(self.as_number(&entry)? as usize)
    }

    /// Of the picture as it is now: upright, of that size, without the small copy of what it once was.
    fn make_upright(&mut self, [width, height]: [u32; 2]) -> Option<()> {
        let first = self.directory(self.first()?)?;
        let below = self.below(CAMERA).map(|d| d.entries).unwrap_or_default();
        for (at, entry) in first.entries.iter().chain(&below) {
            match entry.tag {
                ORIENTATION => self.set_number(*at, entry, 1),
                WIDTH | PIXELS_ACROSS => self.set_number(*at, entry, width),
                HEIGHT | PIXELS_DOWN => self.set_number(*at, entry, height),
                _ => {}
            }
        }
        let second = self.u32(first.next_at).unwrap_or(0) as usize;
        if second != 0 {
            self.put(first.next_at, &[0; 4]);
            let directory = self.directory(second);
            let of = |tag| directory.as_ref()?.entries.iter().find(|(_, e)| e.tag == tag).and_then(|(_, e)| self.as_number(e));
            if let (Some(from), Some(length)) = (of(THUMBNAIL), of(THUMBNAIL_LENGTH)) {
                let from = from as usize;
                let to = from.saturating_add(length as usize).min(self.bytes.len());
                if from >= 8 && to == self.bytes.len() && self.is_behind_all(from) {
                    self.bytes.to_mut().truncate(from);
                } else if let Some(thumbnail) = self.bytes.to_mut().get_mut(from..to).filter(|_| from > first.next_at) {
                    thumbnail.fill(0);
                }
            }
        }
        Some(())
    }

    /// Whether nothing of the first directory and the ones below it stands at `from` or behind.
    fn is_behind_all(&self, from: usize) -> bool {
        let mut directories = vec![self.first().and_then(|at| self.directory(at))];
        directories.extend([CAMERA, POSITION].map(|tag| self.below(tag)));
        directories.into_iter().flatten().all(|d| {
            d.next_at + 4 <= from
                && d.entries.iter().all(|(_, e)| {
                    let length = e.length().unwrap_or(0);
                    length <= 4 || (self.number(e.value) as usize).saturating_add(length) <= from
                })
        })
    }

    /// A directory at the end of the block; its place.
    pub fn append_directory(&mut self, mut entries: Vec<Entry>) -> u32 {
        entries.sort_by_key(|e| e.tag);
        let at = self.append(&[]);
        let mut bytes = self.bytes_of_u16(entries.len() as u16).to_vec();
        for entry in &entries {
            bytes.extend(self.bytes_of_u16(entry.tag));
            bytes.extend(self.bytes_of_u16(entry.kind));
            bytes.extend(self.bytes_of_u32(entry.count));
            bytes.extend(entry.value);
        }
        bytes.extend([0; 4]);
        self.bytes.to_mut().extend(bytes);
        at
    }

    /// Bytes at the end of the block, at an even place.
    pub fn append(&mut self, bytes: &[u8]) -> u32 {
        if !self.bytes.len().is_multiple_of(2) {
            self.bytes.to_mut().push(0);
        }
        let at = self.bytes.len() as u32;
        self.bytes.to_mut().extend(bytes);
        at
    }

    /// An entry for a value; a long one is put at the end of the block.
    pub fn entry(&mut self, tag: u16, kind: u16, count: u32, bytes: &[u8]) -> Entry {
        let mut value = [0; 4];
        if bytes.len() <= 4 {
            value[..bytes.len()].copy_from_slice(bytes);
        } else {
            let at = self.append(bytes);
            value = self.bytes_of_u32(at);
        }
        Entry { tag, kind, count, value }
    }

    /// Makes a directory at `at` the first.
    pub fn set_first(&mut self, at: u32) {
        let at = self.bytes_of_u32(at);
        self.put(4, &at);
    }

    fn set_comment(&mut self, text: &str) {
        // The way of A1111 and its followers.
        let bytes: Vec<u8> = b"UNICODE\0".iter().copied().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        let comment = self.entry(COMMENT, 7, bytes.len() as u32, &bytes);
        let mut below: Vec<Entry> = self.below(CAMERA).map(|d| d.entries.into_iter().map(|(_, e)| e).collect()).unwrap_or_default();
        below.retain(|e| e.tag != COMMENT);
        below.push(comment);
        let below = self.append_directory(below);
        let mut first = self.entries();
        first.retain(|e| e.tag != CAMERA);
        first.push(Entry { tag: CAMERA, kind: 4, count: 1, value: self.bytes_of_u32(below) });
        let first = self.append_directory(first);
        self.set_first(first);
    }

    fn comment(&self) -> Option<String> {
        let (_, entry) = self.below(CAMERA)?.entries.into_iter().find(|(_, e)| e.tag == COMMENT)?;
        let bytes = self.value(&entry)?;
        let (code, text) = bytes.split_at_checked(8)?;
        if code != b"UNICODE\0" {
            return String::from_utf8(text.to_vec()).ok().map(|t| t.trim_matches('\0').to_owned());
        }
        let pairs = text.as_chunks::<2>().0;
        // Programs do not agree on the order of bytes: in most writing the high one is often zero.
        let zeros = |at: usize| pairs.iter().filter(|p| p[at] == 0).count();
        let units = pairs.iter().map(|p| if zeros(1) > zeros(0) { u16::from_le_bytes(*p) } else { u16::from_be_bytes(*p) });
        Some(String::from_utf16_lossy(&units.collect::<Vec<_>>()))
    }

    /// Copies a directory of a file into the block, values too, and returns its entries.
    fn copy(&mut self, file: &Block<'_>, directory: &Directory, wanted: impl Fn(u16) -> bool) -> Vec<Entry> {
        let mut out = Vec::new();
        for (_, entry) in directory.entries.iter().filter(|(_, e)| wanted(e.tag)) {
            let Some(value) = file.value(entry).filter(|v| v.len() + self.bytes.len() <= MOST_BYTES) else { continue };
            out.push(self.entry(entry.tag, entry.kind, entry.count, &value));
        }
        out
    }
}

/// Of the picture as it is now: upright, of that size, without the small copy of what it once was. `None` where there is
/// nothing that can be kept.
pub(in super::super) fn upright(exif: &[u8], size: [u32; 2]) -> Option<Vec<u8>> {
    let mut block = Block::new(exif)?;
    block.make_upright(size)?;
    Some(block.bytes.into_owned())
}

/// Adds a comment, to a new block where there is none.
pub(in super::super) fn with_comment(exif: Option<&[u8]>, text: &str) -> Vec<u8> {
    let mut block = exif.and_then(Block::new).unwrap_or_else(Block::empty);
    block.set_comment(text);
    block.bytes.into_owned()
}

/// What a person or a program has written into it.
pub(super) fn comment(exif: &[u8]) -> Option<String> {
    Block::new(exif)?.comment()
}

/// A value of a TIFF file's first directory: its [`XMP`] packet or its [`PROFILE`].
pub(in super::super) fn value_of_tiff(file: &[u8], tag: u16) -> Option<Vec<u8>> {
    let file = whole(file)?;
    let entry = file.entries().into_iter().find(|e| e.tag == tag && e.count as usize <= super::xmp::MOST_BYTES)?;
    file.value(&entry)
}

/// A file of any length. Only what is pointed to is looked at; the pixels are behind or between.
fn whole(file: &[u8]) -> Option<Block<'_>> {
    let is_big = match file.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    Some(Block { bytes: file.into(), is_big })
}

/// What a TIFF file says of camera and place, as a block of its own.
pub(in super::super) fn of_tiff(file: &[u8]) -> Option<Vec<u8>> {
    let file = whole(file)?;
    let is_big = file.is_big;
    let first = file.directory(file.first()?)?;
    let mut block = Block { bytes: start(is_big).into(), is_big };
    let mut entries = block.copy(&file, &first, |tag| DESCRIBES.contains(&tag));
    for tag in [CAMERA, POSITION] {
        if let Some(below) = file.below(tag) {
            let below = block.copy(&file, &below, |tag| tag != 0xa005);
            let at = block.append_directory(below);
            entries.push(Entry { tag, kind: 4, count: 1, value: block.bytes_of_u32(at) });
        }
    }
    if entries.is_empty() {
        return None;
    }
    let at = block.append_directory(entries);
    block.set_first(at);
    Some(block.bytes.into_owned())
}

fn start(is_big: bool) -> &'static [u8] {
    if is_big { b"MM\0*\0\0\0\0" } else { b"II*\0\0\0\0\0" }
}

#[cfg(test)]
pub(in super::super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A block with an orientation, a size, a maker's note and a thumbnail.
    pub(in super::super::super) fn camera(is_big: bool) -> Vec<u8> {
        let mut block = Block { bytes: start(is_big).into(), is_big };
        let maker = block.entry(0x010f, 2, 6, b"Maker\0");
        let note = block.entry(0x927c, 7, 9, b"note-note");
        let across = Entry { tag: PIXELS_ACROSS, kind: 4, count: 1, value: block.bytes_of_u32(4000) };
        let below = block.append_directory(vec![note, across]);
        let mut turned = [0; 4];
        turned[..2].copy_from_slice(&block.bytes_of_u16(6));
        let below = Entry { tag: CAMERA, kind: 4, count: 1, value: block.bytes_of_u32(below) };
        let first = block.append_directory(vec![maker, Entry { tag: ORIENTATION, kind: 3, count: 1, value: turned }, below]);
        block.set_first(first);
        let next_at = block.bytes.len() - 4;
        let second = block.bytes.len() as u32;
        let at = second + 2 + 24 + 4;
        let small = |block: &Block, tag, v| Entry { tag, kind: 4, count: 1, value: block.bytes_of_u32(v) };
        let entries = vec![small(&block, THUMBNAIL, at), small(&block, THUMBNAIL_LENGTH, 5)];
        block.append_directory(entries);
        block.bytes.to_mut().extend(b"SMALL");
        let second = block.bytes_of_u32(second);
        block.put(next_at, &second);
        block.bytes.into_owned()
    }

    #[test]
    fn what_is_kept_stays_at_its_place() {
        for is_big in [false, true] {
            let before = camera(is_big);
            let after = upright(&before, [30, 40]).unwrap();
            assert!(before.ends_with(b"SMALL") && !after.windows(5).any(|w| w == b"SMALL"));
            let place = |bytes: &[u8]| bytes.windows(9).position(|w| w == b"note-note");
            assert_eq!(place(&before), place(&after));
            let block = Block::new(&after).unwrap();
            let entries = block.entries();
            assert_eq!(block.as_number(entries.iter().find(|e| e.tag == ORIENTATION).unwrap()), Some(1));
            let below = block.below(CAMERA).unwrap();
            assert_eq!(block.as_number(&below.entries.iter().find(|(_, e)| e.tag == PIXELS_ACROSS).unwrap().1), Some(30));
            let said = with_comment(Some(&after), "ein Fuchs 🦊");
            assert_eq!(comment(&said).unwrap(), "ein Fuchs 🦊");
            assert_eq!((place(&said), comment(&after)), (place(&after), None));
            assert_eq!(comment(&with_comment(None, "x")).unwrap(), "x");
            // A TIFF file begins in the same way.
            let copied = of_tiff(&said).unwrap();
            let copied = Block::new(&copied).unwrap();
            assert_eq!(copied.comment().unwrap(), "ein Fuchs 🦊");
            assert_eq!(copied.value(copied.entries().iter().find(|e| e.tag == 0x010f).unwrap()).unwrap(), b"Maker\0");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(mut bytes in prop::collection::vec(any::<u8>(), 0..300), is_big: bool, at in 0usize..40) {
            let head = if is_big { b"MM\0*\0\0\0" } else { b"II*\0\x08\0\0" };
            if bytes.len() > 8 && at < 20 {
                bytes[..7].copy_from_slice(head);
            }
            for bytes in [bytes, camera(is_big).into_iter().enumerate().map(|(i, b)| if i == at { b ^ 0x55 } else { b }).collect()] {
                let after = upright(&bytes, [3, 4]);
                let _ = (of_tiff(&bytes), comment(&bytes), with_comment(after.as_deref(), "x"));
            }
        }
    }
}
