//! A client's request that the relay reads by itself, against a plain reading by RFC 9112: it is one that nobody can read
//! another way, and nothing is lost of what was read.

use bytes::BytesMut;
use keisan_relay::fuzzing::{ArrivingBody, Taken, take_request};

use crate::http1::Said;

pub fn check_usual(input: &[u8]) {
    let mut rest = BytesMut::from(input);
    match take_request(&mut rest) {
        Taken::Other => assert_eq!(rest, input),
        Taken::Partial(wanted) => {
            assert_eq!(rest, input);
            assert!((input.len() + 1..=64 * 1024).contains(&wanted), "{wanted}");
            rest.resize(wanted, b' ');
            assert!(matches!(take_request(&mut rest), Taken::Request(_)) && rest.is_empty());
        }
        Taken::Request(request) => {
            let ArrivingBody::Whole(body) = request.body() else { panic!("{request:?} is not whole") };
            let request_bytes = input.len() - rest.len();
            assert_eq!(rest, input[request_bytes..]);
            let head = input[..request_bytes].strip_suffix(&body[..]).expect("a body is what stands behind its head");
            assert!(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"), "{}", head.escape_ascii());
            check_head(&Said::read(head), body.len());
        }
    }
}

/// Sections 6.3 and 9.3, and the parts of RFC 9110 that are about a connection.
fn check_head(said: &Said, body_bytes: usize) {
    assert!(said.codings.is_empty() && said.others.is_empty(), "{said:?}");
    let told: Vec<_> = said.lengths.iter().map(|length| length.parse().ok()).collect();
    assert!(told == [Some(body_bytes)] || (told.is_empty() && body_bytes == 0), "{said:?}");
    assert!(said.options.iter().all(|option| option == "keep-alive"), "{said:?}");
}
