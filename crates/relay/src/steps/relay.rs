//! Step 5: the request goes to the replica, its answer to the client.

use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use keisan_route::{Code, Refusal};

use crate::body::RelayBody;
use crate::dialect::View;
use crate::exchange::{Admission, Exchange, Routing};
use crate::http1::AnswerHead;
use crate::record::Outcome;
use crate::steps::answer::relay_answer;
use crate::steps::meter::{Ending, OpenCall};
use crate::steps::send::{Answered, Plan, send};
use crate::steps::stream::StreamBody;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An admitted and routed call, ready to go.
#[derive(Debug)]
pub struct Relaying {
    pub call: Box<OpenCall>,
    plan: Plan,
    routing: Routing,
}

impl Relaying {
    pub fn new(exchange: &Exchange, admission: Admission, routing: Routing) -> Self {
        let (plan, hold) = Plan::new(exchange, admission);
        let call = OpenCall::open(exchange, &plan, &routing.seat.replica, hold);
        Self { call, plan, routing }
    }

    pub const fn is_stream(&self) -> bool {
        self.plan.is_stream
    }

    /// Sends the request and returns the answer as it begins.
    pub async fn run(self) -> Result<Response<RelayBody>, Refusal> {
        let Self { mut call, plan, routing } = self;
        let answered = match send(&plan, &mut call, routing).await {
            Ok(answered) => answered,
            Err(refusal) => {
                let outcome = match refusal.code {
                    Code::EngineTimeout | Code::EngineLost => Outcome::EngineCut,
                    Code::NoHealthyReplica | Code::QueueFull | Code::QueueTimeout => Outcome::EngineUnreachable,
                    // Another platform's word.
                    _ => Outcome::EngineRefused,
                };
                call.settle(Ending::failed(outcome, refusal.code))?;
                return Err(refusal);
            }
        };
        call.note_upstream();
        let Answered { head, upstream, first } = answered;
        let view = View::new(plan.is_usage_wanted, &plan.model.name);
        let body = match first {
            Some(first) => RelayBody::Stream(Box::new(StreamBody::new((first, upstream), call, view))),
            None => relay_answer(upstream, call, (head.status, view)).await?,
        };
        Ok(build_response(head, body))
    }
}

/// An answer with nothing of the engine's head but the kind of its content.
fn build_response(engine: AnswerHead, body: RelayBody) -> Response<RelayBody> {
    let mut response = Response::new(body);
    if matches!(response.body(), RelayBody::Stream(_)) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response.headers_mut().insert(CONTENT_TYPE, engine.kind.unwrap_or(JSON));
    response
}
