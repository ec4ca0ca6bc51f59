//! The exchange's two texts, as `keisan.wire.credit` reads and writes them; `tests/golden/credit.json` keeps the two equal.

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::purse::{Amounts, Bound};

#[derive(Serialize)]
pub struct ReportText<'a> {
    pub incarnation: &'a str,
    pub is_spool_passed: bool,
    pub tickets: Vec<TicketReport>,
    pub wanted: Vec<Want>,
    pub rates: Vec<RateReport>,
}

#[derive(Serialize)]
pub struct TicketReport {
    ticket_id: String,
    spent_nano: String,
    reserved_nano: String,
    returned_nano: String,
}

impl TicketReport {
    pub fn new((ticket_id, amounts): (String, Amounts)) -> Self {
        Self {
            ticket_id,
            spent_nano: amounts.spent.to_string(),
            reserved_nano: amounts.reserved.to_string(),
            returned_nano: amounts.returned.to_string(),
        }
    }
}

#[derive(Serialize)]
pub struct Want {
    pub holder_id: String,
    pub currency: Currency,
    pub wanted_nano: String,
}

#[derive(Serialize)]
pub struct RateReport {
    pub limit_id: String,
    pub share_ppm: u32,
    pub demand_per_minute: u64,
}

#[derive(Deserialize)]
pub struct AnswerText {
    pub lease_s: u64,
    pub renew_s: u64,
    pub tickets: Vec<TicketAnswer>,
    #[serde(default)]
    pub refused: Vec<RefusedWant>,
    #[serde(default)]
    pub rates: Vec<ShareAnswer>,
    pub default_share_ppm: u32,
}

#[derive(Deserialize)]
pub struct TicketAnswer {
    pub ticket_id: String,
    pub holder_id: String,
    pub currency: Currency,
    credit_nano: String,
    give_back_nano: String,
}

impl TicketAnswer {
    /// Credit, and what is asked back of it.
    pub fn read_amounts(&self) -> Result<(u128, u128), String> {
        let read = |text: &str| text.parse().map_err(|_| format!("credit: expected a decimal string, got '{text}'"));
        Ok((read(&self.credit_nano)?, read(&self.give_back_nano)?))
    }
}

#[derive(Deserialize)]
pub struct RefusedWant {
    pub holder_id: String,
    pub currency: Currency,
    #[serde(default)]
    pub bound: Bound,
}

#[derive(Deserialize)]
pub struct ShareAnswer {
    pub limit_id: String,
    pub share_ppm: u32,
    #[serde(default)]
    pub is_awaited: bool,
}
