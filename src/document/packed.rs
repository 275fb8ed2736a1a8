//! The selection of an edit on its way into a file and out of one.

use super::ChainError;
use crate::imaging::Mask;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;

/// A selection as the document has it, or packed as files do. Packing takes a while, so it is left to whoever writes it down:
/// the window puts chains together, lanes write them.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub enum LinkMask {
    Plain(Mask),
    /// In base 64.
    Packed(String),
}

impl LinkMask {
    /// `None` where the encoder refuses.
    fn packed(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Plain(mask) => mask.pack().ok().map(|bytes| STANDARD.encode(bytes).into()),
            Self::Packed(text) => Some(text.into()),
        }
    }

    /// The selection of a picture of `size`.
    ///
    /// # Errors      it is of another size, or cannot be read
    pub(super) fn mask(&self, size: [u32; 2]) -> Result<Cow<'_, Mask>, ChainError> {
        let senseless = |why: &str| ChainError::Senseless(why.to_owned());
        let other_size = || senseless("the selection is of another size than its picture");
        let text = match self {
            Self::Plain(mask) if mask.size() == size => return Ok(Cow::Borrowed(mask)),
            Self::Plain(_) => return Err(other_size()),
            Self::Packed(text) => text,
        };
        let bytes = STANDARD.decode(text).map_err(|_| senseless("the selection cannot be read"))?;
        // The size is looked at before room is made for it.
        let head: Vec<u8> = size.iter().flat_map(|side| side.to_le_bytes()).collect();
        if !bytes.starts_with(&head) {
            return Err(other_size());
        }
        Mask::unpack(&bytes).map(Cow::Owned).map_err(|_| senseless("the selection cannot be read"))
    }
}

impl From<String> for LinkMask {
    fn from(text: String) -> Self {
        Self::Packed(text)
    }
}

impl Serialize for LinkMask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.packed().serialize(serializer)
    }
}

impl PartialEq for LinkMask {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(a), Self::Plain(b)) => a == b,
            _ => self.packed() == other.packed(),
        }
    }
}
