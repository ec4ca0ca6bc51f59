//! `keisan._native`: the relay, the door and the rules of crates/route for Python. Thin: it converts, and holds no GIL while the
//! relay works. Types and texts for Python stand in `src/keisan/_native.pyi`.

mod allocator;
mod forward;
mod simulate;

use std::time::Duration;

use keisan_relay::{RelayFault, parse_door_options, parse_options};
use keisan_route::{PriceSheet, Quantities};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// More than this is no time that a shutdown may take.
const TIMEOUT_S_MAX: f64 = 86_400.0;

fn read_timeout(timeout_s: f64) -> PyResult<Duration> {
    if !(0.0..=TIMEOUT_S_MAX).contains(&timeout_s) {
        return Err(PyValueError::new_err(format!("timeout_s: expected 0 to {TIMEOUT_S_MAX}, got {timeout_s}")));
    }
    Ok(Duration::from_secs_f64(timeout_s))
}

fn raise(fault: RelayFault) -> PyErr {
    match fault {
        RelayFault::Invalid(text) => PyValueError::new_err(text),
        RelayFault::System(text) => PyRuntimeError::new_err(text),
    }
}

/// Records of one upload.
#[pyclass(frozen, module = "keisan._native")]
struct UsageBatch(keisan_relay::UsageBatch);

#[pymethods]
impl UsageBatch {
    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }

    #[getter]
    fn cursor(&self) -> &str {
        &self.0.cursor
    }

    #[getter]
    fn size_bytes(&self) -> usize {
        self.0.lines().len()
    }

    fn copy<'py>(&self, py: Python<'py>, start: usize, bytes_max: usize) -> Bound<'py, PyBytes> {
        let behind = self.0.lines().get(start..).unwrap_or_default();
        PyBytes::new(py, &behind[..behind.len().min(bytes_max)])
    }
}

/// One gateway's data plane.
#[pyclass(frozen, module = "keisan._native")]
struct Relay {
    relay: keisan_relay::Relay,
}

#[pymethods]
impl Relay {
    #[new]
    fn new(py: Python<'_>, options: &str) -> PyResult<Self> {
        let options = parse_options(options).map_err(|faults| PyValueError::new_err(faults.join("\n")))?;
        let relay = py.detach(|| keisan_relay::Relay::open(options)).map_err(raise)?;
        Ok(Self { relay })
    }

    fn load_snapshot(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<()> {
        py.detach(|| self.relay.load_snapshot(snapshot)).map_err(raise)
    }

    fn start(&self, py: Python<'_>) -> PyResult<(String, u16)> {
        let address = py.detach(|| self.relay.start()).map_err(raise)?;
        Ok((address.ip().to_string(), address.port()))
    }

    fn read_batch(&self, py: Python<'_>, records_max: usize) -> PyResult<UsageBatch> {
        py.detach(|| self.relay.read_batch(records_max)).map_err(raise).map(UsageBatch)
    }

    fn advance_spool(&self, py: Python<'_>, cursor: &str) -> PyResult<()> {
        py.detach(|| self.relay.advance_spool(cursor)).map_err(raise)
    }

    fn wait_credit(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let timeout = read_timeout(timeout_s)?;
        Ok(py.detach(|| self.relay.wait_credit(timeout)))
    }

    fn report_credit(&self, py: Python<'_>) -> String {
        py.detach(|| self.relay.report_credit())
    }

    fn apply_credit(&self, py: Python<'_>, answer: &str) -> PyResult<()> {
        py.detach(|| self.relay.apply_credit(answer)).map_err(raise)
    }

    fn take_spans<'py>(&self, py: Python<'py>, spans_max: usize) -> Bound<'py, PyBytes> {
        let body = py.detach(|| self.relay.take_spans(spans_max));
        PyBytes::new(py, &body)
    }

    fn drain(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let timeout = read_timeout(timeout_s)?;
        Ok(py.detach(|| self.relay.drain(timeout)))
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.relay.stop());
    }

    fn stats(&self, py: Python<'_>) -> String {
        py.detach(|| self.relay.stats())
    }
}

/// One site's door.
#[pyclass(frozen, module = "keisan._native")]
struct Door {
    door: keisan_relay::Door,
}

#[pymethods]
impl Door {
    #[new]
    fn new(options: &str) -> PyResult<Self> {
        let options = parse_door_options(options).map_err(|faults| PyValueError::new_err(faults.join("\n")))?;
        Ok(Self { door: keisan_relay::Door::open(options) })
    }

    fn start(&self, py: Python<'_>) -> PyResult<(String, u16)> {
        let address = py.detach(|| self.door.start()).map_err(raise)?;
        Ok((address.ip().to_string(), address.port()))
    }

    fn drain(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let timeout = read_timeout(timeout_s)?;
        Ok(py.detach(|| self.door.drain(timeout)))
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.door.stop());
    }

    fn stats(&self, py: Python<'_>) -> String {
        py.detach(|| self.door.stats())
    }
}

/// The amount of `quantities` under `price` in nano-units, both JSON objects, as a decimal text (R3).
#[pyfunction]
fn amount_nano(quantities: &str, price: &str) -> PyResult<String> {
    let quantities: Quantities =
        serde_json::from_str(quantities).map_err(|fault| PyValueError::new_err(format!("quantities: {fault}")))?;
    let price: PriceSheet =
        serde_json::from_str(price).map_err(|fault| PyValueError::new_err(format!("price: {fault}")))?;
    let amount = keisan_route::compute_amount_nano(&quantities, &price);
    amount.map(|nano| nano.to_string()).map_err(|fault| PyValueError::new_err(fault.to_string()))
}

#[pyfunction]
fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// `make/maturin.sh` says so to the compiler.
#[pyfunction]
fn is_built_by_profile() -> bool {
    option_env!("KEISAN_BUILT_BY_PROFILE").is_some()
}

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::forward::decide;
    #[pymodule_export]
    use super::simulate::{Router, hash_prompt};
    #[pymodule_export]
    use super::{Door, Relay, UsageBatch, amount_nano, is_built_by_profile, native_version};
}
