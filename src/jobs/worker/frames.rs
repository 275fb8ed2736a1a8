//! Frames on a pipe: a head in JSON and raw bytes behind it, each with its length before it.
//!
//! ```text
//! "PEN1"  u32 bytes of the head  u32 number of blobs  head  (u64 bytes of a blob  blob)*      all little endian
//! ```
//!
//! The other end may be broken: lengths are bounded, and memory is taken as bytes arrive, not as they are announced.

use std::io::{self, ErrorKind, Read, Write};

const MARK: [u8; 4] = *b"PEN1";
/// Bytes of a head: a prompt is the longest that stands in one.
pub const MOST_HEAD: u64 = 8 << 20;
/// A thousand steps of a painting, and the pictures around them.
pub const MOST_BLOBS: u32 = 2048;
/// Bytes of all blobs of one frame: two pictures of the largest size in 16 bits, and some more.
pub const MOST_BYTES: u64 = 4 << 30;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub head: Vec<u8>,
    pub blobs: Vec<Vec<u8>>,
}

impl Frame {
    /// Writes all of it.
    ///
    /// # Errors      it is larger than a frame may be, or the pipe is gone
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let bytes: u64 = self.blobs.iter().map(|b| b.len() as u64).sum();
        if self.head.len() as u64 > MOST_HEAD || self.blobs.len() as u64 > u64::from(MOST_BLOBS) || bytes > MOST_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a message is larger than messages may be"));
        }
        // What is short goes in one piece.
        let mut start = Vec::with_capacity(12 + self.head.len());
        start.extend_from_slice(&MARK);
        start.extend_from_slice(&(self.head.len() as u32).to_le_bytes());
        start.extend_from_slice(&(self.blobs.len() as u32).to_le_bytes());
        start.extend_from_slice(&self.head);
        to.write_all(&start)?;
        for blob in &self.blobs {
            to.write_all(&(blob.len() as u64).to_le_bytes())?;
            to.write_all(blob)?;
        }
        to.flush()
    }

    /// Reads the next one; `None` where the other end has closed the pipe between two frames.
    ///
    /// # Errors      what comes is no frame, is larger than a frame may be, or ends in the middle
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut start = [0u8; 12];
        let mut read = 0;
        while read < start.len() {
            match from.read(&mut start[read..]) {
                Ok(0) if read == 0 => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => read += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| start[at + i]));
        let (head, count) = (u64::from(number(4)), number(8));
        if start[..4] != MARK || head > MOST_HEAD || count > MOST_BLOBS {
            return Err(io::Error::new(ErrorKind::InvalidData, "what comes is no message"));
        }
        let head = exactly(from, head)?;
        let (mut blobs, mut left) = (Vec::with_capacity(count as usize), MOST_BYTES);
        for _ in 0..count {
            let mut length = [0u8; 8];
            from.read_exact(&mut length)?;
            let length = u64::from_le_bytes(length);
            left = left.checked_sub(length).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a message is too large"))?;
            blobs.push(exactly(from, length)?);
        }
        Ok(Some(Self { head, blobs }))
    }
}

/// So many bytes, in a buffer that grows as they arrive.
fn exactly(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(1 << 20) as usize);
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(frame: &Frame) -> Vec<u8> {
        let mut out = Vec::new();
        frame.write(&mut out).unwrap();
        out
    }

    #[test]
    fn frames_come_back_one_after_the_other() {
        let frames = [
            Frame::default(),
            Frame { head: b"{}".to_vec(), blobs: vec![vec![], vec![1, 2, 3], vec![7; 3 << 20]] },
            Frame { head: vec![b' '; 70_000], blobs: vec![vec![9]] },
        ];
        let all: Vec<u8> = frames.iter().flat_map(bytes).collect();
        let mut from = &all[..];
        for frame in &frames {
            assert_eq!(Frame::read(&mut from).unwrap().as_ref(), Some(frame));
        }
        assert_eq!(Frame::read(&mut from).unwrap(), None);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let whole = bytes(&Frame { head: b"{\"a\":1}".to_vec(), blobs: vec![vec![1; 40], vec![2; 3]] });
        for end in 1..whole.len() {
            assert!(Frame::read(&mut &whole[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn what_is_announced_takes_no_memory() {
        let huge = |head: u32, count: u32, blob: u64| {
            let words = [MARK.to_vec(), head.to_le_bytes().to_vec(), count.to_le_bytes().to_vec(), blob.to_le_bytes().to_vec()];
            words.concat()
        };
        for broken in [
            huge(u32::MAX, 0, 0),
            huge(MOST_HEAD as u32, 0, 0),
            huge(0, u32::MAX, 0),
            huge(0, 1, u64::MAX),
            huge(0, 1, MOST_BYTES + 1),
            huge(0, 1, MOST_BYTES),
            b"running 0 tests\n".to_vec(),
            vec![0; 64],
        ] {
            // An endless stream of the same would be read up to the bound; here it ends, and nothing was reserved for it.
            assert!(Frame::read(&mut &broken[..]).is_err(), "{broken:?}");
        }
        let large = Frame { head: vec![0; MOST_HEAD as usize + 1], blobs: vec![] };
        assert!(large.write(&mut Vec::new()).is_err());
    }
}
