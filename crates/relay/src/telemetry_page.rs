//! docs/reference/gateway-telemetry.md is what the code says: its metrics as they are served, its attributes as they are set.

use std::path::PathBuf;

use crate::gateway::Gateway;
use crate::health::format_metrics;
use crate::options::parse_options;
use crate::spool::Spool;
use crate::trace::ATTRIBUTES;

const SNAPSHOT: &[u8] = include_bytes!("../../../tests/golden/snapshot.json");
const PLATFORM: &str = "abababababababababababababababababababababababababababababababab";
const HEAD: &str = "\
# What a gateway tells of itself

Made from the code by a test (`crates/relay/src/telemetry_page.rs`; `UPDATE_GOLDEN=1` writes it anew). How to use it:
[Watch a gateway](../how-to/watch-a-gateway.md).

## Metrics

Served as `/metrics` in Prometheus' text form. A label's values are words of the code or models of the catalogue, never
anything that a caller wrote.

| name | kind | labels | what it says |
|---|---|---|---|
";
const MIDDLE: &str = "
## Spans

A call has a span of kind SERVER; each attempt at a replica has one of kind CLIENT below it. Both are named after the
operation and the model, `chat smollm2-135m-instruct`. A request that was refused to a known caller has the first one alone.
Of what a caller wrote, a span holds the ids of the caller's trace and nothing else.

| attribute | what it says |
|---|---|
";
/// Written only for models that were called.
const MODEL_LABELS: &str = "gen_ai_operation_name, gen_ai_provider_name, gen_ai_request_model";

fn open_gateway() -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let options = serde_json::json!({"gateway_id": "g", "platform_id": PLATFORM, "incarnation": "i",
        "listen_host": "127.0.0.1", "listen_port": 0, "spool_directory": folder.path()});
    let options = parse_options(&options.to_string()).unwrap();
    let spool = Spool::open(folder.path(), options.limits.spool_bytes_max).unwrap();
    let gateway = Gateway::new(options, spool);
    gateway.load_snapshot(SNAPSHOT).unwrap();
    for code in keisan_route::Code::ALL {
        gateway.metrics.count_refusal(code);
        gateway.metrics.count_call(crate::record::Outcome::EngineCut, Some(code), &keisan_route::Quantities::default());
    }
    gateway
}

/// The names of the labels of a metric, but for a bucket's bound.
fn list_labels(text: &str, name: &str) -> String {
    let Some(line) = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))) else {
        return if name.starts_with("gen_ai_") { MODEL_LABELS.to_owned() } else { String::new() };
    };
    let labels = line.split(['{', '}']).nth(1).unwrap_or_default();
    labels.split(',').filter_map(|label| label.split('=').next()).collect::<Vec<_>>().join(", ")
}

fn tabulate_metrics(text: &str) -> String {
    let mut lines = text.lines();
    let mut rows = Vec::new();
    while let Some(line) = lines.next() {
        if let Some((name, about)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            let kind = lines.next().unwrap().rsplit(' ').next().unwrap();
            rows.push(format!("| `{name}` | {kind} | {} | {about} |\n", list_labels(text, name)));
        }
    }
    rows.sort();
    rows.concat()
}

#[test]
fn the_page_says_what_the_code_says() {
    let text = format_metrics(&open_gateway());
    let attributes = ATTRIBUTES.map(|one| format!("| `{}` | {} |\n", one.name, one.about)).concat();
    let written = format!("{HEAD}{}{MIDDLE}{attributes}", tabulate_metrics(&text));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/gateway-telemetry.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
}
