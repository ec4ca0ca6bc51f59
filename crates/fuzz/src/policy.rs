//! The policy parser, against a second reading: word by word by the grammar, where the parser cuts at separators.
//! What both read is judged alike on candidates of which much, little and nothing is known.

use keisan_route::policy::{CLAUSES_MAX, POLICY_CHARACTERS_MAX};
use keisan_route::{Fact, Facts, Grade, Judgement, Known, Policy};

const NOW_MS: u64 = 1_000_000_000;
/// What an error may say beyond the text that it quotes, which may be quoted twice.
const EXPLANATION_BYTES_MAX: usize = 200;

pub fn check_policy(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match (Policy::parse(text), read_plainly(text)) {
        (Ok(policy), Some(clauses)) => {
            assert_eq!(policy.is_empty(), clauses.is_empty());
            for facts in make_candidates() {
                check_judgement(&policy, &clauses, &facts);
            }
        }
        (Err(why), None) => assert!(why.len() <= 2 * text.len() + EXPLANATION_BYTES_MAX, "{why}"),
        (read, expected) => panic!("{read:?}, but plainly {expected:?}: {text:?}"),
    }
}

/// The first clause that does not hold is the one that is named; its text is a policy that says the same, unless its
/// settled form has grown too long, which the platform refuses to store.
fn check_judgement(policy: &Policy, clauses: &[PlainClause<'_>], facts: &Facts) {
    let failing = clauses.iter().find_map(|clause| Some((clause, clause.find_fault(facts)?)));
    let expected = failing.map(|(clause, fault)| (fault, clause.settle()));
    assert_eq!(judge(policy, facts), expected, "{facts:?}");
    if let Some((fault, settled)) = expected.filter(|(_, settled)| settled.len() <= POLICY_CHARACTERS_MAX) {
        let again = Policy::parse(&settled).unwrap_or_else(|why| panic!("{why}: {settled}"));
        assert_eq!(judge(&again, facts), Some((fault, settled)));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Fails,
    Unknown,
}

fn judge(policy: &Policy, facts: &Facts) -> Option<(Fault, String)> {
    match policy.judge(facts, NOW_MS) {
        Judgement::Holds => None,
        Judgement::Fails(clause) => Some((Fault::Fails, clause.text().to_owned())),
        Judgement::Unknown(clause) => Some((Fault::Unknown, clause.text().to_owned())),
    }
}

/// Nothing known; a little, not well; one of everything; several of everything, attested in the future.
fn make_candidates() -> [Facts; 4] {
    let mut little = Facts::default();
    little.attested_at_ms = Some(NOW_MS - 60_000);
    little.insert(Fact::Vendor, Known { values: vec!["metax".to_owned()], grade: Grade::D });
    little.insert(Fact::Advisory, Known { values: vec!["h20-2025".to_owned()], grade: Grade::C });
    let fill = |values: &[&str], grade, attested_at_ms| {
        let mut facts = Facts::default();
        facts.attested_at_ms = Some(attested_at_ms);
        let known = Known { values: values.iter().map(|&value| value.to_owned()).collect(), grade };
        for fact in Fact::ALL {
            facts.insert(fact, known.clone());
        }
        facts.insert(Fact::Advisory, Known { values: Vec::new(), grade });
        facts
    };
    [Facts::default(), little, fill(&["CN-SX"], Grade::B, 0), fill(&["metax", "CN", "a"], Grade::M, NOW_MS + 1)]
}

#[derive(Debug)]
struct PlainClause<'a> {
    fact: Fact,
    test: PlainTest<'a>,
    grade: Option<Grade>,
}

#[derive(Debug)]
enum PlainTest<'a> {
    AtMost(u64),
    None,
    In { is_negated: bool, values: Vec<&'a str> },
}

impl PlainClause<'_> {
    /// D15: what is not known, or not well enough, never satisfies a clause, whichever way it asks.
    fn find_fault(&self, facts: &Facts) -> Option<Fault> {
        let known = facts.get(self.fact).filter(|known| self.grade.is_none_or(|least| known.grade <= least));
        let holds = match &self.test {
            PlainTest::AtMost(most_s) => {
                let age_ms = facts.attested_at_ms.map(|at_ms| i128::from(NOW_MS) - i128::from(at_ms));
                age_ms.map(|age_ms| age_ms <= i128::from(*most_s) * 1_000)
            }
            PlainTest::None => known.map(|known| known.values.is_empty()),
            PlainTest::In { is_negated, values } => known.map(|known| {
                let is_wanted = |value: &String| values.iter().any(|wanted| self.covers(wanted, value));
                known.values.iter().any(is_wanted) != *is_negated
            }),
        };
        match holds {
            Some(true) => None,
            Some(false) => Some(Fault::Fails),
            None => Some(Fault::Unknown),
        }
    }

    /// A country covers its parts.
    fn covers(&self, wanted: &str, value: &str) -> bool {
        let country = value.split('-').next().unwrap_or_default();
        wanted == value || (self.fact.is_place() && wanted == country)
    }

    fn settle(&self) -> String {
        let test = match &self.test {
            PlainTest::AtMost(seconds) => format!("<= {seconds}"),
            PlainTest::None => "none".to_owned(),
            PlainTest::In { is_negated, values } => {
                format!("{} {}", if *is_negated { "not in" } else { "in" }, values.join(", "))
            }
        };
        let grade = self.grade.map(|grade| format!(" @ {}", grade.name())).unwrap_or_default();
        format!("{} {test}{grade}", self.fact.name())
    }
}

