//! GET /v1/models: the models that a key may name.

use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use keisan_route::{PriceSheet, Refusal};
use serde::Serialize;

use crate::body::RelayBody;
use crate::replica::Replica;
use crate::snapshot::{Key, Model, Offer, Snapshot};
use crate::steps::admit::refuse_model;

#[derive(Serialize)]
struct ModelView<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    context_length: u64,
    max_output_tokens: u64,
    /// Other platforms that have it, beside or in place of this one; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offers: Vec<OfferView<'a>>,
}

/// What one platform offers of a model. Prices are what platforms owe each other; a customer pays the model's own.
#[derive(Serialize)]
struct OfferView<'a> {
    platform_id: &'a str,
    platform: &'a str,
    region: &'a str,
    chip: &'a str,
    model_digest: &'a str,
    currency: &'a str,
    nano_per_million: &'a PriceSheet,
    verdict: &'static str,
}

#[derive(Serialize)]
struct ModelList<'a> {
    object: &'static str,
    data: Vec<ModelView<'a>>,
}

pub fn list_models(key: &Key, snapshot: &Snapshot) -> Response<RelayBody> {
    let data = select_models(key, snapshot).map(view_model).collect();
    answer_json(&ModelList { object: "list", data })
}

pub fn get_model(key: &Key, snapshot: &Snapshot, name: &str) -> Result<Response<RelayBody>, Refusal> {
    let found = snapshot.models.get(name).filter(|model| key.may_name(&model.name));
    let Some(model) = found else {
        let names: Vec<&str> = select_models(key, snapshot).map(|model| model.name.as_str()).collect();
        return Err(refuse_model(&names));
    };
    Ok(answer_json(&view_model(model)))
}

fn select_models<'a>(key: &'a Key, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Model> {
    snapshot.models.values().map(AsRef::as_ref).filter(|model| key.may_name(&model.name))
}

fn view_model(model: &Model) -> ModelView<'_> {
    ModelView {
        id: &model.name,
        object: "model",
        created: model.created_at_s,
        owned_by: &model.owner,
        context_length: model.context_tokens,
        max_output_tokens: model.output_tokens_max,
        offers: model.list_offers().map(view_offer).collect(),
    }
}

fn view_offer<'a>((replica, offer): (&'a Replica, &'a Offer)) -> OfferView<'a> {
    OfferView {
        platform_id: &offer.platform_id,
        platform: &offer.platform_name,
        region: &offer.region,
        chip: &offer.chip,
        model_digest: &replica.row.model_digest,
        currency: offer.currency.code(),
        nano_per_million: &offer.price,
        verdict: replica.tell_verdict().name(),
    }
}

pub fn answer_json(value: &impl Serialize) -> Response<RelayBody> {
    // Texts and numbers always serialize.
    let mut response = Response::new(RelayBody::full(serde_json::to_vec(value).unwrap_or_default()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
