//! Step 1: what is asked for, by path and method; reading the body under its limits.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::{Method, Request};
use keisan_route::{Code, Refusal, Surface};

use crate::arriving_body::ArrivingBody;
use crate::gateway::{Gateway, RequestBytes};

const MODELS_PATH: &str = "/v1/models";

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Endpoint {
    Call(Surface),
    Models,
    Model(String),
    Health,
    Metrics,
}

/// Finds the endpoint of a request.
pub fn find_endpoint<B>(request: &Request<B>) -> Result<Endpoint, Refusal> {
    let path = request.uri().path();
    let (endpoint, method) = match path {
        "/v1/chat/completions" => (Endpoint::Call(Surface::Chat), Method::POST),
        "/v1/completions" => (Endpoint::Call(Surface::Completions), Method::POST),
        MODELS_PATH => (Endpoint::Models, Method::GET),
        "/healthz" => (Endpoint::Health, Method::GET),
        "/metrics" => (Endpoint::Metrics, Method::GET),
        _ => match path.strip_prefix(MODELS_PATH).and_then(|rest| rest.strip_prefix('/')) {
            Some(name) if !name.is_empty() => (Endpoint::Model(decode_path(name)), Method::GET),
            _ => return Err(Refusal::new(Code::NotFound, "there is nothing at this path")),
        },
    };
    let is_head = method == Method::GET && request.method() == Method::HEAD;
    if request.method() != method && !is_head {
        return Err(Refusal::new(Code::MethodNotAllowed, format!("this path takes {method} only")));
    }
    Ok(endpoint)
}

/// Undoes percent escapes; what is no valid escape or text stays as it is, and then names no model.
fn decode_path(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let is_escape = |digits: &&str| byte == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let escaped = digits.filter(is_escape).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Reads a body whole, under the limit on one body of this caller and on all bodies together.
pub async fn read_body(
    gateway: &Arc<Gateway>,
    mut body: ArrivingBody,
    body_bytes_max: u64,
) -> Result<(Bytes, RequestBytes), Refusal> {
    let limits = gateway.limits();
    let announced = body.size_hint().lower();
    if announced > body_bytes_max {
        Box::pin(discard_body(body, limits.body_bytes_max)).await;
        return Err(refuse_large(body_bytes_max));
    }
    let mut booked = gateway.book_request_bytes(announced)?;
    let pause_max = Duration::from_secs(limits.head_read_timeout_s);
    let mut read = BytesMut::new();
    loop {
        let bytes = match tokio::time::timeout(pause_max, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            _ => return Err(Refusal::new(Code::BodyUnreadable, "the body did not arrive whole")),
        };
        let total = (read.len() + bytes.len()) as u64;
        if total > body_bytes_max {
            Box::pin(discard_body(body, limits.body_bytes_max)).await;
            return Err(refuse_large(body_bytes_max));
        }
        booked.grow(total.saturating_sub(booked.bytes()))?;
        if read.is_empty() && body.is_end_stream() {
            return Ok((bytes, booked));
        }
        if read.is_empty() {
            read.reserve(usize::try_from(announced).unwrap_or(0).max(bytes.len()));
        }
        read.extend_from_slice(&bytes);
    }
    Ok((read.freeze(), booked))
}

fn refuse_large(body_bytes_max: u64) -> Refusal {
    Refusal::new(Code::BodyTooLarge, format!("the body exceeds {body_bytes_max} bytes"))
}

/// Lets a client finish sending what will not be used, within bounds, so that it reads the answer and no reset.
pub async fn discard_body(mut body: ArrivingBody, bytes_max: u64) {
    const DISCARD_TIME: Duration = Duration::from_secs(5);
    let discard = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
            if discarded > bytes_max.saturating_mul(2) {
                break;
            }
        }
    };
    // Past the time the connection closes with what the client still sends.
    let _ = tokio::time::timeout(DISCARD_TIME, discard).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: Method, path: &str) -> Result<Endpoint, Code> {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        find_endpoint(&request).map_err(|refusal| refusal.code)
    }

    #[test]
    fn paths_and_methods() {
        assert_eq!(find(Method::POST, "/v1/chat/completions?x=1"), Ok(Endpoint::Call(Surface::Chat)));
        assert_eq!(find(Method::POST, "/v1/completions"), Ok(Endpoint::Call(Surface::Completions)));
        assert_eq!(find(Method::GET, "/v1/completions"), Err(Code::MethodNotAllowed));
        assert_eq!(find(Method::POST, "/v1/models"), Err(Code::MethodNotAllowed));
        assert_eq!(find(Method::GET, "/v1/models/a%2Fb%20c"), Ok(Endpoint::Model("a/b c".to_owned())));
        assert_eq!(find(Method::GET, "/v1/models/owner/name"), Ok(Endpoint::Model("owner/name".to_owned())));
        assert_eq!(find(Method::GET, "/v1/models/%zz%+f%2"), Ok(Endpoint::Model("%zz%+f%2".to_owned())));
        assert_eq!(find(Method::HEAD, "/healthz"), Ok(Endpoint::Health));
        for path in ["/", "/v1", "/v1/models/", "/v1/embeddings", "/V1/models"] {
            assert_eq!(find(Method::GET, path), Err(Code::NotFound), "{path}");
        }
    }
}
