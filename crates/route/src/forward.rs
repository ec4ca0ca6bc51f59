//! What becomes of a call that came from another platform: served here, passed on along the tree, or refused.
//!
//! Why no call goes in a circle, whatever tables of ways say: a call may rise from children to parents and then sink
//! from parents to children, and one that sinks never rises again. Both can go on only as far as the tree is deep.

use serde::{Deserialize, Serialize};

use crate::candidate::Verdict;
use crate::refusal::{Code, Refusal};

/// Platforms that a call may pass on its way. A tree with this many levels has no longer way.
pub const HOPS_MAX: u32 = 16;

/// What a neighbour in the tree is, as seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Parent,
    Child,
}

/// The platform at the other end of the connection, by its certificate; without a side it is no neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer<'a> {
    pub platform_id: &'a str,
    pub side: Option<Side>,
}

/// What a call says of itself. None of it is believed before it fits what is known here.
#[derive(Clone, Copy, Debug)]
pub struct ForwardedCall<'a> {
    /// Whose customer it is.
    pub home_id: &'a str,
    /// Who is to serve it.
    pub audience_id: &'a str,
    pub hops_left: u32,
}

/// The next platform towards another one, a neighbour of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way<'a> {
    pub neighbour_id: &'a str,
    pub side: Side,
    /// Of the way, and of the platform at its end.
    pub verdict: Verdict,
}

/// What this platform knows. A way is none if the platform is not known here.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    pub platform_id: &'a str,
    pub way_home: Option<Way<'a>>,
    pub way_on: Option<Way<'a>>,
}

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding<'a> {
    /// By a replica of this platform, and by no other.
    Serve,
    /// To this neighbour.
    Pass(&'a str),
}

/// Decides about a call that came from `peer`.
pub fn decide_forward<'a>(call: ForwardedCall<'_>, peer: Peer<'_>, here: &Here<'a>) -> Result<Forwarding<'a>, Refusal> {
    if call.home_id == here.platform_id {
        return Err(refuse_loop("it began at this platform"));
    }
    check_origin(call, peer, here)?;
    if call.audience_id == here.platform_id {
        return Ok(Forwarding::Serve);
    }
    pass_on(call, peer, here)
}

/// A call comes from its home itself, or from the neighbour that its home lies behind: nobody speaks for another platform
/// that is not on the way. Who is no neighbour speaks for itself, to be served here, and passes nothing through.
fn check_origin(call: ForwardedCall<'_>, peer: Peer<'_>, here: &Here<'_>) -> Result<(), Refusal> {
    let is_home_itself = peer.platform_id == call.home_id;
    let is_on_way = here.way_home.is_some_and(|way| way.neighbour_id == peer.platform_id);
    let may_speak = match peer.side {
        None => is_home_itself && call.audience_id == here.platform_id,
        Some(_) => is_home_itself || is_on_way,
    };
    if may_speak {
        return Ok(());
    }
    Err(Refusal::new(
        Code::CallOffPath,
        "this call does not come from its home platform, nor from the neighbour towards it",
    ))
}

fn pass_on<'a>(call: ForwardedCall<'_>, peer: Peer<'_>, here: &Here<'a>) -> Result<Forwarding<'a>, Refusal> {
    let Some(way) = here.way_on else {
        return Err(Refusal::new(Code::PlatformUnknown, "the platform that this call is for is not known here"));
    };
    if way.neighbour_id == peer.platform_id {
        return Err(refuse_loop("its way leads back where it came from"));
    }
    if peer.side == Some(Side::Parent) && way.side == Side::Parent {
        return Err(refuse_loop("it came down the tree, and its way leads up again"));
    }
    if call.hops_left == 0 {
        return Err(refuse_loop("it has passed as many platforms as a call may"));
    }
    if way.verdict != Verdict::Ok {
        return Err(Refusal::new(Code::PlatformUnreachable, "there is no way to the platform that this call is for"));
    }
    Ok(Forwarding::Pass(way.neighbour_id))
}

