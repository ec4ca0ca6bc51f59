//! What is billed of what was said, and that every way to say it comes to the same classes.

use keisan_route::TokenClass;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::text::parse_timings;
use super::*;

#[test]
fn the_final_word_beats_the_running_one() {
    let mut usage = Usage::default();
    assert_eq!(usage.conclude(), (Quantities::default(), UsageSource::None));
    usage.count_content(400);
    assert_eq!(usage.conclude().1, UsageSource::Estimated);
    usage.set_running(EngineUsage { prompt_tokens: 5, completion_tokens: 2, ..EngineUsage::default() });
    assert_eq!(usage.conclude().1, UsageSource::EngineRunning);
    usage.set_final(EngineUsage { prompt_tokens: 5, completion_tokens: 3, ..EngineUsage::default() });
    let (quantities, source) = usage.conclude();
    assert_eq!((quantities.output, source), (Some(3), UsageSource::Engine));
}

#[test]
fn an_estimate_is_below_both_bytes_and_events() {
    let mut usage = Usage::default();
    usage.count_content(3);
    assert_eq!(usage.conclude().1, UsageSource::None);
    usage.count_content(100);
    usage.count_content(0);
    assert_eq!(usage.conclude().0.output, Some(2));
}

/// Tokens in the order of `TokenClass::ALL`.
type Classes = [u64; TokenClass::ALL.len()];

fn count(usage: EngineUsage) -> Classes {
    let quantities = usage.normalize();
    TokenClass::ALL.map(|class| quantities.get(class))
}

fn read(json: &str) -> Option<Classes> {
    parse_usage(json.as_bytes()).map(count)
}

/// Whose words they are, the words, and what they come to.
const GOLDEN: [(&str, &str, Classes); 11] = [
    (
        "vLLM",
        r#"{"prompt_tokens":37,"total_tokens":45,"completion_tokens":8,"prompt_tokens_details":null}"#,
        [37, 0, 0, 8, 0],
    ),
    (
        "OpenAI's guide to prompt caching",
        r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920},"completion_tokens_details":{"reasoning_tokens":0}}"#,
        [86, 1920, 0, 300, 0],
    ),
    (
        "the same guide, of models that bill what is written to the cache",
        r#"{"prompt_tokens":2600,"completion_tokens":300,"total_tokens":2900,"prompt_tokens_details":{"cached_tokens":2000,"cache_write_tokens":400}}"#,
        [200, 2000, 400, 300, 0],
    ),
    (
        "OpenAI's Responses",
        r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":3},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}"#,
        [7, 3, 0, 2, 2],
    ),
    (
        "Anthropic's Messages",
        r#"{"input_tokens":2,"cache_creation_input_tokens":52614,"cache_read_input_tokens":3309,"cache_creation":{"ephemeral_1h_input_tokens":52614,"ephemeral_5m_input_tokens":0},"output_tokens":50,"output_tokens_details":{"thinking_tokens":42},"server_tool_use":{"web_search_requests":0},"service_tier":"standard"}"#,
        [2, 3309, 52614, 8, 42],
    ),
    (
        "DeepSeek",
        r#"{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,"prompt_cache_hit_tokens":12,"prompt_cache_miss_tokens":8,"completion_tokens_details":{"reasoning_tokens":5}}"#,
        [8, 12, 0, 2, 5],
    ),
    (
        "LiteLLM before Anthropic (transformation.py adds the cache to the prompt)",
        r#"{"prompt_tokens":4950,"completion_tokens":96,"total_tokens":5046,"prompt_tokens_details":{"cached_tokens":3309},"cache_creation_input_tokens":1470,"cache_read_input_tokens":3309}"#,
        [171, 3309, 1470, 96, 0],
    ),
    (
        "Portkey before Anthropic (chatComplete.ts adds the cache to the total alone)",
        r#"{"completion_tokens":96,"prompt_tokens":171,"cache_read_input_tokens":3309,"cache_creation_input_tokens":1470,"total_tokens":5046}"#,
        [171, 3309, 1470, 96, 0],
    ),
    (
        "new-api, which leaves zeros under the names that it did not use",
        r#"{"prompt_tokens":9,"completion_tokens":1093,"total_tokens":1102,"prompt_tokens_details":{"cached_tokens":0,"text_tokens":0},"completion_tokens_details":{"reasoning_tokens":0},"input_tokens":0,"output_tokens":0,"input_tokens_details":null,"claude_cache_creation_5_m_tokens":0}"#,
        [9, 0, 0, 1093, 0],
    ),
    (
        "xAI (vercel/ai pull request 12425)",
        r#"{"prompt_tokens":12,"completion_tokens":1,"total_tokens":399,"completion_tokens_details":{"reasoning_tokens":386}}"#,
        [12, 0, 0, 1, 386],
    ),
    (
        "a gateway that says Responses' counts under Anthropic's names, as its total tells",
        r#"{"input_tokens":1200,"output_tokens":40,"cache_read_input_tokens":1000,"cache_creation_input_tokens":50,"total_tokens":1240}"#,
        [150, 1000, 50, 40, 0],
    ),
];

