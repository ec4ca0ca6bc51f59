//! Why a request is not served: a stable code, a text for outside, and the field it is about.

/// Stable codes of refusals; each has one HTTP status and says whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    InvalidApiKey,
    KeyNotAdmitted,
    PermissionDenied,
    NotFound,
    MethodNotAllowed,
    InvalidJson,
    InvalidType,
    MissingField,
    InvalidValue,
    UnsupportedValue,
    UnknownParameter,
    BodyTooLarge,
    BodyUnreadable,
    ModelNotFound,
    ContextLengthExceeded,
    EngineRefused,
    InvalidPolicy,
    InsufficientCredit,
    PolicyUnsatisfied,
    RateLimitExceeded,
    CallsLimitExceeded,
    RequestBytesFull,
    CreditUnavailable,
    SnapshotExpired,
    SpoolFull,
    SpoolFailed,
    NoHealthyReplica,
    QueueFull,
    QueueTimeout,
    EngineError,
    EngineLost,
    EngineTimeout,
    MeteringFailed,
    NotReady,
    CallBlockInvalid,
    CallOffPath,
    CallLooped,
    CallRepeated,
    PlatformUnknown,
    PlatformUnreachable,
    TicketUnknown,
    TicketMisplaced,
    TicketExpired,
    TicketSpent,
}

impl Code {
    /// Every code, so that metrics and tests can walk them.
    pub const ALL: [Self; 44] = [
        Self::InvalidApiKey,
        Self::KeyNotAdmitted,
        Self::PermissionDenied,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::InvalidJson,
        Self::InvalidType,
        Self::MissingField,
        Self::InvalidValue,
        Self::UnsupportedValue,
        Self::UnknownParameter,
        Self::BodyTooLarge,
        Self::BodyUnreadable,
        Self::ModelNotFound,
        Self::ContextLengthExceeded,
        Self::EngineRefused,
        Self::InvalidPolicy,
        Self::InsufficientCredit,
        Self::PolicyUnsatisfied,
        Self::RateLimitExceeded,
        Self::CallsLimitExceeded,
        Self::RequestBytesFull,
        Self::CreditUnavailable,
        Self::SnapshotExpired,
        Self::SpoolFull,
        Self::SpoolFailed,
        Self::NoHealthyReplica,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::EngineError,
        Self::EngineLost,
        Self::EngineTimeout,
        Self::MeteringFailed,
        Self::NotReady,
        Self::CallBlockInvalid,
        Self::CallOffPath,
        Self::CallLooped,
        Self::CallRepeated,
        Self::PlatformUnknown,
        Self::PlatformUnreachable,
        Self::TicketUnknown,
        Self::TicketMisplaced,
        Self::TicketExpired,
        Self::TicketSpent,
    ];

