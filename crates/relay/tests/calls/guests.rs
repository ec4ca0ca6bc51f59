//! What other platforms may ask of a gateway, tried by hostile ones: nothing that a call says of itself is believed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engine::{chat_answer, token_event};
use crate::peer::{Answer, Authority, Peer, build_call};
use crate::refusals::refuse;
use crate::stage::{Setting, Stage, build_post, chat_body, stream};

const OWN: &str = "abababababababababababababababababababababababababababababababab";
const PARENT: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
const CHILD: &str = "1212121212121212121212121212121212121212121212121212121212121212";
const OTHER_CHILD: &str = "3434343434343434343434343434343434343434343434343434343434343434";
const SIBLING: &str = "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef";

/// A parent, two children, and a sibling behind the parent; both the sibling and a child pay for the organization "o".
fn join(snapshot: &mut Value) {
    snapshot["platform_id"] = json!(OWN);
    let platform =
        |name: &str, next_hop: Value| json!({"name": name, "region": "CN", "verdict": "ok", "next_hop": next_hop});
    let ticket = |home: &str, audience: &str, ends_at_ms: u64| {
        json!({"organization_id": "o", "home_platform_id": home, "audience_platform_id": audience, "policy": "",
            "currency": "CNY", "price_ids": {"small": "wholesale"}, "ends_at_ms": ends_at_ms})
    };
    let tables = &mut snapshot["tables"];
    tables["prices"]["wholesale"] =
        json!({"currency": "CNY", "nano_per_million": {"input": "1000000", "output": "2000000"}});
    tables["platforms"] = json!({PARENT: platform("parent", Value::Null), CHILD: platform("child", Value::Null),
        OTHER_CHILD: platform("other", Value::Null), SIBLING: platform("sibling", json!(PARENT))});
    tables["neighbours"] =
        json!({PARENT: {"side": "parent"}, CHILD: {"side": "child"}, OTHER_CHILD: {"side": "child"}});
    tables["platform_tickets"] = json!({"of-sibling": ticket(SIBLING, OWN, u64::MAX / 2),
        "of-child": ticket(CHILD, OWN, u64::MAX / 2), "over": ticket(SIBLING, OWN, 1),
        "for-parent": ticket(SIBLING, PARENT, u64::MAX / 2)});
}

struct World {
    stage: Stage,
    authority: Authority,
    address: String,
    folder: TempDir,
}

impl World {
    fn open(limits: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path(), "authority");
        let files = authority.issue_to(OWN);
        let options = json!({"platform_id": OWN, "federation": {"certificate_path": files.certificate,
            "certificate_key_path": files.key, "ca_path": files.authorities, "listen": "127.0.0.1:0"}});
        let stage = Stage::open_with(Setting { options, limits, change: Some(join), ..Setting::default() });
        stage.lease("t", 1_000_000_000_000);
        let address = stage.stats()["federation_address"].as_str().unwrap().to_owned();
        Self { stage, authority, address, folder }
    }

    async fn connect(&self, platform_id: &str) -> Peer {
        let files = self.authority.issue_to(platform_id);
        Peer::connect(&self.address, Some(&files), &self.authority.path).await.expect("a connection")
    }
}

/// A record id that no call had.
fn create_id() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    format!("019ab000-0001-7000-8000-{:012x}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn block(home: &str, audience: &str, ticket_id: &str) -> Value {
    json!({"record_id": create_id(), "home": home, "audience": audience, "ticket_id": ticket_id, "policies": [],
        "deadline_ms": 30_000, "hops_left": 8})
}

async fn serve(world: &World, peer: &mut Peer, block: &Value) -> Answer {
    let mut engine = world.stage.engine(1);
    let (answer, ()) = tokio::join!(peer.ask(block, chat_body(&json!({}))), async {
        engine.next().await.answer(200, &chat_answer("hi")).await;
    });
    answer
}

