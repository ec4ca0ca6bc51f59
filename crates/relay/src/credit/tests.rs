//! The exchange as the platform sees it: what is leased is spent once, in its own currency, and comes back as it was.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::purse::Reservation;

const GOLDEN: &str = include_str!("../../../../tests/golden/credit.json");
const LIMIT: &str = "key:k:requests";

fn book() -> CreditBook {
    CreditBook::new(Instant::now())
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn ticket(id: &str, code: &str, credit_nano: u128) -> Value {
    json!({"ticket_id": id, "holder_id": "o", "currency": code, "credit_nano": credit_nano.to_string(),
        "give_back_nano": "0"})
}

fn apply(book: &CreditBook, changes: &Value) {
    let mut answer = json!({"lease_s": 60, "renew_s": 10, "tickets": [], "default_share_ppm": 500_000});
    for (name, value) in changes.as_object().unwrap() {
        answer[name] = value.clone();
    }
    book.apply(&answer.to_string()).unwrap();
}

fn report(book: &CreditBook) -> Value {
    serde_json::from_str(&book.report("inc")).unwrap()
}

#[tokio::test]
async fn what_is_leased_is_spent_and_reported() {
    let book = book();
    let purse = book.find_purse("o", currency("CNY"));
    apply(&book, &json!({"tickets": [ticket("t", "CNY", u128::MAX)]}));
    assert!(purse.reserve(70, Duration::ZERO).await.unwrap().settle(7));
    assert_eq!(
        report(&book)["tickets"],
        json!([{"ticket_id": "t", "spent_nano": "7", "reserved_nano": "0", "returned_nano": "0"}])
    );
    assert_eq!(report(&book)["incarnation"], "inc");
}

#[tokio::test]
async fn an_organization_in_want_is_named_with_its_currency() {
    let book = book();
    let (yuan, yen) = (book.find_purse("o", currency("CNY")), book.find_purse("o", currency("JPY")));
    let waits = async { tokio::join!(yuan.reserve(70, Duration::from_secs(20)), yen.reserve(5, Duration::ZERO)) };
    let wanted = json!([{"holder_id": "o", "currency": "CNY", "wanted_nano": "70"}]);
    let exchange = async {
        while report(&book)["wanted"] != wanted {
            tokio::task::yield_now().await;
        }
        apply(&book, &json!({"refused": [{"holder_id": "o", "currency": "JPY"}]}));
        tokio::task::yield_now().await;
        assert_eq!(report(&book)["wanted"], wanted, "it was not the one that was refused");
        apply(&book, &json!({"refused": [{"holder_id": "o", "currency": "CNY"}]}));
    };
    let refusal = tokio::join!(waits, exchange).0.0.unwrap_err();
    assert!(refusal.message.contains("CNY"), "{}", refusal.message);
    assert_eq!(report(&book)["wanted"], json!([]));
}

#[tokio::test]
async fn a_ticket_pays_in_its_own_currency_alone() {
    let book = book();
    let (yuan, yen) = (book.find_purse("o", currency("CNY")), book.find_purse("o", currency("JPY")));
    apply(&book, &json!({"tickets": [ticket("t1", "CNY", 100)]}));
    assert!(yen.reserve(1, Duration::ZERO).await.is_err());
    apply(&book, &json!({"tickets": [ticket("t1", "CNY", 100), ticket("t2", "JPY", 50)]}));
    assert_eq!(yen.reserve(50, Duration::ZERO).await.unwrap().ticket_id(), "t2");
    assert_eq!(yuan.reserve(100, Duration::ZERO).await.unwrap().ticket_id(), "t1");
    let sums = book.sum_up();
    assert_eq!((sums[&currency("CNY")].free_nano, sums[&currency("JPY")].free_nano), (100, 50));
}

#[tokio::test]
async fn a_ticket_that_is_not_named_any_more_is_not_spent_and_its_calls_settle() {
    let book = book();
    let purse = book.find_purse("o", currency("CNY"));
    let leased = json!({"tickets": [ticket("t", "CNY", 100)]});
    apply(&book, &leased);
    let open = purse.reserve(40, Duration::ZERO).await.unwrap();
    apply(&book, &json!({}));
    assert!(purse.reserve(1, Duration::ZERO).await.is_err());
    assert_eq!(open.ticket_id(), "t");
    assert!(open.settle(30));
    assert_eq!(report(&book)["tickets"][0]["spent_nano"], "30");
    apply(&book, &leased);
    assert!(purse.reserve(71, Duration::ZERO).await.is_err(), "what was spent of it is spent");
    assert!(purse.reserve(70, Duration::ZERO).await.is_ok());
}

#[test]
fn shares_are_applied_and_reported() {
    let book = book();
    let meter = book.shares.find_meter(LIMIT);
    assert_eq!(book.shares.moment().default_share_ppm, 0);
    apply(&book, &json!({}));
    assert_eq!(book.shares.moment().default_share_ppm, 500_000);
    apply(&book, &json!({"rates": [{"limit_id": LIMIT, "share_ppm": 900_000}]}));
    assert_eq!(report(&book)["rates"][0]["share_ppm"], 900_000);
    drop(meter);
    book.sweep();
    assert_eq!(report(&book)["rates"], json!([]));
}

/// The platform counts a lease from when it has read the report, so it ends here before it ends there.
#[test]
fn a_lease_runs_from_the_report() {
    let opened = Instant::now().checked_sub(Duration::from_secs(30)).unwrap();
    let book = CreditBook::new(opened);
    apply(&book, &json!({"lease_s": 30}));
    assert!(!book.shares.moment().is_leased);
    report(&book);
    apply(&book, &json!({"lease_s": 30}));
    assert!(book.shares.moment().is_leased);
}

#[tokio::test]
async fn sweeping_is_no_report() {
    let book = book();
    let purse = book.find_purse("o", currency("CNY"));
    apply(&book, &json!({"tickets": [ticket("t", "CNY", 100)]}));
    assert!(purse.reserve(60, Duration::ZERO).await.unwrap().settle(60));
    drop(purse);
    book.sweep();
    assert_eq!(report(&book)["wanted"][0]["wanted_nano"], "80", "twice what was spent, less what is free");
    apply(&book, &json!({"lease_s": 0, "tickets": [ticket("t", "CNY", 100)]}));
    apply(&book, &json!({}));
    report(&book);
    book.sweep();
    assert!(book.sum_up().is_empty());
}

/// The platform's side and the shell read the same file.
#[tokio::test]
async fn the_golden_exchange_is_what_is_read_and_written() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let expected = &golden["relay_report"];
    let (answer, book) = (&golden["answer"], book());
    let holder_id = answer["tickets"][0]["holder_id"].as_str().unwrap();
    let [yuan, yen] = ["CNY", "JPY"].map(|code| book.find_purse(holder_id, currency(code)));
    let meter = book.shares.find_meter(expected["rates"][0]["limit_id"].as_str().unwrap());
    book.apply(&answer.to_string()).unwrap();
    assert!(yuan.reserve(377, Duration::ZERO).await.unwrap().settle(300));
    report(&book);
    let _open = [yuan.reserve(77, Duration::ZERO).await.unwrap(), yen.reserve(5_000, Duration::ZERO).await.unwrap()];
    meter.count_demand(1);
    let mut written = report_sorted(&book, "019ab000-000f-7000-8000-000000000001");
    let demand = written["rates"][0]["demand_per_minute"].take();
    assert!(demand.as_u64().unwrap() > 0);
    written["rates"][0]["demand_per_minute"] = expected["rates"][0]["demand_per_minute"].clone();
    assert_eq!(&written, expected);
}

