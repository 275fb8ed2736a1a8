//! The prompt exactly as the model was trained on it.

use super::load::{Checkpoint, Configs};
use super::{Error, Result};
use tokenizers::Tokenizer;

/// The tokenizer with what a prompt needs of the configuration.
pub struct PromptWriter {
    tokenizer: Tokenizer,
    reserved: Vec<String>,
    image_tokens: usize,
    max_prompt: usize,
    vocab: usize,
    start_tag: u32,
    scale: u32,
}

/// A prompt in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// As tokenized, with the place holders of a reference picture.
    pub text_ids: Vec<u32>,
    /// Where the place holders of a reference picture stand.
    pub pads: Vec<usize>,
}

impl PromptWriter {
    /// # Errors      the checkpoint's tokenizer cannot be read
    pub fn new(checkpoint: &Checkpoint) -> Result<Self> {
        let Configs { ids, image_tokens, max_prompt, lm, .. } = &checkpoint.configs;
        let tokenizer = Tokenizer::from_bytes(checkpoint.tokenizer()).map_err(|e| Error::Tokenizer(e.to_string()))?;
        // The image tokens themselves are thousands; they are told by their form.
        let image_token =
            |t: &str| t.strip_prefix("<I").and_then(|t| t.strip_suffix('>')).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let mut reserved: Vec<String> = tokenizer.get_added_vocabulary().get_vocab().keys().filter(|t| !image_token(t)).cloned().collect();
        reserved.push("<image>".to_owned());
        Ok(Self {
            tokenizer,
            reserved,
            image_tokens: *image_tokens,
            max_prompt: *max_prompt,
            vocab: lm.vocab_size,
            start_tag: ids.image_start_tag_id,
            scale: ids.scale_start_token_id,
        })
    }

    /// A caption, or with `edit` an instruction, in tokens.
    ///
    /// # Errors      the text holds one of the model's own marks, is too long, or the tokenizer and the configuration disagree
    /// # Source      BLIP3o-NEXT `inference.py`, `inference_editing.py`, Qwen3's chat template
    pub fn write(&self, text: &str, edit: bool) -> Result<Prompt> {
        self.refuse_marks(text)?;
        let user = if edit {
            let pads = "<|image_pad|>".repeat(self.image_tokens);
            format!("Please edit this image according to the following instruction: {text}.\n<|vision_start|>{pads}<|vision_end|>")
        } else {
            format!("Please generate image based on the following caption: {text}")
        };
        let full = format!(
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n<im_start><S0>"
        );
        let encoding = self.tokenizer.encode(full, true).map_err(|e| Error::Tokenizer(e.to_string()))?;
        let text_ids = encoding.get_ids().to_vec();
        if text_ids.len() > self.max_prompt {
            return Err(Error::PromptTooLong { tokens: text_ids.len(), most: self.max_prompt });
        }
        if !text_ids.ends_with(&[self.start_tag, self.scale]) || text_ids.iter().any(|id| *id as usize >= self.vocab) {
            return Err(Error::Tokenizer("its ids are not those of config.json".to_owned()));
        }
        let pad = self.tokenizer.token_to_id("<|image_pad|>");
        let pads: Vec<usize> = if edit { (0..text_ids.len()).filter(|i| Some(text_ids[*i]) == pad).collect() } else { Vec::new() };
        if edit && pads.len() != self.image_tokens {
            return Err(Error::Tokenizer(format!("it made {} places for a picture of {} tokens", pads.len(), self.image_tokens)));
        }
        Ok(Prompt { text_ids, pads })
    }

    /// Text that the tokenizer would take for a mark of its own would change what the model sees.
    fn refuse_marks(&self, text: &str) -> Result<()> {
        let found = self.reserved.iter().find(|mark| text.contains(mark.as_str())).cloned();
        let image_token = || {
            let at = text.match_indices("<I").find(|(i, _)| {
                let digits = text[i + 2..].bytes().take_while(u8::is_ascii_digit).count();
                digits > 0 && text[i + 2 + digits..].starts_with('>')
            });
            at.map(|(i, _)| text[i..].split_inclusive('>').next().unwrap_or_default().to_owned())
        };
        match found.or_else(image_token) {
            Some(mark) => Err(Error::PromptReserved { mark }),
            None => Ok(()),
        }
    }
}

impl Prompt {
    /// The ids with the reference picture's tokens in their places.
    ///
    /// # Errors      another number of tokens than places
    pub fn with_reference(&self, tokens: &[u32]) -> Result<Vec<u32>> {
        if tokens.len() != self.pads.len() {
            return Err(Error::Tokenizer(format!("{} tokens for {} places", tokens.len(), self.pads.len())));
        }
        let mut ids = self.text_ids.clone();
        for (at, token) in self.pads.iter().zip(tokens) {
            ids[*at] = *token;
        }
        Ok(ids)
    }
}
