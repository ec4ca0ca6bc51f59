//! The request parser: any bytes get an answer, and an engine gets what was asked and checked, and nothing else.

use keisan_route::parameter::find_parameter;
use keisan_route::{CallRequest, Surface, read_request};
use serde_json::{Map, Value};

/// Above what any refusal says of a request, however long the request is.
const REFUSAL_BYTES_MAX: usize = 1_024;
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];
/// What the relay adds for a stream.
const ADDITIONS: &str = r#""stream_options":{"include_usage":true}"#;

pub fn check_request(input: &[u8]) {
    for surface in [Surface::Chat, Surface::Completions] {
        match read_request(surface, input) {
            Ok(request) => check_composed(&request, input),
            Err(refusal) => {
                assert_eq!(refusal.code.status(), 400, "{refusal:?}");
                let said = refusal.message.len() + refusal.param.map_or(0, |param| param.len());
                assert!(said <= REFUSAL_BYTES_MAX, "a refusal of {said} bytes");
            }
        }
    }
}

fn check_composed(request: &CallRequest<'_>, input: &[u8]) {
    let max_tokens = request.max_tokens.unwrap_or(7);
    let composed = request.compose(max_tokens, "");
    let sent: Map<String, Value> = match serde_json::from_slice(&composed) {
        Ok(sent) => sent,
        // JSON all the same.
        Err(fault) if fault.to_string().starts_with("number out of range") => return,
        Err(fault) => panic!("{fault}: {}", composed.escape_ascii()),
    };
    for name in sent.keys().filter(|name| *name != "max_tokens") {
        assert!(find_parameter(request.surface, name).is_some_and(|known| known.is_forwarded), "{name} is sent");
    }
    check_rules(request, &sent);
    // What `serde_json` cannot hold may stand in parameters that are not sent.
    if let Ok(asked) = serde_json::from_slice(input) {
        check_meaning(request, &asked, &sent);
    }
    check_again(request, &composed, &request.compose(max_tokens, ADDITIONS));
}

/// R7, read from what is sent.
fn check_rules(request: &CallRequest<'_>, sent: &Map<String, Value>) {
    assert_eq!(sent["model"], request.model.as_str());
    assert!(sent["max_tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    if request.surface == Surface::Completions {
        assert!(sent["prompt"].is_string());
        return;
    }
    let messages = sent["messages"].as_array().unwrap_or_else(|| panic!("messages are no array"));
    assert!(!messages.is_empty());
    assert!(messages.iter().all(|message| ROLES.iter().any(|role| message["role"] == *role)), "{messages:?}");
    let has_tools = sent.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty());
    assert_eq!(request.needs.list().any(|need| need.capability() == "tools"), has_tools);
}

/// Every parameter that an engine should see is sent as it was asked; null reads as absent.
fn check_meaning(request: &CallRequest<'_>, asked: &Map<String, Value>, sent: &Map<String, Value>) {
    let asked_of = |name: &str| asked.get(name).filter(|value| !value.is_null());
    for name in asked.keys().chain(sent.keys()).filter(|name| *name != "max_tokens") {
        let is_forwarded = find_parameter(request.surface, name).is_some_and(|known| known.is_forwarded);
        assert_eq!(sent.get(name), asked_of(name).filter(|_| is_forwarded), "{name}");
    }
    let limit = asked_of("max_completion_tokens").or_else(|| asked_of("max_tokens"));
    assert_eq!(request.max_tokens, limit.and_then(Value::as_u64));
    assert_eq!(request.is_stream, asked_of("stream").is_some_and(|value| *value == true));
    let options = asked_of("stream_options");
    assert_eq!(request.is_usage_wanted, options.is_some_and(|options| options["include_usage"] == true));
}

/// What was composed reads as the same request, and composes to the same bytes.
fn check_again(request: &CallRequest<'_>, composed: &[u8], with_additions: &[u8]) {
    let again = read_request(request.surface, composed).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!((&again.model, again.is_stream), (&request.model, request.is_stream));
    assert_eq!(again.needs, request.needs);
    let max_tokens = again.max_tokens.unwrap_or(0);
    assert_eq!(again.compose(max_tokens, ""), composed);
    if request.is_stream {
        let again = read_request(request.surface, with_additions).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert!(again.is_usage_wanted);
        assert_eq!(again.compose(max_tokens, ""), composed);
    }
}
