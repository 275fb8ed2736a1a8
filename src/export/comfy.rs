//! Prompts from the graphs that `ComfyUI` leaves in its pictures: from the sampler along the wires to the text.

use super::Words;
use serde_json::{Map, Value};

/// The longest graph that is looked at, in bytes, and how far a wire is followed.
const MOST_BYTES: usize = 8 << 20;
const LONGEST_WAY: usize = 64;

/// Of the graph as it was run (`prompt`): nodes by their names, inputs as values or as `[node, output]`.
pub(super) fn of_prompt(text: &str) -> Option<Words> {
    let Value::Object(nodes) = parsed(text)? else { return None };
    // The sampler that is nearest to the end tells what the picture is; a node with both inputs is one.
    let sampler = nodes
        .values()
        .rfind(|node| input(node, "positive").is_some() && input(node, "seed").or_else(|| input(node, "noise_seed")).is_some());
    let number = |name: &str| sampler.and_then(|s| input(s, name));
    let text = |name: &str| sampler.and_then(|s| words_behind(&nodes, input(s, name)?));
    let prompt = text("positive").or_else(|| nodes.values().find_map(|node| is_text(node).then(|| words_of(&nodes, node, 0)).flatten()))?;
    Some(Words {
        prompt,
        negative: text("negative").filter(|n| !n.is_empty()),
        seed: number("seed").or_else(|| number("noise_seed")).and_then(Value::as_u64),
        steps: number("steps").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()),
        guidance: number("cfg").and_then(Value::as_f64).map(|v| v as f32),
        model: nodes
            .values()
            .find_map(|n| input(n, "ckpt_name").or_else(|| input(n, "unet_name")))
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

/// Of the graph as it was drawn (`workflow`), where nothing else is there: nodes in a list, wires by number.
pub(super) fn of_workflow(text: &str) -> Option<Words> {
    let graph = parsed(text)?;
    let nodes = graph.get("nodes")?.as_array()?;
    let links = graph.get("links").and_then(Value::as_array);
    let named = |id: &Value| nodes.iter().find(|n| n.get("id") == Some(id));
    let origin = |link: &Value| {
        let found = links?.iter().find(|l| l.get(0) == Some(link) || l.get("id") == Some(link))?;
        named(found.get(1).or_else(|| found.get("origin_id"))?)
    };
    let own = |node: &Value| node.get("widgets_values")?.as_array()?.iter().find_map(Value::as_str).map(str::to_owned);
    let is_text = |node: &Value| node.get("type").and_then(Value::as_str).is_some_and(|t| t.contains("TextEncode"));
    let behind = |name: &str| {
        let wire = |node: &Value| {
            let inputs = node.get("inputs")?.as_array()?;
            inputs.iter().find(|i| i.get("name").and_then(Value::as_str) == Some(name))?.get("link").filter(|l| !l.is_null()).cloned()
        };
        origin(&nodes.iter().find_map(wire)?).filter(|node| is_text(node)).and_then(own)
    };
    let prompt = behind("positive").or_else(|| nodes.iter().find(|n| is_text(n)).and_then(own))?;
    Some(Words { prompt, negative: behind("negative").filter(|n| !n.is_empty()), ..Words::default() })
}

fn parsed(text: &str) -> Option<Value> {
    // Some versions write NaN, which is no JSON.
    let text = if text.len() > MOST_BYTES { return None } else { text.replace("NaN", "null") };
    serde_json::from_str(&text).ok()
}

fn input<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    node.get("inputs")?.get(name)
}

fn is_text(node: &Value) -> bool {
    node.get("class_type").and_then(Value::as_str).is_some_and(|t| t.contains("TextEncode"))
}

/// The text at the other end of a wire.
fn words_behind(nodes: &Map<String, Value>, wire: &Value) -> Option<String> {
    words_of(nodes, nodes.get(wire.get(0)?.as_str()?)?, 0)
}

/// The text of a node, or of what it is made from.
fn words_of(nodes: &Map<String, Value>, node: &Value, way: usize) -> Option<String> {
    if way > LONGEST_WAY {
        return None;
    }
    const TEXTS: [&str; 6] = ["text", "text_g", "clip_l", "t5xxl", "prompt", "value"];
    const WIRES: [&str; 6] = ["conditioning", "conditioning_1", "positive", "text", "string", "prompt"];
    let own = TEXTS.iter().find_map(|name| input(node, name)?.as_str());
    own.map(str::to_owned).or_else(|| {
        let wire = WIRES.iter().find_map(|name| input(node, name).filter(|v| v.is_array()))?;
        words_of(nodes, nodes.get(wire.get(0)?.as_str()?)?, way + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{
        "3": {"class_type": "KSampler", "inputs": {"seed": 156680208700286, "steps": 20, "cfg": 8.0, "model": ["4", 0],
            "positive": ["10", 0], "negative": ["7", 0], "denoise": NaN}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.safetensors"}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["11", 0], "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "text, watermark", "clip": ["4", 1]}},
        "10": {"class_type": "ConditioningSetArea", "inputs": {"conditioning": ["6", 0]}},
        "11": {"class_type": "PrimitiveString", "inputs": {"value": "a glass bottle, \"galaxy\""}}
    }"#;

    #[test]
    fn the_wires_lead_to_the_text() {
        let words = of_prompt(RUN).unwrap();
        assert_eq!((words.prompt.as_str(), words.negative.as_deref()), ("a glass bottle, \"galaxy\"", Some("text, watermark")));
        assert_eq!((words.seed, words.steps, words.guidance), (Some(156_680_208_700_286), Some(20), Some(8.0)));
        let drawn = r#"{"nodes": [
            {"id": 3, "type": "KSampler", "inputs": [{"name": "positive", "link": 4}, {"name": "negative", "link": 6}], "widgets_values": [1]},
            {"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a bottle"]}, {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["bad"]}],
            "links": [[4, 6, 0, 3, 1, "CONDITIONING"], [6, 7, 0, 3, 2, "CONDITIONING"]]}"#;
        let words = of_workflow(drawn).unwrap();
        assert_eq!((words.prompt.as_str(), words.negative.as_deref()), ("a bottle", Some("bad")));
    }

    #[test]
    fn graphs_that_go_round_or_mean_nothing_are_left_out() {
        let round = r#"{"1": {"class_type": "KSampler", "inputs": {"seed": 1, "positive": ["2", 0]}},
            "2": {"class_type": "X", "inputs": {"conditioning": ["2", 0]}}}"#;
        for text in [round, "{}", "[]", "7", "null", "{\"nodes\": 3}", "{\"a\": {\"inputs\": []}}", &"[".repeat(100_000)] {
            assert_eq!((of_prompt(text), of_workflow(text)), (None, None));
        }
    }
}
