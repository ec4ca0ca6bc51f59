//! What a snapshot says of other platforms: where they stand in the tree, what their customers may spend here, and what this
//! platform's customers may spend there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keisan_route::{Side, Verdict};
use serde::Deserialize;

use super::{Key, Model};
use crate::federation::{Link, LinkBook};
use crate::options::Place;

/// Another platform.
#[derive(Debug, Deserialize)]
pub struct PlatformRow {
    pub name: String,
    #[serde(default)]
    pub region: String,
    pub verdict: Verdict,
    /// The neighbour that it lies behind; none for a neighbour itself, and where nobody knows.
    #[serde(default)]
    pub next_hop: Option<String>,
    /// Where its gateways take calls from platforms that are no neighbours.
    #[serde(default)]
    pub address: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct NeighbourRow {
    pub side: Side,
}

/// What another platform's organization may spend here, as its calls' keys would say it.
#[derive(Debug)]
pub struct GuestTicket {
    pub id: String,
    pub home_id: String,
    pub audience_id: String,
    pub key: Arc<Key>,
    /// By name, at the prices that the ticket pins, and served by own replicas only.
    pub models: BTreeMap<String, Arc<Model>>,
    pub ends_at_ms: u64,
}

/// What an own organization may spend at another platform. How much is left there, only that platform knows.
#[derive(Debug)]
pub struct SpendingTicket {
    pub id: String,
    pub ends_at_ms: u64,
}

impl GuestTicket {
    pub const fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.ends_at_ms
    }
}

impl SpendingTicket {
    pub const fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.ends_at_ms
    }
}

/// The other platforms of one snapshot.
#[derive(Debug, Default)]
pub struct Neighbours {
    pub platforms: BTreeMap<String, PlatformRow>,
    pub sides: HashMap<String, Side>,
    /// Given to this platform, by id.
    pub tickets: HashMap<String, Arc<GuestTicket>>,
    /// Given by this platform, by organization and platform.
    pub spending: HashMap<String, HashMap<String, Arc<SpendingTicket>>>,
}

impl Neighbours {
    pub fn find_side(&self, platform_id: &str) -> Option<Side> {
        self.sides.get(platform_id).copied()
    }

    /// The one platform whose id begins with these digits.
    pub fn find_by_digits(&self, digits: &str) -> Option<&PlatformRow> {
        let mut found = self.platforms.range(digits.to_owned()..).take_while(|(id, _)| id.starts_with(digits));
        let (_, platform) = found.next()?;
        found.next().is_none().then_some(platform)
    }

    /// The neighbour towards a platform, which side it is on, and what is known of the platform.
    pub fn find_way(&self, platform_id: &str) -> Option<(String, Side, Verdict)> {
        let verdict = self.platforms.get(platform_id).map(|platform| platform.verdict);
        let hop = self.find_next_hop(platform_id)?;
        Some((hop.to_owned(), self.find_side(hop)?, verdict.unwrap_or(Verdict::Unknown)))
    }

    /// A neighbour is its own way, whatever else is said.
    pub fn find_next_hop<'a>(&'a self, platform_id: &'a str) -> Option<&'a str> {
        if self.sides.contains_key(platform_id) {
            return Some(platform_id);
        }
        let hop = self.platforms.get(platform_id)?.next_hop.as_deref()?;
        self.sides.contains_key(hop).then_some(hop)
    }

    /// The link on which a call to a platform leaves: its own if there is a connection, else that of its neighbour.
    pub fn find_hop(&self, platform_id: &str, links: &LinkBook) -> Option<Arc<Link>> {
        let own = links.find(platform_id);
        if own.is_up() {
            return Some(own);
        }
        self.find_next_hop(platform_id).map(|hop| links.find(hop))
    }

    pub fn find_spending(&self, organization_id: &str, platform_id: &str) -> Option<&Arc<SpendingTicket>> {
        self.spending.get(organization_id)?.get(platform_id)
    }

    /// The platforms that give an address, but for neighbours, to which there are connections anyway.
    pub fn list_addresses(&self) -> Vec<(String, Place)> {
        let strangers =
            self.platforms.iter().filter(|(id, row)| !self.sides.contains_key(*id) && row.verdict == Verdict::Ok);
        strangers.filter_map(|(id, row)| Some((id.clone(), Place::parse(row.address.as_deref()?)?))).collect()
    }

    /// Where the parent's gateways take calls, as it says itself: whatever its verdict is, since only who dials finds out.
    pub fn list_parents(&self) -> Vec<Place> {
        let parents = self.platforms.iter().filter(|(id, _)| self.find_side(id) == Some(Side::Parent));
        parents.filter_map(|(_, row)| Place::parse(row.address.as_deref()?)).collect()
    }

    pub fn list_platforms(&self) -> Vec<String> {
        let known = self.platforms.iter().filter(|(_, row)| row.verdict == Verdict::Ok);
        known.map(|(id, _)| id.clone()).collect()
    }
}
