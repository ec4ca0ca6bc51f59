//! Policies: clauses on facts, all of which must hold. An unknown fact fails closed (D15).
//! The Python side writes the same rules (`keisan.domain.policy`); `tests/golden/policies.json` keeps the two equal.

use crate::fact::{Fact, Facts, Grade};

pub const POLICY_CHARACTERS_MAX: usize = 2_048;
pub const CLAUSES_MAX: usize = 32;
/// Other white space is no part of a policy, so that none can hide in one.
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];
const SECONDS_DIGITS_MAX: usize = 18;

/// What a clause, or a whole policy, says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    Holds,
    /// The first clause that does not hold, where the facts say so.
    Fails(&'a Clause),
    /// The first clause that does not hold, where a fact is not known, or not well enough.
    Unknown(&'a Clause),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    None,
    AtMost(u64),
    /// Of a later version: nothing is known to satisfy it.
    Unreadable,
}

/// One condition on one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    fact: Fact,
    test: Test,
    grade_min: Option<Grade>,
    text: String,
}

/// Some clauses, all of which must hold. None: everything is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    clauses: Vec<Clause>,
}

impl Policy {
    /// Reads a policy's text; the error says what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > POLICY_CHARACTERS_MAX {
            return Err(format!("a policy has at most {POLICY_CHARACTERS_MAX} characters"));
        }
        let parts = text.split(';').map(trim).filter(|part| !part.is_empty());
        let clauses = parts.map(parse_clause).collect::<Result<Vec<_>, _>>()?;
        if clauses.len() > CLAUSES_MAX {
            return Err(format!("a policy has at most {CLAUSES_MAX} clauses, got {}", clauses.len()));
        }
        Ok(Self { clauses })
    }

    /// A policy that this version cannot read: no candidate satisfies it.
    pub fn unreadable() -> Self {
        let clause = Clause {
            fact: Fact::Chip,
            test: Test::Unreadable,
            grade_min: None,
            text: "a clause of a later version".to_owned(),
        };
        Self { clauses: vec![clause] }
    }

    /// All clauses of several policies, which then hold together, whatever their number.
    pub fn join(policies: impl IntoIterator<Item = Self>) -> Self {
        Self { clauses: policies.into_iter().flat_map(|policy| policy.clauses).collect() }
    }

    /// The policy in its settled form.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.clauses.iter().map(Clause::text).collect();
        texts.join("; ")
    }

    pub const fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Judges a candidate; `now_ms` is wall time, for the age of its attestation.
    pub fn judge(&self, facts: &Facts, now_ms: u64) -> Judgement<'_> {
        let judged = self.clauses.iter().map(|clause| clause.judge(facts, now_ms));
        judged.into_iter().find(|judgement| *judgement != Judgement::Holds).unwrap_or(Judgement::Holds)
    }
}

impl Clause {
    /// The clause in its settled form.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn judge(&self, facts: &Facts, now_ms: u64) -> Judgement<'_> {
        match self.check(facts, now_ms) {
            Some(true) => Judgement::Holds,
            Some(false) => Judgement::Fails(self),
            None => Judgement::Unknown(self),
        }
    }

    /// Nothing if the fact is not known, or not well enough.
    fn check(&self, facts: &Facts, now_ms: u64) -> Option<bool> {
        if let Test::AtMost(most_s) = self.test {
            let attested_at_ms = facts.attested_at_ms?;
            // From the future by a clock that steps: as fresh as can be.
            return Some(now_ms.saturating_sub(attested_at_ms) <= most_s.saturating_mul(1_000));
        }
        let known = facts.get(self.fact)?;
        if self.grade_min.is_some_and(|least| known.grade > least) {
            return None;
        }
        let has_any = |wanted: &[String]| known.values.iter().any(|value| is_among(self.fact, value, wanted));
        match &self.test {
            Test::In(wanted) => Some(has_any(wanted)),
            Test::NotIn(unwanted) => Some(!has_any(unwanted)),
            Test::None => Some(known.values.is_empty()),
            Test::AtMost(_) | Test::Unreadable => None,
        }
    }
}

/// A country includes its parts: `CN` is said of `CN-SX` too.
fn is_among(fact: Fact, value: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|wanted| {
        let rest = value.strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| rest.is_empty() || (fact.is_place() && !wanted.contains('-') && rest.starts_with('-')))
    })
}

