//! Policies of organization, project, key and request: all in force, each can only narrow, the unknown fails closed.

use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};

use crate::engine::chat_answer;
use crate::refusals::refuse;
use crate::stage::{Setting, Stage, build_post, chat_body, read_json};

const PATH: &str = "/v1/chat/completions";

fn ask(policy: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = build_post(PATH, "sk-whole", chat_body(&json!({})));
    request.headers_mut().insert("keisan-policy", policy.parse().unwrap());
    request
}

/// Two replicas: r1 in JP-13 on the chip "cpu" by metax, r2 in CN-SX on a chip that nobody knows.
fn open(change: fn(&mut Value)) -> Stage {
    Stage::open_with(Setting { replicas: 2, change: Some(change), ..Setting::default() })
}

fn place(snapshot: &mut Value) {
    snapshot["tables"]["replicas"]["r2"]["region"] = json!("CN-SX");
    snapshot["tables"]["replicas"]["r2"]["chip"] = json!("unheard-of");
}

/// Which of the two engines gets each of some calls.
fn find_servers(stage: &Stage, policy: &str) -> Vec<usize> {
    stage.run(async {
        let (mut first, mut second) = (stage.engine(1), stage.engine(2));
        let mut servers = Vec::new();
        for _ in 0..4 {
            let mut client = stage.connect().await;
            let (response, server) = tokio::join!(client.send(ask(policy)), async {
                let (asked, server) = tokio::select! {
                    asked = first.next() => (asked, 1),
                    asked = second.next() => (asked, 2),
                };
                asked.answer(200, &chat_answer("hi")).await;
                server
            });
            assert_eq!(response.status(), 200);
            read_json(response).await;
            servers.push(server);
        }
        servers
    })
}

#[test]
fn a_request_is_served_within_its_policy_only() {
    assert_eq!(find_servers(&open(place), "region in CN"), [2; 4]);
    assert_eq!(find_servers(&open(place), "vendor in metax @ B; advisory none"), [1; 4]);
    let both = find_servers(&open(place), "");
    assert!(both.contains(&1) && both.contains(&2), "{both:?}");
}

#[test]
fn nobody_left_names_the_clause_and_whose_it_is() {
    let stage = open(|snapshot| {
        place(snapshot);
        snapshot["tables"]["projects"]["p"]["policy"] = json!("vendor in metax");
        snapshot["tables"]["keys"]["k1"]["policy"] = json!("region in CN");
    });
    let (status, error) = refuse(&stage, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    assert_eq!((status, &error["code"], &error["retryable"]), (403, &json!("policy_unsatisfied"), &json!(false)));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("'region in CN' (policy of the key) rules out 1"), "{message}");
    assert!(message.contains("'vendor in metax' (policy of the project) is not known to hold for 1"), "{message}");
}

#[test]
fn a_header_cannot_widen() {
    let stage = open(|snapshot| {
        place(snapshot);
        snapshot["tables"]["organizations"]["o"]["policy"] = json!("region in JP");
    });
    let (status, error) = refuse(&stage, ask("region in CN"));
    assert_eq!((status, &error["code"]), (403, &json!("policy_unsatisfied")));
    assert_eq!(find_servers(&stage, "region in JP, CN"), [1; 4]);
}

#[test]
fn a_policy_that_cannot_be_read_is_refused_or_admits_nobody() {
    let stage = open(place);
    let (status, error) = refuse(&stage, ask("colour in red"));
    assert_eq!((status, &error["code"], &error["param"]), (400, &json!("invalid_policy"), &json!("keisan-policy")));
    let later = open(|snapshot| snapshot["tables"]["keys"]["k1"]["policy"] = json!("moon in phase"));
    let (status, _) = refuse(&later, build_post(PATH, "sk-whole", chat_body(&json!({}))));
    assert_eq!(status, 403);
}

#[test]
fn who_is_down_is_down_and_not_outside_policy() {
    let stage = open(|snapshot| {
        place(snapshot);
        snapshot["tables"]["replicas"]["r2"]["verdict"] = json!("failed");
    });
    let (status, error) = refuse(&stage, ask("region in CN"));
    assert_eq!((status, &error["code"]), (503, &json!("no_healthy_replica")));
}
