//! What a gateway is started with; all faults are found at once, as "expected X, got Y".

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::federation::CredentialFiles;

/// Limits, each with its unit. Source of the defaults: the contract with the Python shell.
#[derive(Clone, Debug)]
pub struct Limits {
    pub body_bytes_max: u64,
    pub request_bytes_in_flight_max: u64,
    pub queue_requests_max: u64,
    pub connections_max: u64,
    pub head_read_timeout_s: u64,
    pub upstream_connect_timeout_s: u64,
    pub first_byte_timeout_s: u64,
    pub stream_idle_timeout_s: u64,
    pub drain_after_client_s: u64,
    pub client_idle_timeout_s: u64,
    pub drain_idle_timeout_s: u64,
    pub event_bytes_max: u64,
    pub response_bytes_max: u64,
    pub spool_bytes_max: u64,
    pub credit_wait_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            request_bytes_in_flight_max: 256 << 20,
            queue_requests_max: 16,
            connections_max: 10_000,
            head_read_timeout_s: 10,
            upstream_connect_timeout_s: 2,
            first_byte_timeout_s: 120,
            stream_idle_timeout_s: 60,
            drain_after_client_s: 30,
            client_idle_timeout_s: 60,
            drain_idle_timeout_s: 1,
            event_bytes_max: 1 << 20,
            response_bytes_max: 64 << 20,
            spool_bytes_max: 1 << 30,
            credit_wait_ms: 2_000,
        }
    }
}

/// A certificate chain and its key, as PEM files that are read again when they change.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// Where to listen, as what, and on how many threads.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    pub host: String,
    pub port: u16,
    pub certificate: Option<CertificateFiles>,
    pub worker_threads: usize,
    /// Where the process that listens here now gives its socket away, and where this one will.
    pub handover_path: Option<PathBuf>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub host: String,
    pub port: u16,
}

impl Place {
    /// Reads `host:port`; an IPv6 address stands in brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok()?;
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }
}

/// How a gateway speaks with those of other platforms.
#[derive(Clone, Debug)]
pub struct FederationOptions {
    pub files: CredentialFiles,
    /// Where children and siblings come in; without it none does.
    pub listen: Option<Place>,
    /// The gateways of the parent, which are dialled.
    pub parents: Vec<Place>,
}

/// Everything a gateway is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub gateway_id: String,
    pub platform_id: String,
    /// Of this process: tickets are leased to it.
    pub incarnation: String,
    pub listen: ListenOptions,
    /// Certificates that doors are checked against; without it none that speaks TLS is trusted.
    pub upstream_ca_path: Option<PathBuf>,
    pub spool_directory: PathBuf,
    /// None: with no other platform.
    pub federation: Option<FederationOptions>,
    /// The part of the traces begun here that is sampled; None collects no spans at all.
    pub trace_sample_ppm: Option<u64>,
    pub limits: Limits,
}

/// Reads options; on error returns every fault.
pub fn parse_options(text: &str) -> Result<Options, Vec<String>> {
    let mut reader = Reader::open(text).map_err(|fault| vec![fault])?;
    let gateway_id = reader.take_text("gateway_id");
    let platform_id = reader.take_text("platform_id");
    let incarnation = reader.take_text("incarnation");
    let listen = reader.take_listen();
    let upstream_ca_path = reader.take_path("upstream_ca_path");
    let spool_directory = reader.take_text("spool_directory").into();
    let trace_sample_ppm = reader.take_optional_number("trace_sample_ppm", (0, 1_000_000));
    let federation = reader.take_federation();
    let mut limits = Limits::default();
    reader.take_limits(&mut limits.list());
    reader.finish(Options {
        gateway_id,
        platform_id,
        incarnation,
        listen,
        upstream_ca_path,
        spool_directory,
        federation,
        trace_sample_ppm,
        limits,
    })
}

/// Takes fields one by one and gathers what is wrong with them.
pub struct Reader {
    prefix: &'static str,
    fields: Map<String, Value>,
    faults: Vec<String>,
}

/// A limit's name, its place and its range.
pub type LimitSlot<'a> = (&'static str, &'a mut u64, (u64, u64));

