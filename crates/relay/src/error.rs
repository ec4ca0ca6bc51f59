//! Errors in `OpenAI`'s shape with stable codes, as answers and as the last event of a stream.

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use keisan_route::{Code, Refusal};
use serde::Serialize;

use crate::body::RelayBody;
use crate::server::Told;

/// What a client is told to wait when trying again can help and nobody knows when.
const RETRY_AFTER_MS: u64 = 1_000;

#[derive(Serialize)]
struct Envelope<'a> {
    error: ErrorView<'a>,
}

#[derive(Serialize)]
struct ErrorView<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: &'static str,
    retryable: bool,
}

/// The JSON text of a refusal.
pub fn format_refusal(refusal: &Refusal) -> String {
    let error = ErrorView {
        message: &refusal.message,
        kind: refusal.code.kind(),
        param: refusal.param.as_deref(),
        code: refusal.code.name(),
        retryable: refusal.code.is_retryable(),
    };
    // Strings and booleans always serialize.
    serde_json::to_string(&Envelope { error }).unwrap_or_default()
}

/// The refusal as the one event that ends a broken stream.
pub fn format_event(refusal: &Refusal) -> Bytes {
    Bytes::from(format!("data: {}\n\n", format_refusal(refusal)))
}

/// The refusal as an answer.
pub fn answer_refusal(refusal: &Refusal) -> Response<RelayBody> {
    let mut response = Response::new(RelayBody::full(format_refusal(refusal)));
    response.extensions_mut().insert(Told(refusal.code));
    *response.status_mut() = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let is_for_later = matches!(refusal.code.status(), 429 | 503);
    if let Some(wait_ms) = refusal.retry_after_ms.or(is_for_later.then_some(RETRY_AFTER_MS)) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1_000)));
        headers.insert("retry-after-ms", HeaderValue::from(wait_ms));
    }
    if refusal.code == Code::InvalidApiKey {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_openai_s_shape() {
        let refusal = Refusal::invalid_value("messages[0].role", "must be \"user\"");
        let value: serde_json::Value = serde_json::from_str(&format_refusal(&refusal)).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"error": {
                "message": "'messages[0].role' must be \"user\"", "type": "invalid_request_error",
                "param": "messages[0].role", "code": "invalid_value", "retryable": false,
            }})
        );
    }

    #[test]
    fn every_code_becomes_an_answer() {
        for code in Code::ALL {
            let response = answer_refusal(&Refusal::new(code, "text"));
            assert_eq!(response.status().as_u16(), code.status());
            assert_eq!(response.headers().contains_key("retry-after"), matches!(code.status(), 429 | 503));
        }
        let response = answer_refusal(&Refusal::new(Code::RateLimitExceeded, "text").after(2_100));
        assert_eq!(response.headers()["retry-after"], "3");
        assert_eq!(response.headers()["retry-after-ms"], "2100");
    }
}