fn refuse_loop(why: &str) -> Refusal {
    Refusal::new(Code::CallLooped, format!("this call goes in a circle: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Way<'_> = Way { neighbour_id: "nation", side: Side::Parent, verdict: Verdict::Ok };
    const DOWN: Way<'_> = Way { neighbour_id: "county", side: Side::Child, verdict: Verdict::Ok };
    const OTHER: Way<'_> = Way { neighbour_id: "town", side: Side::Child, verdict: Verdict::Ok };

    fn call<'a>(home_id: &'a str, audience_id: &'a str) -> ForwardedCall<'a> {
        ForwardedCall { home_id, audience_id, hops_left: 3 }
    }

    fn from(way: Way<'_>) -> Peer<'_> {
        Peer { platform_id: way.neighbour_id, side: Some(way.side) }
    }

    fn here<'a>(way_home: Option<Way<'a>>, way_on: Option<Way<'a>>) -> Here<'a> {
        Here { platform_id: "province", way_home, way_on }
    }

    fn decide<'a>(call: ForwardedCall<'_>, peer: Peer<'_>, here: &Here<'a>) -> Result<Forwarding<'a>, Code> {
        decide_forward(call, peer, here).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_call_for_this_platform_is_served_here() {
        let known = here(Some(UP), None);
        assert_eq!(decide(call("coast", "province"), from(UP), &known), Ok(Forwarding::Serve));
        assert_eq!(decide(call("nation", "province"), from(UP), &here(None, None)), Ok(Forwarding::Serve));
        let spent = ForwardedCall { hops_left: 0, ..call("coast", "province") };
        assert_eq!(decide(spent, from(UP), &known), Ok(Forwarding::Serve));
    }

    #[test]
    fn a_call_for_another_goes_along_its_way_only() {
        let rising = here(Some(DOWN), Some(UP));
        assert_eq!(decide(call("village", "coast"), from(DOWN), &rising), Ok(Forwarding::Pass("nation")));
        let turning = here(Some(DOWN), Some(OTHER));
        assert_eq!(decide(call("county", "town"), from(DOWN), &turning), Ok(Forwarding::Pass("town")));
        let sinking = here(Some(UP), Some(DOWN));
        assert_eq!(decide(call("coast", "village"), from(UP), &sinking), Ok(Forwarding::Pass("county")));
    }

    #[test]
    fn nobody_speaks_for_a_platform_that_is_not_behind_it() {
        for peer in [from(OTHER), from(UP)] {
            assert_eq!(decide(call("county", "province"), peer, &here(Some(DOWN), None)), Err(Code::CallOffPath));
        }
        assert_eq!(decide(call("nowhere", "province"), from(UP), &here(None, None)), Err(Code::CallOffPath));
    }

    #[test]
    fn who_is_no_neighbour_is_served_for_itself_and_passes_nothing() {
        let sibling = Peer { platform_id: "coast", side: None };
        let known = here(Some(UP), Some(DOWN));
        assert_eq!(decide(call("coast", "province"), sibling, &known), Ok(Forwarding::Serve));
        assert_eq!(decide(call("coast", "county"), sibling, &known), Err(Code::CallOffPath));
        assert_eq!(decide(call("island", "province"), sibling, &known), Err(Code::CallOffPath));
    }

    #[test]
    fn circles_are_refused() {
        let own = decide(call("province", "coast"), from(DOWN), &here(None, Some(UP)));
        let back = decide(call("village", "other"), from(DOWN), &here(Some(DOWN), Some(DOWN)));
        let up_again = Way { neighbour_id: "second", ..UP };
        let risen = decide(call("coast", "island"), from(UP), &here(Some(UP), Some(up_again)));
        let tired = ForwardedCall { hops_left: 0, ..call("village", "coast") };
        let tired = decide(tired, from(DOWN), &here(Some(DOWN), Some(UP)));
        assert_eq!([own, back, risen, tired], [Err(Code::CallLooped); 4]);
    }

    #[test]
    fn no_way_is_told_at_once_and_apart_from_an_unknown_platform() {
        let peer = from(DOWN);
        assert_eq!(decide(call("village", "mars"), peer, &here(Some(DOWN), None)), Err(Code::PlatformUnknown));
        for verdict in [Verdict::Unknown, Verdict::Failed] {
            let cut = here(Some(DOWN), Some(Way { verdict, ..UP }));
            assert_eq!(decide(call("village", "coast"), peer, &cut), Err(Code::PlatformUnreachable));
        }
    }
}