#[test]
fn every_shape_comes_to_the_same_classes() {
    for (source, json, classes) in GOLDEN {
        assert_eq!(read(json), Some(classes), "{source}");
    }
}

#[test]
fn usage_and_timings_of_llama_cpp() {
    let usage = parse_usage(
        br#"{"completion_tokens":3,"prompt_tokens":37,"total_tokens":40,"prompt_tokens_details":{"cached_tokens":36}}"#,
    );
    let timings = parse_timings(br#"{"cache_n":36,"prompt_n":1,"prompt_ms":9.1,"predicted_n":3,"predicted_ms":7.0}"#);
    assert_eq!(usage, timings);
    assert_eq!(usage.map(|usage| usage.cached_tokens), Some(36));
    let most = u64::MAX;
    assert_eq!(parse_timings(format!(r#"{{"cache_n":{most},"prompt_n":1,"predicted_n":3}}"#).as_bytes()), None);
    for json in [r#"{"prompt_n":1}"#, r#"{"predicted_n":1}"#, r#"{"prompt_n":1,"prompt_n":1,"predicted_n":1}"#] {
        assert_eq!(parse_timings(json.as_bytes()), None, "{json}");
    }
}

#[test]
fn what_is_no_count_tells_nothing() {
    let most = u64::MAX;
    for json in [
        "{}",
        "null",
        "[]",
        r#"{"prompt_tokens":"#,
        r#"{"prompt_tokens":-1}"#,
        r#"{"prompt_tokens":1.5}"#,
        r#"{"prompt_tokens":"1"}"#,
        r#"{"prompt_tokens":18446744073709551616}"#,
        r#"{"prompt_tokens":1}{"#,
        r#"{"prompt_tokens":1,"prompt_tokens":1}"#,
        r#"{"prompt_tokens":1,"prompt_tokens_details":7}"#,
        r#"{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":[]}}"#,
        r#"{"prompt_tokens":null,"total_tokens":9}"#,
        r#"{"total_tokens":9,"cache_read_input_tokens":3,"prompt_cache_hit_tokens":3}"#,
        &format!(r#"{{"input_tokens":1,"cache_read_input_tokens":{most}}}"#),
        &format!(r#"{{"prompt_tokens":1,"completion_tokens":{most},"total_tokens":{most}}}"#),
    ] {
        assert_eq!(read(json), None, "{json}");
    }
}

/// Numbers that contradict each other never come to more than a whole that was told.
#[test]
fn a_contradiction_is_the_smaller_bill() {
    for (json, classes) in [
        // More from the cache than there was.
        (r#"{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":9},"completion_tokens":2}"#, [0, 5, 0, 2, 0]),
        (r#"{"prompt_tokens":5,"cache_creation_input_tokens":9,"completion_tokens":2}"#, [0, 0, 5, 2, 0]),
        (r#"{"prompt_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":4}"#, [0, 4, 1, 0, 0]),
        (r#"{"prompt_tokens":5,"prompt_cache_hit_tokens":9,"prompt_cache_miss_tokens":9}"#, [0, 5, 0, 0, 0]),
        // More reasoning than output.
        (
            r#"{"prompt_tokens":5,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":3}}"#,
            [5, 0, 0, 0, 2],
        ),
        // A total that fits nothing else that was told.
        (
            r#"{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":9},"completion_tokens":2,"total_tokens":99}"#,
            [0, 5, 0, 2, 0],
        ),
        (r#"{"prompt_tokens":5,"cache_read_input_tokens":3,"completion_tokens":2,"total_tokens":1}"#, [2, 3, 0, 2, 0]),
        // Both ways to name the same, and not the same.
        (r#"{"prompt_tokens":5,"completion_tokens":2,"input_tokens":50,"output_tokens":20}"#, [5, 0, 0, 2, 0]),
        // Beside the input for Anthropic, and inside it for Responses.
        (
            r#"{"input_tokens":5,"input_tokens_details":{"cached_tokens":3},"cache_read_input_tokens":3,"output_tokens":2}"#,
            [2, 3, 0, 2, 0],
        ),
    ] {
        assert_eq!(read(json), Some(classes), "{json}");
    }
}

#[test]
fn a_prompt_may_be_told_by_its_hits_and_misses_alone() {
    let json = r#"{"prompt_cache_hit_tokens":6500,"prompt_cache_miss_tokens":100,"completion_tokens":50}"#;
    assert_eq!(read(json), Some([100, 6500, 0, 50, 0]));
}

/// Every way to write the same five counts.
fn write_shapes([input, cached, write, output, reasoning]: Classes) -> Vec<Value> {
    let (prompt, completion) = (input + cached + write, output + reasoning);
    let total = prompt + completion;
    let input_details = json!({"cached_tokens": cached, "cache_write_tokens": write});
    let output_details = json!({"reasoning_tokens": reasoning});
    let beside = json!({"cache_read_input_tokens": cached, "cache_creation_input_tokens": write});
    let with = |more: &Value, base: Value| {
        let mut whole = base;
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole
    };
    vec![
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": input_details,
            "completion_tokens_details": output_details}),
        json!({"input_tokens": prompt, "output_tokens": completion, "input_tokens_details": input_details,
            "output_tokens_details": output_details, "total_tokens": total}),
        with(
            &beside,
            json!({"input_tokens": input, "output_tokens": completion, "output_tokens_details": {"thinking_tokens": reasoning}}),
        ),
        with(
            &beside,
            json!({"prompt_tokens": prompt, "completion_tokens": completion, "completion_tokens_details": output_details}),
        ),
        with(
            &beside,
            json!({"prompt_tokens": input, "completion_tokens": completion, "total_tokens": total,
            "completion_tokens_details": output_details}),
        ),
        json!({"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": total,
            "prompt_tokens_details": input_details, "completion_tokens_details": output_details}),
        with(
            &json!({"cache_creation_input_tokens": write}),
            json!({"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": total, "prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": prompt - cached,
            "completion_tokens_details": output_details}),
        ),
    ]
}

proptest! {
    #[test]
    fn classes_are_disjoint_in_every_shape(classes in prop::array::uniform5(0u64..1 << 40)) {
        for shape in write_shapes(classes) {
            prop_assert_eq!(read(&shape.to_string()), Some(classes), "{}", shape);
        }
    }

    /// Small numbers coincide often, and then two readings may fit; the sum is that of the total all the same.
    #[test]
    fn classes_sum_to_the_total(classes in prop::array::uniform5(0u64..4)) {
        for shape in write_shapes(classes) {
            let read = read(&shape.to_string()).unwrap();
            prop_assert_eq!(read.iter().sum::<u64>(), classes.iter().sum::<u64>(), "{}", shape);
        }
    }
}
