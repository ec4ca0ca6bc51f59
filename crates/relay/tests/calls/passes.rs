//! What a snapshot brings for a door: a secret that calls show, whenever they were admitted, and certificates to trust.

use serde_json::{Value, json};

use crate::certificate::write_certificate;
use crate::doorway::{Doorway, SECRET, build_snapshot, call, write_access};
use crate::engine::{Engine, chat_answer};
use crate::stage::{Stage, read_json, read_text};

async fn read_metric(stage: &Stage, name: &str) -> u64 {
    let text = read_text(stage.connect().await.get("/metrics").await).await;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.expect("the metric is not told").parse().unwrap()
}

async fn read_dial_faults(stage: &Stage, reason: &str) -> u64 {
    read_metric(stage, &format!("keisan_upstream_dial_failures_total{{reason=\"{reason}\"}}")).await
}

#[test]
fn a_call_that_waited_while_the_secret_was_replaced_shows_the_new_one() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({}));
    let mut snapshot = build_snapshot(&stage, 1, doorway.address, false);
    snapshot["tables"]["replicas"]["r1"]["slots"] = json!(1);
    stage.load(&snapshot);
    stage.run(async {
        let mut engine = stage.engine(1);
        let (mut one, mut two) = (stage.connect().await, stage.connect().await);
        let (first, second, ()) = tokio::join!(one.chat(json!({})), two.chat(json!({})), async {
            let asked = engine.next().await;
            while read_metric(&stage, "keisan_queue_waiting_calls").await != 1 {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            write_access(stage.directory.path(), &[SECRET, "new"]);
            snapshot["tables"]["doors"]["s"]["secret"] = json!("new");
            stage.load(&snapshot);
            write_access(stage.directory.path(), &["new"]);
            asked.answer(200, &chat_answer("a")).await;
            engine.next().await.answer(200, &chat_answer("b")).await;
        });
        assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    });
}

#[test]
fn two_sites_that_name_one_place_show_their_own_secrets_there() {
    let stage = Stage::open();
    let doorway = Doorway::open(&stage, &json!({}));
    let mut snapshot = build_snapshot(&stage, 2, doorway.address, false);
    // The other site claims the place, and is told of a secret that the door does not know.
    snapshot["tables"]["doors"]["t"] = snapshot["tables"]["doors"]["s"].clone();
    snapshot["tables"]["doors"]["t"]["secret"] = json!("of another site");
    snapshot["tables"]["replicas"]["r2"]["site_id"] = json!("t");
    stage.load(&snapshot);
    stage.run(async {
        let mut engines = (stage.engine(1), stage.engine(2));
        for _ in 0..6 {
            assert_eq!(call(&stage, &mut engines.0).await, 200);
        }
        assert!(engines.1.is_idle(), "a secret was shown for a site that it was not made for");
        assert!(stage.records(6).iter().all(|record| record["replica_id"] == "r1"));
    });
}

struct TlsDoor {
    directory: tempfile::TempDir,
    doorway: Doorway,
    snapshot: Value,
}

impl TlsDoor {
    /// A gateway without roots of its own, before a door that speaks TLS.
    fn open(stage: &Stage) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_certificate(directory.path());
        let path = |name: &str| directory.path().join(name);
        let tls = json!({"certificate_path": path("chain.pem"), "certificate_key_path": path("key.pem")});
        let doorway = Doorway::open(stage, &tls);
        let snapshot = build_snapshot(stage, 1, doorway.address, true);
        Self { directory, doorway, snapshot }
    }

    fn read_chain(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("chain.pem")).unwrap()
    }

    /// Loads the snapshot with these certificates; what was connected before stays so.
    fn trust(&mut self, stage: &Stage, certificates: &str) {
        self.snapshot["tables"]["doors"]["s"]["certificates"] = json!(certificates);
        stage.load(&self.snapshot);
    }

    /// Lets the gateway lose its connections: a replica that is gone for a moment.
    fn forget_connections(&self, stage: &Stage) {
        stage.load(&stage.snapshot());
        stage.load(&self.snapshot);
    }
}

#[test]
fn certificates_of_the_snapshot_are_trusted_at_their_door_and_no_others() {
    let stage = Stage::open();
    let mut door = TlsDoor::open(&stage);
    let other = tempfile::tempdir().unwrap();
    write_certificate(other.path());
    let other = std::fs::read_to_string(other.path().join("chain.pem")).unwrap();
    stage.run(async {
        let mut engine = stage.engine(1);
        for certificates in ["", other.as_str(), "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END"] {
            door.trust(&stage, certificates);
            let before = read_dial_faults(&stage, "untrusted").await;
            assert_eq!(call(&stage, &mut engine).await, 503, "{certificates}");
            assert!(read_dial_faults(&stage, "untrusted").await > before);
        }
        let both = format!("{other}{}", door.read_chain());
        door.trust(&stage, &both);
        eventually_answered(&stage, &mut engine).await;
        door.trust(&stage, &other);
        assert_eq!(call(&stage, &mut engine).await, 200, "who is inside stays inside");
        door.forget_connections(&stage);
        assert_eq!(call(&stage, &mut engine).await, 503);
        assert_eq!(door.doorway.stats()["calls"], 2);
    });
}

/// The breaker of a replica that failed lets a call through now and then.
async fn eventually_answered(stage: &Stage, engine: &mut Engine) {
    let until = std::time::Instant::now() + crate::stage::WAIT;
    while call(stage, engine).await != 200 {
        assert!(std::time::Instant::now() < until, "nobody is let in");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[test]
fn why_a_connection_could_not_be_opened_is_told() {
    let stage = Stage::open();
    stage.run(async {
        assert_eq!(read_dial_faults(&stage, "no_socket").await, 0);
        let refused = stage.connect().await.chat(json!({})).await;
        assert_eq!(refused.status(), 503);
        read_json(refused).await;
        assert!(read_dial_faults(&stage, "no_socket").await > 0);
        // A door at a port where nobody listens.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        stage.load(&build_snapshot(&stage, 1, nobody, false));
        assert_eq!(stage.connect().await.chat(json!({})).await.status(), 503);
        assert!(read_dial_faults(&stage, "refused").await > 0);
    });
}