fn parse_clause(text: &str) -> Result<Clause, String> {
    let refuse = |why: &str| format!("'{text}': {why}");
    let (condition, grade_min) = match text.rsplit_once('@') {
        Some((condition, grade)) => (condition, Some(find_grade(trim(grade)).ok_or_else(|| refuse(GRADES))?)),
        None => (text, None),
    };
    let (name, rest) = split_word(condition);
    let fact = Fact::find(name).ok_or_else(|| refuse(&format!("there is no fact '{name}'")))?;
    let condition = parse_test(fact, rest).map_err(|why| refuse(&why))?;
    let mut settled = format!("{} {}", fact.name(), format_test(&condition));
    if let Some(grade) = grade_min {
        settled = format!("{settled} @ {}", grade.name());
    }
    Ok(Clause { fact, test: condition, grade_min, text: settled })
}

const GRADES: &str = "expected a grade of M, A, B, C, D behind '@'";

fn find_grade(text: &str) -> Option<Grade> {
    Grade::ALL.into_iter().find(|grade| grade.name() == text)
}

fn trim(text: &str) -> &str {
    text.trim_matches(SPACES)
}

/// The first word, which ends at white space or before `<`, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let text = trim(text);
    let end = text.find(|letter: char| SPACES.contains(&letter) || letter == '<').unwrap_or(text.len());
    (&text[..end], trim(&text[end..]))
}

fn parse_test(fact: Fact, text: &str) -> Result<Test, String> {
    if fact == Fact::AttestationAge {
        let number = text.strip_prefix("<=").map(trim).ok_or("expected '<=' and a number of seconds")?;
        let is_number = number.len() <= SECONDS_DIGITS_MAX && number.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = number.parse().ok().filter(|_| is_number);
        return seconds.map(Test::AtMost).ok_or_else(|| "expected '<=' and a number of seconds".to_owned());
    }
    match split_word(text) {
        ("none", "") if fact == Fact::Advisory => Ok(Test::None),
        ("in", values) => parse_values(values).map(Test::In),
        ("not", rest) => match split_word(rest) {
            ("in", values) => parse_values(values).map(Test::NotIn),
            _ => Err("expected 'in' or 'not in' and values".to_owned()),
        },
        _ => Err("expected 'in' or 'not in' and values".to_owned()),
    }
}

fn parse_values(text: &str) -> Result<Vec<String>, String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    let check = |value: &str| {
        let is_value = !value.is_empty() && value.bytes().all(is_letter);
        if is_value { Ok(value.to_owned()) } else { Err(format!("'{value}' is not a value")) }
    };
    text.split(',').map(|value| check(trim(value))).collect()
}

