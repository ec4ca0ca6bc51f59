//! What a door is started with; all faults are found at once, as "expected X, got Y".

use std::path::PathBuf;

use crate::options::{BYTES, LimitSlot, ListenOptions, Reader, TIME};

/// Limits, each with its unit.
#[derive(Clone, Debug)]
pub struct DoorLimits {
    /// Twice what a gateway takes from its clients: theirs is the limit that people meet.
    pub body_bytes_max: u64,
    pub connections_max: u64,
    pub head_read_timeout_s: u64,
    pub engine_connect_timeout_s: u64,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self { body_bytes_max: 8 << 20, connections_max: 1_000, head_read_timeout_s: 10, engine_connect_timeout_s: 2 }
    }
}

impl DoorLimits {
    fn list(&mut self) -> [LimitSlot<'_>; 4] {
        [
            ("body_bytes_max", &mut self.body_bytes_max, BYTES),
            ("connections_max", &mut self.connections_max, (1, 1 << 20)),
            ("head_read_timeout_s", &mut self.head_read_timeout_s, TIME),
            ("engine_connect_timeout_s", &mut self.engine_connect_timeout_s, TIME),
        ]
    }
}

/// Everything a door is started with. `access_path` is the file that says who may enter, and to what.
#[derive(Clone, Debug)]
pub struct DoorOptions {
    pub listen: ListenOptions,
    pub access_path: PathBuf,
    pub limits: DoorLimits,
}

/// Reads options; on error returns every fault.
pub fn parse_door_options(text: &str) -> Result<DoorOptions, Vec<String>> {
    let mut reader = Reader::open(text).map_err(|fault| vec![fault])?;
    let listen = reader.take_listen();
    let access_path = reader.take_text("access_path").into();
    let mut limits = DoorLimits::default();
    reader.take_limits(&mut limits.list());
    reader.finish(DoorOptions { listen, access_path, limits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_all_faults_come_at_once() {
        let text = r#"{"listen_host":"127.0.0.1","listen_port":0,"access_path":"a","limits":{"body_bytes_max":2048}}"#;
        let options = parse_door_options(text).unwrap();
        assert_eq!((options.limits.body_bytes_max, options.limits.engine_connect_timeout_s), (2_048, 2));
        assert_eq!(options.listen.worker_threads, 1);
        let faults =
            parse_door_options(r#"{"listen_host":"h","listen_port":0,"limits":{"x":1},"gateway_id":"g"}"#).unwrap_err();
        assert_eq!(
            faults,
            [
                "access_path: expected a text, got nothing",
                "limits.x: expected no such option, got one",
                "gateway_id: expected no such option, got one",
            ]
        );
    }
}
