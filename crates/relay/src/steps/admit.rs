//! Step 3: is the request well-formed, may this key ask it of this model, and is there limit, credit and room for it?

use std::sync::Arc;

use keisan_route::block::{estimate_tokens, fold};
use keisan_route::{Blocks, CallBounds, CallRequest, Code, Refusal, read_request};

use crate::exchange::{Admission, Exchange};
use crate::gateway::RequestBytes;
use crate::hold::Hold;
use crate::snapshot::Model;

const NAMES_SHOWN_MAX: usize = 50;

/// Checks a body and reserves what its call needs, before anything is forwarded.
pub async fn admit(exchange: &Exchange, body: &[u8], booked: RequestBytes) -> Result<Admission, Refusal> {
    let request = read_request(exchange.surface, body)?;
    let model = find_model(exchange, &request)?;
    check_needs(&model, &request)?;
    let max_tokens = choose_max_tokens(&model, &request)?;
    let bounds = CallBounds {
        body_bytes: body.len() as u64,
        template_tokens_max: model.template_tokens_max,
        context_tokens: model.context_tokens,
        output_tokens_max: max_tokens,
    };
    let hold = Hold::take(&exchange.gateway, &exchange.key, (&model, &bounds)).await?;
    let prompt_bytes = body.len();
    let prompt = hash_prompt(exchange, &model, &request);
    let mut body = request.compose(max_tokens, "");
    body.pop();
    Ok(Admission {
        model,
        is_stream: request.is_stream,
        is_usage_wanted: request.is_usage_wanted,
        filled_max_tokens: request.max_tokens.is_none().then_some(max_tokens),
        body,
        prompt,
        prompt_tokens: estimate_tokens(prompt_bytes),
        booked,
        hold,
    })
}

/// Where there is no choice of replicas, nothing is hashed.
fn hash_prompt(exchange: &Exchange, model: &Model, request: &CallRequest<'_>) -> Blocks {
    if model.replicas.len() < 2 {
        return Blocks::of(0, b"");
    }
    request.hash_prompt(fold(exchange.gateway.prompt_secret, model.id.as_bytes()))
}

fn find_model(exchange: &Exchange, request: &CallRequest<'_>) -> Result<Arc<Model>, Refusal> {
    let key = &exchange.key;
    // What a ticket pins no price for is not sold to whom it was given.
    let models = exchange.guest.as_ref().map_or(&exchange.snapshot.models, |guest| &guest.models);
    let found = models.get(&request.model).filter(|model| key.may_name(&model.name));
    let Some(model) = found else {
        let names: Vec<&str> = models.keys().map(String::as_str).filter(|name| key.may_name(name)).collect();
        return Err(refuse_model(&names));
    };
    if !model.is_on(request.surface) {
        let text = format!("names a model that is not offered at {}", request.surface.path());
        return Err(Refusal::unsupported("model", text));
    }
    Ok(Arc::clone(model))
}

/// The refusal of a model that this key cannot name, with those that it can.
pub fn refuse_model(names: &[&str]) -> Refusal {
    let shown = names.iter().take(NAMES_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    let text = match names.len() {
        0 => "there is no such model, and none is available to this key".to_owned(),
        count if count > NAMES_SHOWN_MAX => {
            format!("there is no such model; {count} are available to this key, among them: {shown}")
        }
        _ => format!("there is no such model; available to this key: {shown}"),
    };
    Refusal::new(Code::ModelNotFound, text).about("model")
}

fn check_needs(model: &Model, request: &CallRequest<'_>) -> Result<(), Refusal> {
    for need in request.needs.list() {
        let capability = need.capability();
        if !model.can(capability) {
            let text = format!("asks for {capability}, which the model '{}' does not offer", model.name);
            return Err(Refusal::unsupported(need.field(), text));
        }
    }
    Ok(())
}

fn choose_max_tokens(model: &Model, request: &CallRequest<'_>) -> Result<u64, Refusal> {
    let most = model.output_tokens_max;
    match request.max_tokens {
        Some(wanted) if wanted > most => {
            let text = format!("must be at most {most} for this model, got {wanted}");
            Err(Refusal::invalid_value("max_tokens", text))
        }
        Some(wanted) => Ok(wanted),
        None => Ok(most),
    }
}
