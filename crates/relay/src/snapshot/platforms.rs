//! Makes of a snapshot's rows on other platforms what calls look up: candidates, tickets, the way to each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keisan_route::{Fact, Verdict};
use serde_json::value::RawValue;

use super::build::{Building, ByModel, insert_facts, read_policy};
use super::neighbours::{GuestTicket, NeighbourRow, Neighbours, SpendingTicket};
use super::text::{OfferRow, PriceRow, TablesText, TicketRow, list_known};
use super::{EngineProfile, Key, Model, Offer, ReplicaRow};
use crate::currency::Currency;
use crate::limiter::CallLimits;
use crate::record::write_part;
use crate::upstream::Upstream;

/// Stands in a record for what is another platform's: its own record names it.
pub const ELSEWHERE: &str = "00000000-0000-0000-0000-000000000000";

impl Building<'_> {
    pub fn read_neighbours(&mut self, tables: &TablesText<'_>) -> Neighbours {
        let mut neighbours = Neighbours { platforms: self.read_rows(&tables.platforms), ..Neighbours::default() };
        let sides: BTreeMap<String, NeighbourRow> = self.read_rows(&tables.neighbours);
        neighbours.sides = sides.into_iter().map(|(id, row)| (id, row.side)).collect();
        neighbours
    }

    /// A platform is a candidate like a replica. One that is not known, or this one itself, is none.
    pub fn read_offers(&mut self, tables: &TablesText<'_>, neighbours: &Neighbours) -> ByModel {
        let mut by_model = ByModel::new();
        for (id, row) in self.read_rows::<OfferRow<'_>>(&tables.platform_offers) {
            let price =
                tables.prices.get(&row.price_id).and_then(|price| Some((price, Currency::parse(&price.currency)?)));
            let (Some(platform), Some(price)) = (neighbours.platforms.get(&row.platform_id), price) else {
                self.unusable_rows += 1;
                continue;
            };
            let region = if row.region.is_empty() { &platform.region } else { &row.region };
            let own = [(Fact::Chip, row.chip.as_str()), (Fact::Region, region), (Fact::Platform, &row.platform_id)];
            let mut facts = insert_facts(list_known(&row.facts), &own);
            facts.attested_at_ms = row.attested_at_ms;
            let verdict = if platform.verdict == Verdict::Ok { row.verdict } else { platform.verdict };
            let model = row.model.clone();
            let next_hop = neighbours.find_next_hop(&row.platform_id).map(str::to_owned);
            let offer = describe_offer(&row, (&platform.name, region), price);
            let replica = build_row(row, (verdict, next_hop), offer);
            let replica = self.source.find_replica(&id, replica, EngineProfile::UNKNOWN, facts);
            by_model.entry(model).or_default().push(replica);
        }
        by_model
    }

    /// Tickets that others gave to this platform stand for keys here; those that it gave are shown to others.
    pub fn read_tickets(
        &mut self,
        tables: &TablesText<'_>,
        models: &BTreeMap<String, Arc<Model>>,
        neighbours: &mut Neighbours,
    ) {
        let mut sold = HashMap::new();
        for (id, row) in self.read_rows::<TicketRow>(&tables.platform_tickets) {
            if row.home_platform_id == self.platform_id {
                let ticket = Arc::new(SpendingTicket { id, ends_at_ms: row.ends_at_ms });
                let spending = neighbours.spending.entry(row.organization_id).or_default();
                spending.insert(row.audience_platform_id, ticket);
                continue;
            }
            let models = price_models((models, &tables.prices), &row, &mut sold);
            let key = Arc::new(self.build_guest_key(&row));
            let (home_id, audience_id) = (row.home_platform_id, row.audience_platform_id);
            let ticket = GuestTicket { id: id.clone(), home_id, audience_id, key, models, ends_at_ms: row.ends_at_ms };
            neighbours.tickets.insert(id, Arc::new(ticket));
        }
    }

    /// Another platform's organization is known here by its tickets: its credit is leased as that of own ones is.
    fn build_guest_key(&mut self, row: &TicketRow) -> Key {
        self.currencies.extend(Currency::parse(&row.currency));
        let record_part =
            write_part(&[("organization_id", &row.organization_id), ("project_id", ELSEWHERE), ("key_id", ELSEWHERE)]);
        Key {
            purses: Some(self.find_purses(&row.organization_id)),
            record_part,
            can_call: true,
            can_explain: false,
            limits: Arc::new(CallLimits::default()),
            policies: [Arc::new(read_policy(&row.policy)), Arc::default(), Arc::default()],
            snapshot_age_max: None,
            organization_id: row.organization_id.clone(),
            models: None,
        }
    }

    fn read_rows<'b, Row: serde::Deserialize<'b>>(
        &mut self,
        rows: &BTreeMap<String, &'b RawValue>,
    ) -> BTreeMap<String, Row> {
        let mut read = BTreeMap::new();
        for (id, raw) in rows {
            match serde_json::from_str(raw.get()) {
                Ok(row) => {
                    read.insert(id.clone(), row);
                }
                Err(_) => self.unusable_rows += 1,
            }
        }
        read
    }
}

fn describe_offer(
    row: &OfferRow<'_>,
    (platform_name, region): (&str, &str),
    (price, currency): (&PriceRow, Currency),
) -> Offer {
    Offer {
        platform_id: row.platform_id.clone(),
        platform_name: platform_name.to_owned(),
        region: region.to_owned(),
        chip: row.chip.clone(),
        price: price.nano_per_million.clone(),
        currency,
    }
}

fn build_row(row: OfferRow<'_>, (verdict, next_hop): (Verdict, Option<String>), offer: Offer) -> ReplicaRow {
    ReplicaRow {
        model_id: String::new(),
        deployment_id: ELSEWHERE.to_owned(),
        provider_id: ELSEWHERE.to_owned(),
        site_id: ELSEWHERE.to_owned(),
        region: offer.region.clone(),
        chip: row.chip,
        engine: String::new(),
        model_digest: row.model_digest,
        verdict,
        slots: row.slots,
        upstream: Upstream::Platform { platform_id: row.platform_id, next_hop },
        attested_at_ms: row.attested_at_ms,
        prefill_tokens_per_s: None,
        door_pass: None,
        offer: Some(Arc::new(offer)),
    }
}

/// A model at a pinned price is one object for all tickets that pin it.
type Sold = HashMap<(String, String), Arc<Model>>;

/// The models that a ticket pays for. A model without a pinned price that is known here cannot be called with it.
fn price_models(
    (models, prices): (&BTreeMap<String, Arc<Model>>, &BTreeMap<String, PriceRow>),
    ticket: &TicketRow,
    sold: &mut Sold,
) -> BTreeMap<String, Arc<Model>> {
    let pinned = ticket.price_ids.iter().filter_map(|(name, price_id)| {
        let (model, price) = (models.get(name)?, prices.get(price_id)?);
        let currency = Currency::parse(&price.currency).filter(|_| price.currency == ticket.currency)?;
        let build = || Arc::new(model.sell_at(price_id, (&price.nano_per_million, currency)));
        let model = sold.entry((name.clone(), price_id.clone())).or_insert_with(build);
        Some((name.clone(), Arc::clone(model)))
    });
    pinned.collect()
}