#[test]
fn a_guest_is_served_at_the_pinned_price_and_its_record_names_who_pays() {
    let world = World::open(Value::Null);
    let asked = block(SIBLING, OWN, "of-sibling");
    world.stage.run(async {
        let answer = serve(&world, &mut world.connect(PARENT).await, &asked).await;
        assert_eq!((answer.status, answer.code), (200, None));
    });
    let record = world.stage.record();
    assert_eq!((&record["record_id"], &record["ticket_id"]), (&asked["record_id"], &json!("t")));
    assert_eq!(
        record["crossing"],
        json!({"home_platform_id": SIBLING, "serving_platform_id": OWN, "ticket_id": "of-sibling"})
    );
    assert_eq!((&record["price_id"], &record["organization_id"]), (&json!("wholesale"), &json!("o")));
}

#[test]
fn a_key_of_another_platform_is_told_its_home_and_any_other_is_told_nothing() {
    let world = World::open(Value::Null);
    let ask = |digits: &str| {
        let key = format!("sk-keisan-{digits}-c2VjcmV0");
        let (status, error) = refuse(&world.stage, build_post("/v1/chat/completions", &key, chat_body(&json!({}))));
        (status, error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    };
    let (status, code, message) = ask(&SIBLING[..12]);
    assert_eq!((status, &*code), (403, "key_not_admitted"));
    assert!(message.contains("'sibling'"), "{message}");
    for digits in [&OWN[..12], "0123456789ab", &SIBLING[..11], "EFEFEFEFEFEF"] {
        let (status, code, message) = ask(digits);
        assert_eq!((status, &*code), (401, "invalid_api_key"), "{digits}");
        assert!(message.ends_with("unknown or was revoked"), "{message}");
    }
}

#[test]
fn only_certificates_that_name_one_platform_open_a_connection() {
    let world = World::open(Value::Null);
    let stranger = Authority::create(world.folder.path(), "stranger");
    let uri = |id: &str| format!("keisan://platform/{id}");
    let refused = [
        None,
        Some(stranger.issue_to(PARENT)),
        Some(world.authority.issue(&[], false)),
        Some(world.authority.issue(&[&uri(PARENT), &uri(CHILD)], false)),
        Some(world.authority.issue(&[&uri("parent")], false)),
        Some(world.authority.issue(&["keisan://region/CN"], false)),
        Some(world.authority.issue(&[&uri(PARENT)], true)),
    ];
    world.stage.run(async {
        for (case, files) in refused.iter().enumerate() {
            let peer = Peer::connect(&world.address, files.as_ref(), &world.authority.path).await;
            assert!(peer.is_none(), "case {case} was let in");
        }
        let named = world.authority.issue(&["keisan://region/CN", &uri(PARENT)], false);
        assert!(Peer::connect(&world.address, Some(&named), &world.authority.path).await.is_some());
    });
}

#[test]
fn nobody_speaks_for_a_platform_that_is_not_behind_it() {
    let world = World::open(Value::Null);
    world.stage.run(async {
        let mut sibling = world.connect(SIBLING).await;
        assert_eq!(sibling.refuse(&block(CHILD, OWN, "of-child")).await, "call_off_path", "a stranger names a child");
        assert_eq!(
            sibling.refuse(&block(SIBLING, CHILD, "of-sibling")).await,
            "call_off_path",
            "a stranger wants through"
        );
        let mut child = world.connect(CHILD).await;
        assert_eq!(
            child.refuse(&block(SIBLING, OWN, "of-sibling")).await,
            "call_off_path",
            "a child names what is above"
        );
        assert_eq!(
            child.refuse(&block(OTHER_CHILD, OWN, "of-child")).await,
            "call_off_path",
            "a child names its sibling"
        );
        let mut parent = world.connect(PARENT).await;
        assert_eq!(parent.refuse(&block(CHILD, OWN, "of-child")).await, "call_off_path", "the parent names a child");
        assert_eq!(
            parent.refuse(&block(&"99".repeat(32), OWN, "of-sibling")).await,
            "call_off_path",
            "a home nobody knows"
        );
        // Headers say nothing of who asks.
        let mut forged = build_call(&block(CHILD, OWN, "of-child").to_string(), chat_body(&json!({})));
        for name in ["keisan-platform", "x-forwarded-client-cert", "forwarded", "keisan-peer"] {
            forged.headers_mut().insert(name, CHILD.parse().unwrap());
        }
        assert_eq!(sibling.send(forged).await.unwrap().code.unwrap(), "call_off_path");
        let served = serve(&world, &mut sibling, &block(SIBLING, OWN, "of-sibling")).await;
        assert_eq!(served.status, 200, "for itself it may");
    });
    assert_eq!(world.stage.records(1).len(), 1, "what was refused left no record");
}

#[test]
fn calls_go_in_no_circle_and_nowhere_else() {
    let world = World::open(Value::Null);
    world.stage.run(async {
        let mut parent = world.connect(PARENT).await;
        assert_eq!(parent.refuse(&block(SIBLING, SIBLING, "of-sibling")).await, "call_looped", "back");
        assert_eq!(parent.refuse(&block(SIBLING, PARENT, "for-parent")).await, "call_looped", "up again");
        assert_eq!(parent.refuse(&block(OWN, SIBLING, "x")).await, "call_looped", "it began here");
        assert_eq!(parent.refuse(&block(SIBLING, &"99".repeat(32), "x")).await, "platform_unknown");
        let begun = Instant::now();
        assert_eq!(
            parent.refuse(&block(SIBLING, CHILD, "x")).await,
            "platform_unreachable",
            "no connection to the child"
        );
        let mut child = world.connect(CHILD).await;
        assert_eq!(child.refuse(&block(CHILD, SIBLING, "x")).await, "platform_unreachable", "none to the parent");
        assert!(begun.elapsed() < Duration::from_secs(5), "at once, not after a timeout");
        let mut tired = block(CHILD, SIBLING, "x");
        tired["hops_left"] = json!(0);
        assert_eq!(child.refuse(&tired).await, "call_looped");
    });
}

#[test]
fn tickets_pay_for_their_own_platforms_while_they_last() {
    let world = World::open(Value::Null);
    world.stage.run(async {
        let mut parent = world.connect(PARENT).await;
        for (ticket_id, code) in [
            ("", "ticket_unknown"),
            ("of-child", "ticket_misplaced"),
            ("for-parent", "ticket_misplaced"),
            ("over", "ticket_expired"),
        ] {
            assert_eq!(parent.refuse(&block(SIBLING, OWN, ticket_id)).await, code, "{ticket_id}");
        }
        let unpriced = chat_body(&json!({"model": "tiny"}));
        let answer = parent.ask(&block(SIBLING, OWN, "of-sibling"), unpriced).await;
        assert_eq!(answer.code.as_deref(), Some("model_not_found"), "no price is pinned for it");
        let mut narrow = block(SIBLING, OWN, "of-sibling");
        narrow["policies"] = json!(["", "region in CN"]);
        assert_eq!(parent.refuse(&narrow).await, "policy_unsatisfied");
        narrow["policies"] = json!(["orbit in low"]);
        assert_eq!(parent.refuse(&narrow).await, "policy_unsatisfied", "what nobody can read admits nobody");
    });
    let mut revoked = world.stage.snapshot();
    join(&mut revoked);
    revoked["version"] = json!(6);
    revoked["tables"]["platform_tickets"] = json!({});
    world.stage.load(&revoked);
    world.stage.run(async {
        let mut parent = world.connect(PARENT).await;
        assert_eq!(parent.refuse(&block(SIBLING, OWN, "of-sibling")).await, "ticket_unknown");
    });
}

#[test]
fn a_record_id_is_served_once_and_one_that_was_refused_may_come_again() {
    let world = World::open(Value::Null);
    world.stage.run(async {
        let mut parent = world.connect(PARENT).await;
        let asked = block(SIBLING, OWN, "of-sibling");
        let mut narrow = asked.clone();
        narrow["policies"] = json!(["region in CN"]);
        assert_eq!(parent.refuse(&narrow).await, "policy_unsatisfied");
        assert_eq!(serve(&world, &mut parent, &asked).await.status, 200);
        assert_eq!(parent.refuse(&asked).await, "call_repeated");
        let mut odd = asked.clone();
        odd["record_id"] = json!("019ab000-0001-4000-8000-000000000101");
        assert_eq!(parent.refuse(&odd).await, "call_block_invalid");
    });
}

#[test]
fn what_is_too_large_or_too_slow_or_no_call_is_refused() {
    let world = World::open(json!({"body_bytes_max": 4_096, "head_read_timeout_s": 1}));
    world.stage.run(async {
        let mut parent = world.connect(PARENT).await;
        let large = chat_body(&json!({"user": "x".repeat(8_192)}));
        let answer = parent.ask(&block(SIBLING, OWN, "of-sibling"), large).await;
        assert_eq!((answer.status, answer.code.as_deref()), (413, Some("body_too_large")));
        for wrong in ["{}", "[]", "x"] {
            let answer = parent.send(build_call(wrong, "{}")).await.unwrap();
            assert_eq!(answer.code.as_deref(), Some("call_block_invalid"), "{wrong}");
        }
        // A block of any size is either read and refused, or its stream is reset; the connection goes on.
        let vast = parent.send(build_call(&"x".repeat(200_000), "{}")).await;
        assert!(vast.is_none_or(|answer| answer.status >= 400));
        let mut parent = world.connect(PARENT).await;
        for path in ["/v1/models", "/healthz", "/metrics", "/keisan/other"] {
            let request = Request::get(format!("https://gateway.example{path}"))
                .header("keisan-call", block(SIBLING, OWN, "of-sibling").to_string());
            let answer = parent.send(request.body(Full::default()).unwrap()).await.unwrap();
            assert_eq!(answer.code.as_deref(), Some("not_found"), "{path}");
        }
        let served = serve(&world, &mut parent, &block(SIBLING, OWN, "of-sibling")).await;
        assert_eq!(served.status, 200);
    });
}

#[test]
fn an_answer_that_does_not_begin_in_time_ends_and_cancels_the_engine() {
    let world = World::open(Value::Null);
    world.stage.run(async {
        let mut parent = world.connect(PARENT).await;
        let mut hasty = block(SIBLING, OWN, "of-sibling");
        hasty["deadline_ms"] = json!(200);
        let mut engine = world.stage.engine(1);
        let (answer, ()) = tokio::join!(parent.ask(&hasty, chat_body(&stream())), async {
            let asked = engine.next().await;
            let speaking = asked.begin_stream();
            speaking.cancelled().await;
        });
        assert_eq!((answer.status, answer.code.as_deref()), (504, Some("engine_timeout")));
    });
    let record = world.stage.record();
    assert_eq!((&record["amount_nano"], &record["crossing"]["home_platform_id"]), (&json!("0"), &json!(SIBLING)));
}

#[test]
fn only_a_child_is_asked_on_what_it_dialled() {
    let world = World::open(Value::Null);
    world.stage.run(async {
        for platform_id in [PARENT, SIBLING] {
            let files = world.authority.issue_to(platform_id);
            let connecting = Peer::connect_as(&world.address, Some(&files), &world.authority.path, b"keisan-serving/1");
            assert!(connecting.await.is_none(), "{platform_id}");
        }
    });
    assert_eq!(
        world.stage.stats()["links"].as_array().unwrap().iter().filter(|link| link["connections"] != 0).count(),
        0
    );
}

#[test]
fn a_stream_whose_asker_leaves_ends_at_the_engine() {
    let world = World::open(Value::Null);
    world.stage.run(async {
        let mut parent = world.connect(PARENT).await;
        let asked = block(SIBLING, OWN, "of-sibling");
        let mut engine = world.stage.engine(1);
        let calling = parent.ask(&asked, chat_body(&stream()));
        let serving = async {
            let speaking = engine.next().await.begin_stream();
            speaking.event(&token_event("a", 1)).await;
            speaking
        };
        let speaking = tokio::select! {
            _ = calling => panic!("the stream has no end"),
            speaking = serving => speaking,
        };
        drop(parent);
        speaking.cancelled().await;
    });
    assert_eq!(world.stage.record()["outcome"], json!("client_closed"));
}
