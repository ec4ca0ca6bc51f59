//! The site's door (R9): the one way from other hosts to a site's replicas. It lets gateways in by a secret, and passes
//! bytes between them and the engines' sockets as they come. It knows no key, no price and no model, and keeps nothing.

mod access;
mod body;
mod forward;
mod host;
mod options;
mod process;

use hyper::header::HeaderName;

pub use options::{DoorOptions, parse_door_options};
pub use process::Door;

/// Marks an answer of the door's own, with its code: not a byte of it is an engine's.
pub const DOOR_CODE: HeaderName = HeaderName::from_static("keisan-door-code");