/// The report with its lines in order: a book has none.
fn report_sorted(book: &CreditBook, incarnation: &str) -> Value {
    let mut report: Value = serde_json::from_str(&book.report(incarnation)).unwrap();
    for (name, id) in [("tickets", "ticket_id"), ("rates", "limit_id")] {
        report[name].as_array_mut().unwrap().sort_by_key(|line| line[id].to_string());
    }
    report
}

#[test]
fn an_answer_that_cannot_be_read_changes_nothing() {
    let book = book();
    let mut odd = json!({"lease_s": 60, "renew_s": 10, "tickets": [ticket("t", "CNY", 1)], "default_share_ppm": 1});
    for (field, value) in [("credit_nano", "1.5"), ("currency", "yuan")] {
        let kept = odd["tickets"][0][field].take();
        odd["tickets"][0][field] = json!(value);
        assert!(book.apply(&odd.to_string()).unwrap_err().contains(value));
        odd["tickets"][0][field] = kept;
    }
    assert!(book.apply("{").is_err());
    assert_eq!((book.shares.moment().default_share_ppm, report(&book)["tickets"].clone()), (0, json!([])));
    assert!(book.apply(&odd.to_string()).is_ok());
}

const CODES: [&str; 2] = ["CNY", "JPY"];

#[derive(Clone, Debug)]
enum Step {
    /// The platform answers: of each wallet more credit, what is asked back, and whether its ticket is named.
    Answer([(u64, u64, bool); 2]),
    Reserve(usize, u64),
    /// A call ends; it cost so many hundredths of its reservation.
    Settle(usize, u64),
    Void(usize),
    Report,
}