/// Nothing if the text is no policy.
fn read_plainly(text: &str) -> Option<Vec<PlainClause<'_>>> {
    let words = text.split(';').map(split_words).collect::<Option<Vec<_>>>()?;
    let clauses = words.iter().filter(|words| !words.is_empty()).map(|words| read_clause(words));
    let clauses = clauses.collect::<Option<Vec<_>>>()?;
    (text.chars().count() <= POLICY_CHARACTERS_MAX && clauses.len() <= CLAUSES_MAX).then_some(clauses)
}

/// Splits into words and signs; nothing if a character belongs to neither.
fn split_words(clause: &str) -> Option<Vec<&str>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    let mut words = Vec::new();
    let mut rest = clause;
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b'@' => 1,
            b'<' if rest.starts_with("<=") => 2,
            _ => rest.bytes().take_while(|byte| is_part(*byte)).count(),
        };
        let (word, after) = rest.split_at(length);
        match word.trim_ascii() {
            "" if length == 0 => return None,
            "" => {}
            word => words.push(word),
        }
        rest = after;
    }
    Some(words)
}

fn read_clause<'a>(words: &[&'a str]) -> Option<PlainClause<'a>> {
    let (words, grade) = match words {
        [before @ .., "@", grade] => (before, Some(*grade)),
        _ => (words, None),
    };
    let grade = match grade {
        Some(name) => Some(Grade::ALL.into_iter().find(|grade| grade.name() == name)?),
        None => None,
    };
    let (name, test) = words.split_first()?;
    let fact = Fact::ALL.into_iter().find(|fact| fact.name() == *name)?;
    let test = match test {
        ["<=", number] if fact == Fact::AttestationAge && number.len() <= 18 => PlainTest::AtMost(
            number
                .bytes()
                .try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))?,
        ),
        _ if fact == Fact::AttestationAge => return None,
        ["none"] if fact == Fact::Advisory => PlainTest::None,
        ["in", values @ ..] => PlainTest::In { is_negated: false, values: read_values(values)? },
        ["not", "in", values @ ..] => PlainTest::In { is_negated: true, values: read_values(values)? },
        _ => return None,
    };
    Some(PlainClause { fact, test, grade })
}

/// Values with a comma between each two.
fn read_values<'a>(words: &[&'a str]) -> Option<Vec<&'a str>> {
    let is_value = |word: &&str| !matches!(*word, "," | "@" | "<=");
    let values: Vec<_> = words.iter().copied().step_by(2).collect();
    let is_list = words.len() % 2 == 1 && words.iter().skip(1).step_by(2).all(|word| *word == ",");
    (is_list && values.iter().all(is_value)).then_some(values)
}
