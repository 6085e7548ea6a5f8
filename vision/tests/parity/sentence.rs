use nerve_core::graph::read;
use nerve_vision::text::SentenceEncoder;

use crate::common::{Cases, path};

#[test]
fn vectors_of_sentences() {
    let folder = path("sentence");
    assert!(SentenceEncoder::are(&folder) && !SentenceEncoder::are(&path("clip_hf")));
    let encoder = SentenceEncoder::open(&folder).expect("an encoder");
    let texts = std::fs::read_to_string(path("sentence.json")).expect("texts");
    let texts: Vec<String> = serde_json::from_str(&texts).expect("JSON");
    let wanted = Cases::open("sentence_cases.safetensors").tensor("vectors");
    let wanted = read(&wanted).expect("values").to_vec();
    assert_eq!(wanted.len(), texts.len() * encoder.channels());
    for (text, wanted) in texts.iter().zip(wanted.chunks_exact(encoder.channels())) {
        let found = encoder.encode(text).expect("a vector");
        let furthest = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(furthest < 1e-5, "{text}: {furthest}");
    }
}