    /// The code as clients see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "invalid_api_key",
            Self::KeyNotAdmitted => "key_not_admitted",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::InvalidJson => "invalid_json",
            Self::InvalidType => "invalid_type",
            Self::MissingField => "missing_field",
            Self::InvalidValue => "invalid_value",
            Self::UnsupportedValue => "unsupported_value",
            Self::UnknownParameter => "unknown_parameter",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyUnreadable => "body_unreadable",
            Self::ModelNotFound => "model_not_found",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::EngineRefused => "engine_refused",
            Self::InvalidPolicy => "invalid_policy",
            Self::InsufficientCredit => "insufficient_credit",
            Self::PolicyUnsatisfied => "policy_unsatisfied",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::CallsLimitExceeded => "calls_limit_exceeded",
            Self::RequestBytesFull => "request_bytes_full",
            Self::CreditUnavailable => "credit_unavailable",
            Self::SnapshotExpired => "snapshot_expired",
            Self::SpoolFull => "spool_full",
            Self::SpoolFailed => "spool_failed",
            Self::NoHealthyReplica => "no_healthy_replica",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::EngineError => "engine_error",
            Self::EngineLost => "engine_lost",
            Self::EngineTimeout => "engine_timeout",
            Self::MeteringFailed => "metering_failed",
            Self::NotReady => "not_ready",
            Self::CallBlockInvalid => "call_block_invalid",
            Self::CallOffPath => "call_off_path",
            Self::CallLooped => "call_looped",
            Self::CallRepeated => "call_repeated",
            Self::PlatformUnknown => "platform_unknown",
            Self::PlatformUnreachable => "platform_unreachable",
            Self::TicketUnknown => "ticket_unknown",
            Self::TicketMisplaced => "ticket_misplaced",
            Self::TicketExpired => "ticket_expired",
            Self::TicketSpent => "ticket_spent",
        }
    }

    /// The code of this name, as another platform said it; nothing for one of a later version.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidApiKey => 401,
            Self::InsufficientCredit | Self::TicketSpent => 402,
            Self::PermissionDenied
            | Self::KeyNotAdmitted
            | Self::PolicyUnsatisfied
            | Self::CallOffPath
            | Self::CallLooped
            | Self::TicketUnknown
            | Self::TicketMisplaced
            | Self::TicketExpired => 403,
            Self::NotFound | Self::ModelNotFound | Self::PlatformUnknown => 404,
            Self::MethodNotAllowed => 405,
            Self::CallRepeated => 409,
            Self::BodyTooLarge => 413,
            Self::InvalidJson
            | Self::InvalidType
            | Self::MissingField
            | Self::InvalidValue
            | Self::UnsupportedValue
            | Self::UnknownParameter
            | Self::BodyUnreadable
            | Self::ContextLengthExceeded
            | Self::EngineRefused
            | Self::InvalidPolicy
            | Self::CallBlockInvalid => 400,
            Self::RateLimitExceeded | Self::CallsLimitExceeded => 429,
            Self::EngineError | Self::EngineLost => 502,
            Self::EngineTimeout => 504,
            Self::MeteringFailed => 500,
            Self::RequestBytesFull
            | Self::CreditUnavailable
            | Self::SnapshotExpired
            | Self::SpoolFull
            | Self::SpoolFailed
            | Self::NoHealthyReplica
            | Self::QueueFull
            | Self::QueueTimeout
            | Self::PlatformUnreachable
            | Self::NotReady => 503,
        }
    }

    /// Tells whether a platform that says so has begun nothing: the call may then go elsewhere, and none pays twice.
    pub const fn is_before_serving(self) -> bool {
        !matches!(
            self,
            Self::EngineError
                | Self::EngineLost
                | Self::EngineTimeout
                | Self::EngineRefused
                | Self::MeteringFailed
                | Self::CallRepeated
        )
    }

    /// Tells whether the same request may succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(self.status(), 429 | 500..)
    }

    /// The error type in `OpenAI`'s words.
    pub const fn kind(self) -> &'static str {
        match self.status() {
            402 => "insufficient_quota",
            403 => "permission_error",
            429 => "rate_limit_error",
            status if status < 500 => "invalid_request_error",
            503 => "service_unavailable_error",
            _ => "server_error",
        }
    }
}

/// A refusal; `message` never carries paths, sockets or an engine's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
    pub param: Option<String>,
    /// How long until the same request may pass, where that is known.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None, retry_after_ms: None }
    }

    /// Says when to try again.
    #[must_use]
    pub fn after(mut self, wait_ms: u64) -> Self {
        self.retry_after_ms = Some(wait_ms);
        self
    }

    /// Names the field that the refusal is about.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub fn invalid_type(param: &str, expected: &str) -> Self {
        Self::new(Code::InvalidType, format!("'{param}' must be {expected}")).about(param)
    }

    pub fn invalid_value(param: &str, text: impl std::fmt::Display) -> Self {
        Self::new(Code::InvalidValue, format!("'{param}' {text}")).about(param)
    }

    pub fn missing(param: &str) -> Self {
        Self::new(Code::MissingField, format!("'{param}' is required")).about(param)
    }

    pub fn unsupported(param: &str, text: impl std::fmt::Display) -> Self {
        Self::new(Code::UnsupportedValue, format!("'{param}' {text}")).about(param)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn only_what_passes_by_itself_is_retryable() {
        for code in Code::ALL {
            assert_eq!(code.is_retryable(), code.status() >= 500 || code.status() == 429, "{}", code.name());
            let is_about_the_caller = matches!(code.status(), 402 | 403 | 429);
            assert_eq!(code.kind() == "invalid_request_error", code.status() < 500 && !is_about_the_caller);
        }
    }
}
