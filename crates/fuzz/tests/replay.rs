//! Every kept input through its parser's properties: the seeds, and what fuzzing has found worth keeping.

use keisan_fuzz::http1::check_http1;
use keisan_fuzz::inputs::read_inputs;
use keisan_fuzz::policy::check_policy;
use keisan_fuzz::request::check_request;
use keisan_fuzz::snapshot::check_snapshot;
use keisan_fuzz::stream::check_stream;

fn replay(name: &str, check: fn(&[u8])) {
    let inputs = read_inputs(name);
    assert!(inputs.len() > 9, "{name} keeps {} inputs", inputs.len());
    for input in inputs {
        assert!(std::panic::catch_unwind(|| check(&input)).is_ok(), "{name}: {}", input.escape_ascii());
    }
}

#[test]
fn answers_of_engines() {
    replay("http1", check_http1);
}

#[test]
fn policies() {
    replay("policy", check_policy);
}

#[test]
fn requests() {
    replay("request", check_request);
}

#[test]
fn snapshots() {
    replay("snapshot", check_snapshot);
}

#[test]
fn streams() {
    replay("stream", check_stream);
}
