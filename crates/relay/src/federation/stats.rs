//! How the links to other platforms stand, for stats.

use serde::Serialize;

use crate::gateway::Gateway;

/// One platform that this gateway is, was or should be connected with.
#[derive(Serialize)]
pub struct LinkView {
    platform_id: String,
    connections: usize,
    /// There and back, through all gateways on the way; none before it was measured.
    distance_us: Option<u64>,
}

pub fn list_links(gateway: &Gateway) -> Vec<LinkView> {
    let mut links: Vec<LinkView> = (gateway.federation.links.list().into_iter())
        .map(|(platform_id, link)| LinkView {
            platform_id,
            connections: link.count_connections(),
            distance_us: Some(link.distance_us()).filter(|distance_us| *distance_us > 0),
        })
        .collect();
    links.sort_unstable_by(|one, other| one.platform_id.cmp(&other.platform_id));
    links
}
