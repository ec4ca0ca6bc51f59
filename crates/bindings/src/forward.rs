//! What becomes of a call from another platform, for simulations: the rule that gateways go by.

use keisan_route::{ForwardedCall, Forwarding, Here, Peer, Side, Verdict, Way, decide_forward};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct CallText {
    home_id: String,
    audience_id: String,
    hops_left: u32,
}

#[derive(Deserialize)]
struct PeerText {
    platform_id: String,
    side: Option<Side>,
}

#[derive(Deserialize)]
struct WayText {
    neighbour_id: String,
    side: Side,
    verdict: Verdict,
}

#[derive(Deserialize)]
struct HereText {
    platform_id: String,
    way_home: Option<WayText>,
    way_on: Option<WayText>,
}

/// All that a decision is made of.
#[derive(Deserialize)]
struct Question {
    call: CallText,
    peer: PeerText,
    here: HereText,
}

impl WayText {
    fn view(&self) -> Way<'_> {
        Way { neighbour_id: &self.neighbour_id, side: self.side, verdict: self.verdict }
    }
}

/// The first text is "serve", "pass" or "refuse", the second the neighbour's id or the refusal's code.
#[pyfunction]
#[pyo3(name = "decide_forward")]
pub fn decide(question: &str) -> PyResult<(&'static str, String)> {
    let Question { call, peer, here } =
        serde_json::from_str(question).map_err(|fault| PyValueError::new_err(format!("question: {fault}")))?;
    let call = ForwardedCall { home_id: &call.home_id, audience_id: &call.audience_id, hops_left: call.hops_left };
    let peer = Peer { platform_id: &peer.platform_id, side: peer.side };
    let here = Here {
        platform_id: &here.platform_id,
        way_home: here.way_home.as_ref().map(WayText::view),
        way_on: here.way_on.as_ref().map(WayText::view),
    };
    Ok(match decide_forward(call, peer, &here) {
        Ok(Forwarding::Serve) => ("serve", String::new()),
        Ok(Forwarding::Pass(neighbour_id)) => ("pass", neighbour_id.to_owned()),
        Err(refusal) => ("refuse", refusal.code.name().to_owned()),
    })
}
