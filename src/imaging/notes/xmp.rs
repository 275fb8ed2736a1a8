//! XMP packets: how a picture came to be, in the words of the IPTC, and our recipe.

use std::fmt::Write as _;

/// The longest packet that is looked at, in bytes.
pub(super) const MOST_BYTES: usize = 16 << 20;
const CODES: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/";
/// The name of our own entries. Nothing is served there.
const OWN: &str = "urn:pentimento:recipe:";

/// How a picture came to be, in the words of the IPTC (`DigitalSourceType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceType {
    /// A model made all of it.
    TrainedAlgorithmicMedia,
    /// A model changed a part of it.
    CompositeWithTrainedAlgorithmicMedia,
}

impl SourceType {
    /// The code of the IPTC.
    pub fn code(self) -> &'static str {
        match self {
            Self::TrainedAlgorithmicMedia => "trainedAlgorithmicMedia",
            Self::CompositeWithTrainedAlgorithmicMedia => "compositeWithTrainedAlgorithmicMedia",
        }
    }
}

/// A packet. `None` where there is nothing to say.
pub(super) fn packet(source: Option<SourceType>, recipe: Option<&str>) -> Option<String> {
    if source.is_none() && recipe.is_none() {
        return None;
    }
    let mut out = String::from(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n \
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n  <rdf:Description rdf:about=\"\"\n    \
         xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"\n    \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"\n",
    );
    let _ =
        write!(out, "    xmlns:pentimento=\"{OWN}\">\n   <xmp:CreatorTool>Pentimento {}</xmp:CreatorTool>\n", env!("CARGO_PKG_VERSION"));
    if let Some(source) = source {
        let _ = writeln!(out, "   <Iptc4xmpExt:DigitalSourceType>{CODES}{}</Iptc4xmpExt:DigitalSourceType>", source.code());
    }
    if let Some(recipe) = recipe {
        let _ = writeln!(out, "   <pentimento:Recipe>{}</pentimento:Recipe>", escaped(recipe));
    }
    out.push_str("  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"w\"?>");
    Some(out)
}

/// Text for XML, with nothing that XML forbids.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn plain(text: &str) -> String {
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#34;", "\""), ("&#39;", "'"), ("&#xA;", "\n")];
    // Last: what it stands before is text.
    marks.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)).replace("&amp;", "&")
}

/// What a packet says of how the picture came to be, whoever wrote it.
pub(super) fn source_type(xmp: &str) -> Option<SourceType> {
    let types = [SourceType::TrainedAlgorithmicMedia, SourceType::CompositeWithTrainedAlgorithmicMedia];
    // In what follows the name: an element's text, an attribute or a resource.
    xmp.match_indices("DigitalSourceType").find_map(|(at, _)| {
        let rest: String = xmp[at..].chars().take(300).collect();
        let code = rest.split_once("digitalsourcetype/")?.1.split(|c: char| !c.is_alphanumeric()).next()?;
        types.into_iter().find(|t| t.code() == code)
    })
}

/// Our recipe.
pub(super) fn recipe(xmp: &str) -> Option<String> {
    let (_, rest) = xmp.split_once("<pentimento:Recipe>")?;
    Some(plain(rest.split_once("</pentimento:Recipe>")?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_again() {
        let recipe_text = r#"{"prompt": "a <fox> & \"snow\" &lt;"}"#;
        for source in [None, Some(SourceType::TrainedAlgorithmicMedia), Some(SourceType::CompositeWithTrainedAlgorithmicMedia)] {
            let packet = packet(source, Some(recipe_text)).unwrap();
            assert_eq!((source_type(&packet), recipe(&packet).as_deref()), (source, Some(recipe_text)));
        }
        assert_eq!(packet(None, None), None);
        // As others write it.
        let others =
            "<rdf:Description Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia\"";
        assert_eq!(source_type(others), Some(SourceType::TrainedAlgorithmicMedia));
        let camera = "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture<";
        assert_eq!((source_type(camera), source_type("DigitalSourceType"), recipe("<pentimento:Recipe>x")), (None, None, None));
    }
}