impl Reader {
    pub fn open(text: &str) -> Result<Self, String> {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(fields)) => Ok(Self { prefix: "", fields, faults: Vec::new() }),
            Ok(other) => Err(format!("options: expected an object, got {}", name_kind(&other))),
            Err(fault) => Err(format!("options: expected JSON, got {fault}")),
        }
    }

    /// Returns what was read unless something was wrong with it.
    pub fn finish<T>(mut self, options: T) -> Result<T, Vec<String>> {
        self.refuse_unknown();
        if self.faults.is_empty() { Ok(options) } else { Err(self.faults) }
    }

    pub fn take_listen(&mut self) -> ListenOptions {
        let host = self.take_text("listen_host");
        let port = self.take_number("listen_port", None, (0, 65_535));
        let chain = self.take_path("certificate_path");
        let key = self.take_path("certificate_key_path");
        if chain.is_some() != key.is_some() {
            let text = "certificate_path: expected both certificate_path and certificate_key_path, got one";
            self.faults.push(text.to_owned());
        }
        let worker_threads = self.take_number("worker_threads", Some(1), (1, 256));
        ListenOptions {
            host,
            port: u16::try_from(port).unwrap_or(0),
            certificate: chain.zip(key).map(|(chain, key)| CertificateFiles { chain, key }),
            worker_threads: usize::try_from(worker_threads).unwrap_or(1),
            handover_path: self.take_path("handover_path"),
        }
    }

    fn blame(&mut self, name: &str, expected: &str, got: Option<&Value>) {
        let got = got.map_or("nothing".to_owned(), |value| match value {
            Value::Number(number) => number.to_string(),
            other => name_kind(other).to_owned(),
        });
        self.faults.push(format!("{}{name}: expected {expected}, got {got}", self.prefix));
    }

    pub fn take_text(&mut self, name: &str) -> String {
        match self.fields.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => text,
            other => {
                self.blame(name, "a text", other.as_ref());
                String::new()
            }
        }
    }

    pub fn take_path(&mut self, name: &str) -> Option<PathBuf> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if !text.is_empty() => Some(text.into()),
            other => {
                self.blame(name, "a path or null", other.as_ref());
                None
            }
        }
    }

    pub fn take_number(&mut self, name: &str, default: Option<u64>, (least, most): (u64, u64)) -> u64 {
        let value = self.fields.remove(name);
        let number = if value.is_none() { default } else { value.as_ref().and_then(Value::as_u64) };
        match number {
            Some(number) if (least..=most).contains(&number) => number,
            _ => {
                self.blame(name, &format!("an integer from {least} to {most}"), value.as_ref());
                least
            }
        }
    }

    pub fn take_optional_number(&mut self, name: &str, range: (u64, u64)) -> Option<u64> {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.fields.remove(name);
            return None;
        }
        Some(self.take_number(name, None, range))
    }

    pub fn take_limits(&mut self, slots: &mut [LimitSlot<'_>]) {
        let fields = match self.fields.remove("limits") {
            None => return,
            Some(Value::Object(fields)) => fields,
            other => return self.blame("limits", "an object", other.as_ref()),
        };
        let mut reader = Self { prefix: "limits.", fields, faults: Vec::new() };
        for (name, slot, range) in slots {
            **slot = reader.take_number(name, Some(**slot), *range);
        }
        reader.refuse_unknown();
        self.faults.append(&mut reader.faults);
    }

    fn take_federation(&mut self) -> Option<FederationOptions> {
        let fields = match self.fields.remove("federation") {
            None | Some(Value::Null) => return None,
            Some(Value::Object(fields)) => fields,
            other => {
                self.blame("federation", "an object or null", other.as_ref());
                return None;
            }
        };
        let mut reader = Self { prefix: "federation.", fields, faults: Vec::new() };
        let files = CredentialFiles {
            chain: reader.take_text("certificate_path").into(),
            key: reader.take_text("certificate_key_path").into(),
            authorities: reader.take_text("ca_path").into(),
        };
        let (listen, parents) = (reader.take_place("listen"), reader.take_places("parents"));
        reader.refuse_unknown();
        self.faults.append(&mut reader.faults);
        Some(FederationOptions { files, listen, parents })
    }

    fn take_place(&mut self, name: &str) -> Option<Place> {
        let value = self.fields.remove(name).filter(|value| !value.is_null())?;
        let place = value.as_str().and_then(Place::parse);
        if place.is_none() {
            self.blame(name, "host:port or null", Some(&value));
        }
        place
    }

    fn take_places(&mut self, name: &str) -> Vec<Place> {
        let value = self.fields.remove(name).unwrap_or_else(|| Value::Array(Vec::new()));
        let read = |values: &Vec<Value>| values.iter().map(|text| Place::parse(text.as_str()?)).collect();
        let places: Option<Vec<Place>> = value.as_array().and_then(read);
        if places.is_none() {
            self.blame(name, "a list of host:port", Some(&value));
        }
        places.unwrap_or_default()
    }

    fn refuse_unknown(&mut self) {
        for name in self.fields.keys() {
            self.faults.push(format!("{}{name}: expected no such option, got one", self.prefix));
        }
    }
}