fn draw_step() -> impl Strategy<Value = Step> {
    let line = (0u64..50, 0u64..50, prop::bool::weighted(0.7));
    prop_oneof![
        [line.clone(), line].prop_map(Step::Answer),
        (0usize..2, 1u64..40).prop_map(|(wallet, nano)| Step::Reserve(wallet, nano)),
        (0usize..8, 0u64..=100).prop_map(|(call, part)| Step::Settle(call, part)),
        (0usize..8).prop_map(Step::Void),
        Just(Step::Report),
    ]
}

/// A gateway's book beside what the platform leased and what its calls cost.
struct World {
    book: CreditBook,
    purses: [Arc<Purse>; 2],
    calls: Vec<(usize, u64, Reservation)>,
    credit: [u64; 2],
    spent: [u64; 2],
    is_named: [bool; 2],
}

impl World {
    fn open() -> Self {
        let book = book();
        let purses = CODES.map(|code| book.find_purse("o", currency(code)));
        Self { book, purses, calls: Vec::new(), credit: [0; 2], spent: [0; 2], is_named: [false; 2] }
    }

    fn answer(&mut self, lines: [(u64, u64, bool); 2]) {
        let mut tickets = Vec::new();
        for (wallet, (more, give_back, is_named)) in lines.into_iter().enumerate() {
            self.is_named[wallet] = is_named;
            if is_named {
                self.credit[wallet] += more;
                let mut line = ticket(CODES[wallet], CODES[wallet], u128::from(self.credit[wallet]));
                line["give_back_nano"] = json!(give_back.to_string());
                tickets.push(line);
            }
        }
        apply(&self.book, &json!({"tickets": tickets}));
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Answer(lines) => self.answer(lines),
            Step::Reserve(wallet, nano) => {
                if let Ok(reservation) = self.purses[wallet].reserve(u128::from(nano), Duration::ZERO).await {
                    assert!(self.is_named[wallet], "a ticket that was closed was spent");
                    assert_eq!(reservation.ticket_id(), CODES[wallet]);
                    self.calls.push((wallet, nano, reservation));
                }
            }
            Step::Settle(call, part) if call < self.calls.len() => {
                let (wallet, nano, reservation) = self.calls.swap_remove(call);
                self.spent[wallet] += nano * part / 100;
                assert!(reservation.settle(u128::from(nano * part / 100)));
            }
            Step::Void(call) if call < self.calls.len() => drop(self.calls.swap_remove(call)),
            Step::Settle(..) | Step::Void(_) => {}
            Step::Report => self.check(),
        }
    }

    fn check(&self) {
        for line in report(&self.book)["tickets"].as_array().unwrap() {
            let read = |name: &str| line[name].as_str().unwrap().parse::<u64>().unwrap();
            let wallet = CODES.iter().position(|code| line["ticket_id"] == *code).unwrap();
            let open = self.calls.iter().filter(|call| call.0 == wallet).map(|call| call.1).sum();
            let (spent, reserved, returned) = (read("spent_nano"), read("reserved_nano"), read("returned_nano"));
            assert_eq!((spent, reserved), (self.spent[wallet], open));
            assert!(spent + reserved + returned <= self.credit[wallet], "{line} of {:?}", self.credit);
        }
    }
}

proptest! {
    /// Whatever is leased, asked back, left out and named again: never more than was leased is spent, reserved and
    /// returned together, of either currency, and what a call cost is counted once.
    #[test]
    fn nothing_is_spent_twice(steps in prop::collection::vec(draw_step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut world = World::open();
            for step in steps {
                world.step(step).await;
            }
            world.check();
        });
    }
}
