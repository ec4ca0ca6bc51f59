//! The snapshot parser: what it lets in stands in the tables, and a row that it cannot use is left out and counted.

use keisan_relay::fuzzing::{Key, Model, Snapshot, find_member, read_snapshot};
use keisan_route::{Blocks, CallShape, Quantities, Surface, TokenClass, Tuning, Verdict, compute_amount_nano, rank};
use serde_json::{Map, Value};

/// Of the snapshot that Python writes as the golden one.
const PLATFORM: &str = "abababababababababababababababababababababababababababababababab";

/// Tables whose rows are left out and counted if they cannot be used.
const TABLES_OF_ROWS: [&str; 7] =
    ["keys", "models", "replicas", "platforms", "neighbours", "platform_offers", "platform_tickets"];

pub fn check_snapshot(input: &[u8]) {
    let Ok(snapshot) = read_snapshot(input, PLATFORM) else {
        return;
    };
    for model in snapshot.models.values() {
        check_routing(model);
        check_prices(model);
    }
    // A row that cannot be used may hold what `serde_json` cannot.
    let Some(text) = serde_json::from_slice::<Value>(input).ok().filter(has_plain_rows) else {
        return;
    };
    assert!(text["schema_version"] == 1 && text["platform_id"] == PLATFORM, "{text}");
    assert!(text["version"] == snapshot.version && text["incarnation"] == snapshot.incarnation.as_str(), "{text}");
    check_rows(&snapshot, &text["tables"]);
    check_again(&snapshot, &text);
}

/// Calls go to replicas only that are healthy and can be reached.
fn check_routing(model: &Model) {
    let prompt = Blocks::of(0, b"");
    let candidates: Vec<_> = model.replicas.iter().map(|replica| replica.as_candidate(&prompt, 0)).collect();
    let shape = CallShape { prompt_tokens: u64::MAX, turn: usize::MAX };
    for position in rank(&candidates, shape, &Tuning::DEFAULT) {
        let replica = &model.replicas[position];
        assert!(replica.row.verdict == Verdict::Ok && replica.row.upstream.is_reachable() && replica.row.slots > 0);
        assert!(replica.lifetime().idle_max.as_secs() < replica.profile.idle_connection_s.max(1));
    }
}

/// The largest call that an engine can report has an amount, or a fault that says why not.
fn check_prices(model: &Model) {
    let most = Some(u64::MAX);
    let largest =
        Quantities { input: most, input_cached: most, input_cache_write: most, output: most, reasoning: most };
    let is_priced = TokenClass::ALL.iter().all(|class| model.price.choose_nano(*class).is_ok());
    assert!(is_priced || compute_amount_nano(&largest, &model.price).is_err());
}

/// `serde` reads an array as a row too, field by field; no platform writes one.
fn has_plain_rows(text: &Value) -> bool {
    let are_rows = |table: &Value| table.as_object().is_some_and(|rows| rows.values().all(Value::is_object));
    text["tables"].as_object().is_some_and(|tables| tables.values().all(are_rows))
}

fn check_rows(snapshot: &Snapshot, tables: &Value) {
    for (digest, key) in &snapshot.keys {
        check_key(key, digest, &tables["keys"][find_member(&key.record_part, "key_id")]);
    }
    for (name, model) in &snapshot.models {
        check_model(name, model, tables);
        for replica in &model.replicas {
            // Of another platform's offer the model's name is what both know.
            match &replica.row.offer {
                Some(offer) => {
                    let row = &tables["platform_offers"][&replica.id];
                    assert_eq!((&row["model"], &row["platform_id"]), (&as_value(name), &as_value(&offer.platform_id)));
                }
                None => assert_eq!(tables["replicas"][&replica.id]["model_id"], model.id.as_str()),
            }
        }
    }
    let tables = TABLES_OF_ROWS.map(|name| tables.get(name).and_then(Value::as_object));
    let rows: usize = tables.into_iter().flatten().map(Map::len).sum();
    assert!(snapshot.keys.len() as u64 + snapshot.models.len() as u64 + snapshot.unusable_rows <= rows as u64);
}

/// A key opens what its row says, and no more.
fn check_key(key: &Key, digest: &[u8; 32], row: &Value) {
    let text = row["digest"].as_str().unwrap_or_default();
    let is_at = |position: usize, byte: u8| {
        let digits = text.get(2 * position..2 * position + 2);
        digits.is_some_and(|digits| digits.eq_ignore_ascii_case(&format!("{byte:02x}")))
    };
    assert!(digest.iter().enumerate().all(|(position, byte)| is_at(position, *byte)), "{text} became {digest:02x?}");
    assert_eq!(
        (&row["organization_id"], &row["project_id"]),
        (&as_value(&key.organization_id), &as_value(&find_member(&key.record_part, "project_id")))
    );
    assert!(!key.can_call || has_entry(&row["rights"], "call"));
    assert_eq!(key.may_name("tiny-8b"), row["models"].is_null() || has_entry(&row["models"], "tiny-8b"));
}

fn as_value(text: &str) -> Value {
    Value::from(text)
}

fn has_entry(array: &Value, text: &str) -> bool {
    array.as_array().is_some_and(|entries| entries.iter().any(|entry| entry == text))
}

fn check_model(name: &str, model: &Model, tables: &Value) {
    let price_id = find_member(&model.record_part, "price_id");
    let (row, price) = (&tables["models"][&model.id], &tables["prices"][&price_id]);
    assert_eq!((&row["name"], &row["price_id"]), (&as_value(name), &as_value(&price_id)));
    assert_eq!(row["output_tokens_max"], model.output_tokens_max);
    for surface in [Surface::Chat, Surface::Completions] {
        assert_eq!(model.is_on(surface), has_entry(&row["surfaces"], surface.name()));
    }
    let prices = &price["nano_per_million"];
    for class in TokenClass::ALL {
        let own = prices.get(class.name()).or_else(|| prices.get(class.parent()?.name()));
        let nano = own.and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok());
        assert_eq!(model.price.choose_nano(class).ok(), nano, "{}", class.name());
    }
}

/// The order of members and white space mean nothing. Of members named twice the text keeps the later one, so that a row
/// may become usable.
fn check_again(snapshot: &Snapshot, text: &Value) {
    let again = read_snapshot(text.to_string().as_bytes(), PLATFORM);
    let again = again.unwrap_or_else(|fault| panic!("{fault}: {text}"));
    assert!(again.keys.len() >= snapshot.keys.len() && again.unusable_rows <= snapshot.unusable_rows);
    if again.unusable_rows == snapshot.unusable_rows {
        assert_eq!(format!("{:?}", again.models), format!("{:?}", snapshot.models));
    }
}