/// An hour bounds every time; sizes stay where sums cannot overflow.
pub const TIME: (u64, u64) = (1, 3_600);
pub const BYTES: (u64, u64) = (1_024, 1 << 40);

impl Limits {
    /// Each limit with its name and range.
    fn list(&mut self) -> [LimitSlot<'_>; 15] {
        [
            ("body_bytes_max", &mut self.body_bytes_max, BYTES),
            ("request_bytes_in_flight_max", &mut self.request_bytes_in_flight_max, BYTES),
            ("queue_requests_max", &mut self.queue_requests_max, (0, 1 << 20)),
            ("connections_max", &mut self.connections_max, (1, 1 << 20)),
            ("head_read_timeout_s", &mut self.head_read_timeout_s, TIME),
            ("upstream_connect_timeout_s", &mut self.upstream_connect_timeout_s, TIME),
            ("first_byte_timeout_s", &mut self.first_byte_timeout_s, TIME),
            ("stream_idle_timeout_s", &mut self.stream_idle_timeout_s, TIME),
            ("drain_after_client_s", &mut self.drain_after_client_s, (0, 3_600)),
            ("client_idle_timeout_s", &mut self.client_idle_timeout_s, TIME),
            ("drain_idle_timeout_s", &mut self.drain_idle_timeout_s, (0, 3_600)),
            ("event_bytes_max", &mut self.event_bytes_max, BYTES),
            ("response_bytes_max", &mut self.response_bytes_max, BYTES),
            ("spool_bytes_max", &mut self.spool_bytes_max, BYTES),
            ("credit_wait_ms", &mut self.credit_wait_ms, (0, 60_000)),
        ]
    }
}

fn name_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_come_at_once() {
        let text = r#"{"gateway_id":"", "listen_host":"127.0.0.1", "listen_port":70000, "certificate_path":"a",
            "spool_directory":"s", "trace_sample_ppm":1000001,
            "federation":{"certificate_path":"c","ca_path":"","listen":"nowhere","parents":["a:1","b"],"colour":1}, "limits":{"body_bytes_max":"x","colour":1}, "shape":2}"#;
        let faults = parse_options(text).unwrap_err();
        assert_eq!(
            faults,
            [
                "gateway_id: expected a text, got an empty text",
                "platform_id: expected a text, got nothing",
                "incarnation: expected a text, got nothing",
                "listen_port: expected an integer from 0 to 65535, got 70000",
                "certificate_path: expected both certificate_path and certificate_key_path, got one",
                "trace_sample_ppm: expected an integer from 0 to 1000000, got 1000001",
                "federation.certificate_key_path: expected a text, got nothing",
                "federation.ca_path: expected a text, got an empty text",
                "federation.listen: expected host:port or null, got a text",
                "federation.parents: expected a list of host:port, got an array",
                "federation.colour: expected no such option, got one",
                "limits.body_bytes_max: expected an integer from 1024 to 1099511627776, got a text",
                "limits.colour: expected no such option, got one",
                "shape: expected no such option, got one",
            ]
        );
        assert!(parse_options("[]").is_err() && parse_options("{").is_err());
    }

    #[test]
    fn the_contract_s_options_are_read() {
        let text = r#"{"gateway_id":"g","platform_id":"p","incarnation":"i","listen_host":"127.0.0.1","listen_port":0,"certificate_path":null,
            "certificate_key_path":null,"spool_directory":"s","worker_threads":2,"limits":{"queue_requests_max":3}}"#;
        let options = parse_options(text).unwrap();
        assert_eq!((options.listen.worker_threads, options.limits.queue_requests_max), (2, 3));
        assert_eq!((options.limits.body_bytes_max, options.trace_sample_ppm), (4_194_304, None));
        let federation = r#"{"federation":{"certificate_path":"c","certificate_key_path":"k","ca_path":"a",
            "listen":"[::1]:7","parents":["parent.example:8443"]},"#;
        let joined = parse_options(&text.replacen('{', federation, 1)).unwrap().federation.unwrap();
        let place = |host: &str, port| Place { host: host.to_owned(), port };
        assert_eq!((joined.listen, joined.parents), (Some(place("::1", 7)), vec![place("parent.example", 8443)]));
        let sampling = text.replacen('{', r#"{"trace_sample_ppm":0,"#, 1);
        assert_eq!(parse_options(&sampling).unwrap().trace_sample_ppm, Some(0));
    }
}