fn format_test(test: &Test) -> String {
    match test {
        Test::In(values) => format!("in {}", values.join(", ")),
        Test::NotIn(values) => format!("not in {}", values.join(", ")),
        Test::None => "none".to_owned(),
        Test::AtMost(seconds) => format!("<= {seconds}"),
        Test::Unreadable => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::fact::Known;

    fn known(values: &[&str], grade: Grade) -> Known {
        Known { values: values.iter().map(|&value| value.to_owned()).collect(), grade }
    }

    fn facts() -> Facts {
        let mut facts = Facts::default();
        facts.insert(Fact::Vendor, known(&["metax"], Grade::B));
        facts.insert(Fact::Advisory, known(&[], Grade::C));
        facts.insert(Fact::SoftwareStack, known(&["maca", "vllm"], Grade::A));
        facts.insert_own(Fact::Region, "CN-SH");
        facts.attested_at_ms = Some(1_000_000);
        facts
    }

    fn judge(policy: &str) -> Option<(bool, String)> {
        match Policy::parse(policy).unwrap().judge(&facts(), 1_060_000) {
            Judgement::Holds => None,
            Judgement::Fails(clause) => Some((true, clause.text().to_owned())),
            Judgement::Unknown(clause) => Some((false, clause.text().to_owned())),
        }
    }

    #[test]
    fn clauses_hold_fail_or_are_unknown() {
        let cases = [
            ("", None),
            (" ; ;", None),
            ("vendor in metax", None),
            ("vendor   in metax ,nvidia;region in CN", None),
            ("region in CN-S", Some(true)),
            ("region not in JP", None),
            ("software_stack in vllm", None),
            ("software_stack not in vllm", Some(true)),
            ("advisory none", None),
            ("advisory not in h20-2025", None),
            ("advisory in h20-2025", Some(true)),
            ("vendor in metax @ B", None),
            ("vendor in metax @ A", Some(false)),
            ("designed_in in CN", Some(false)),
            ("designed_in not in US", Some(false)),
            ("attestation_age_s <= 60", None),
            ("attestation_age_s<=59", Some(true)),
        ];
        for (policy, expected) in cases {
            assert_eq!(judge(policy).map(|(fails, _)| fails), expected, "{policy}");
        }
        assert_eq!(judge("region in CN; vendor  not in  metax,a").unwrap().1, "vendor not in metax, a");
    }

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
        invalid: Vec<String>,
    }

    #[derive(Deserialize)]
    struct Case {
        policy: String,
        facts: BTreeMap<String, Known>,
        /// Below zero: from the future, by another clock.
        attestation_age_s: Option<i64>,
        verdict: String,
        clause: Option<String>,
    }

    #[test]
    fn the_python_side_judges_alike() {
        const NOW_MS: u64 = 1_000_000_000_000;
        let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/policies.json")).unwrap();
        assert!(golden.cases.len() >= 200);
        for case in &golden.cases {
            let mut facts = Facts::default();
            for (name, known) in &case.facts {
                facts.insert(Fact::find(name).unwrap(), known.clone());
            }
            // No clock of a gateway stands so late that an older attestation could be told from the first moment.
            facts.attested_at_ms = case.attestation_age_s.map(|age_s| {
                let at_ms = i128::from(NOW_MS) - i128::from(age_s) * 1_000;
                u64::try_from(at_ms.max(0)).unwrap()
            });
            let policy = Policy::parse(&case.policy).unwrap();
            let (verdict, clause) = match policy.judge(&facts, NOW_MS) {
                Judgement::Holds => ("holds", None),
                Judgement::Fails(clause) => ("fails", Some(clause.text())),
                Judgement::Unknown(clause) => ("unknown", Some(clause.text())),
            };
            assert_eq!((verdict, clause), (case.verdict.as_str(), case.clause.as_deref()), "{}", case.policy);
        }
        for text in &golden.invalid {
            assert!(Policy::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in [
            "vendor",
            "vendor in",
            "vendor in a,,b",
            "vendor in a b",
            "colour in red",
            "vendor none",
            "advisory none x",
            "attestation_age_s in 5",
            "attestation_age_s <= -5",
            "attestation_age_s <= +5",
            "vendor in a @ E",
            "vendor in a @",
            "vendor not a",
            "vendor <= 5",
        ] {
            assert!(Policy::parse(text).is_err(), "{text}");
        }
        assert!(Policy::parse(&"x".repeat(POLICY_CHARACTERS_MAX + 1)).is_err());
        assert!(Policy::parse(&"advisory none;".repeat(CLAUSES_MAX)).is_ok());
        assert!(Policy::parse(&"advisory none;".repeat(CLAUSES_MAX + 1)).is_err());
    }

    #[test]
    fn a_policy_of_a_later_version_admits_nobody() {
        assert!(matches!(Policy::unreadable().judge(&facts(), 0), Judgement::Unknown(_)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = Policy::parse(&text);
        }

        #[test]
        fn nothing_known_admits_nothing(values in prop::collection::vec("[a-z]{1,4}", 1..4)) {
            let values = values.join(",");
            for text in [format!("vendor in {values}"), format!("vendor not in {values}"), "advisory none".to_owned()] {
                let policy = Policy::parse(&text).unwrap();
                prop_assert!(matches!(policy.judge(&Facts::default(), 0), Judgement::Unknown(_)));
            }
        }

        #[test]
        fn a_further_clause_never_admits_more(first in 0usize..4, second in 0usize..4, region in 0usize..3) {
            let clauses = ["region in CN", "region not in CN-SX", "region in JP-13, CN-SX", "advisory none"];
            let mut facts = Facts::default();
            facts.insert_own(Fact::Region, ["CN-SX", "CN-SH", "JP-13"][region]);
            let one = Policy::parse(clauses[first]).unwrap();
            let both = Policy::parse(&format!("{};{}", clauses[first], clauses[second])).unwrap();
            let admits = |policy: &Policy| policy.judge(&facts, 0) == Judgement::Holds;
            prop_assert!(!admits(&both) || admits(&one));
        }
    }
}
