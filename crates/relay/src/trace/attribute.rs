//! The attributes of spans. Source of the first ones: OpenTelemetry's semantic conventions for generative AI, HTTP and errors.

/// The name of an attribute, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub name: &'static str,
    pub about: &'static str,
}

const fn describe(name: &'static str, about: &'static str) -> Attribute {
    Attribute { name, about }
}

pub const OPERATION: Attribute = describe("gen_ai.operation.name", "`chat` or `text_completion`");
pub const PROVIDER: Attribute = describe("gen_ai.provider.name", "`keisan`");
pub const REQUEST_MODEL: Attribute = describe("gen_ai.request.model", "the model's name in the catalogue");
pub const RESPONSE_MODEL: Attribute = describe("gen_ai.response.model", "the same, if it answered");
pub const INPUT_TOKENS: Attribute =
    describe("gen_ai.usage.input_tokens", "tokens of the prompt, cached ones among them");
pub const OUTPUT_TOKENS: Attribute =
    describe("gen_ai.usage.output_tokens", "tokens of the answer, reasoning among them");
pub const STATUS: Attribute =
    describe("http.response.status_code", "what the client, or of an attempt this gateway, was answered");
pub const ERROR: Attribute = describe("error.type", "the code of the error, if it ended with one");
pub const RECORD: Attribute = describe("keisan.record_id", "the usage record of the call");
pub const REPLICA: Attribute =
    describe("keisan.replica_id", "the replica that had the call last, or that the attempt was at");
pub const ORGANIZATION: Attribute = describe("keisan.organization_id", "whose call it is");
pub const OUTCOME: Attribute = describe("keisan.outcome", "how the call ended, as its record says");
pub const USAGE_SOURCE: Attribute = describe("keisan.usage_source", "where its tokens were counted");

#[cfg(test)]
pub const ALL: [Attribute; 13] = [
    OPERATION,
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    STATUS,
    ERROR,
    RECORD,
    REPLICA,
    ORGANIZATION,
    OUTCOME,
    USAGE_SOURCE,
];
