//! The listener and the endpoints beside calls: HTTP/2, TLS with certificates that change, health, metrics.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::certificate::write_certificate;
use crate::engine::chat_answer;
use crate::stage::{Setting, Stage, build_post, chat_body, eventually, read_json, read_text};

#[test]
fn models_are_listed_for_the_key() {
    let stage = Stage::open();
    stage.run(async {
        let mut client = stage.connect().await;
        let list = read_json(client.get("/v1/models").await).await;
        assert_eq!(list["object"], "list");
        assert_eq!(list["data"][0]["id"], "small");
        assert_eq!(list["data"][1]["owned_by"], "owner");
        let one = read_json(client.get("/v1/models/tiny").await).await;
        assert_eq!((&one["id"], &one["object"], &one["created"]), (&json!("tiny"), &json!("model"), &json!(7)));
        assert_eq!(client.get("/v1/models/none").await.status(), 404);
    });
}

#[test]
fn health_and_metrics_tell_the_state() {
    let stage = Stage::open();
    stage.run(async {
        let mut client = stage.connect().await;
        let response = client.get("/healthz").await;
        assert_eq!(response.status(), 200);
        let health = read_json(response).await;
        assert_eq!((&health["status"], &health["open_calls"]), (&json!("ok"), &json!(0)));
        assert_eq!((&health["snapshot"]["version"], &health["snapshot"]["incarnation"]), (&json!(5), &json!("i")));
        client.get("/v1/nothing").await;
        let text = read_text(client.get("/metrics").await).await;
        for line in [
            "keisan_refusals_total{code=\"not_found\"} 1",
            "keisan_snapshot_version 5",
            "keisan_spool_backlog_records 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing");
        }
    });
}

#[test]
fn http_2_is_spoken_where_the_client_begins_with_it() {
    let stage = Stage::open();
    stage.run(async {
        let mut engine = stage.engine(1);
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        let request = Request::post(format!("http://{}/v1/chat/completions", stage.address))
            .header("authorization", "Bearer sk-whole")
            .body(Full::new(Bytes::from(chat_body(&json!({})))))
            .unwrap();
        let (response, ()) = tokio::join!(sender.send_request(request), async {
            engine.next().await.answer(200, &chat_answer("a")).await;
        });
        let response = response.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, hyper::Version::HTTP_2));
        assert_eq!(read_json(response).await["model"], "small");
    });
}

async fn speak_tls(stage: &Stage, trusted: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let stream = TcpStream::connect(stage.address).await.unwrap();
    let Ok(stream) = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await else {
        return false;
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(build_post("/v1/chat/completions", "sk-wrong", "{}")).await.unwrap();
    response.status() == 401
}

#[test]
fn certificates_are_read_again_when_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let first = write_certificate(directory.path());
    let options = json!({"certificate_path": directory.path().join("chain.pem"), "certificate_key_path": directory.path().join("key.pem")});
    let stage = Stage::open_with(Setting { options, ..Setting::default() });
    stage.run(async {
        assert!(speak_tls(&stage, &first).await);
        let second = write_certificate(directory.path());
        let mut is_new = false;
        for _ in 0..200 {
            is_new = speak_tls(&stage, &second).await;
            if is_new {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(is_new, "the new certificate is not used");
        assert!(!speak_tls(&stage, &first).await);
        eventually("calls stay open", || stage.stats()["open_calls"] == 0).await;
    });
}

#[test]
fn a_connection_without_a_request_is_closed_in_time_whatever_it_begins_with() {
    let stage = Stage::open_with(Setting { limits: json!({"head_read_timeout_s": 1}), ..Setting::default() });
    stage.run(async {
        let mut silent = Vec::new();
        // Nothing; what any protocol may begin with; HTTP/2 without a call; a head that never ends.
        for said in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /healthz HTTP/1.1\r\nhost"] {
            let mut stream = TcpStream::connect(stage.address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            silent.push((said, stream));
        }
        let began = std::time::Instant::now();
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let ask = || {
            let request = Request::get(format!("http://{}/healthz", stage.address));
            request.body(Full::<Bytes>::default()).unwrap()
        };
        assert_eq!(client.send_request(ask()).await.unwrap().status(), 200);
        for (said, mut stream) in silent {
            let ended = tokio::time::timeout(Duration::from_secs(8), async {
                let mut piece = [0; 256];
                while !matches!(stream.read(&mut piece).await, Ok(0) | Err(_)) {}
            });
            assert!(ended.await.is_ok(), "{said:?} keeps a connection open");
        }
        assert!(began.elapsed() >= Duration::from_millis(900), "they were closed before their time");
        while began.elapsed() < Duration::from_millis(1_500) {
            assert_eq!(client.send_request(ask()).await.unwrap().status(), 200, "who has asked is not silent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
