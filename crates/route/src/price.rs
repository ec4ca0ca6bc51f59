//! Amounts (R3): sum of quantity x price over 1,000,000, divided once, half to even, in 128-bit integers.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::token::{Quantities, TokenClass};

pub const PRICE_UNIT_TOKENS: u128 = 1_000_000;

/// Nano-units of the currency per 1,000,000 tokens of each class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceSheet {
    nano_per_million: BTreeMap<TokenClass, u64>,
}

/// Why an amount cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceFault {
    Unpriced(TokenClass),
    Overflow,
}

impl std::fmt::Display for PriceFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unpriced(class) => write!(formatter, "no price for the class '{}'", class.name()),
            Self::Overflow => formatter.write_str("the amount exceeds 128 bits"),
        }
    }
}

impl PriceSheet {
    pub fn new(nano_per_million: BTreeMap<TokenClass, u64>) -> Self {
        Self { nano_per_million }
    }

    /// The price of a class, or that of its parent class.
    pub fn choose_nano(&self, class: TokenClass) -> Result<u64, PriceFault> {
        let own = self.nano_per_million.get(&class);
        own.or_else(|| class.parent().and_then(|parent| self.nano_per_million.get(&parent)))
            .copied()
            .ok_or(PriceFault::Unpriced(class))
    }
}

impl Serialize for PriceSheet {
    /// Writes what is read.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.nano_per_million.iter().map(|(class, nano)| (class.name(), nano.to_string())))
    }
}

impl<'de> Deserialize<'de> for PriceSheet {
    /// Reads `{"input": "500000000"}`: decimal strings, so that no reader makes floats of them. A class of a later
    /// version is left out: this relay never counts it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        let mut nano_per_million = BTreeMap::new();
        for class in TokenClass::ALL {
            if let Some(text) = texts.get(class.name()) {
                let nano = text.parse::<u64>().map_err(|_| {
                    serde::de::Error::custom(format!(
                        "nano_per_million.{}: expected a decimal string of an integer from 0 to 2^64 - 1",
                        class.name()
                    ))
                })?;
                nano_per_million.insert(class, nano);
            }
        }
        Ok(Self { nano_per_million })
    }
}

/// Returns the amount in nano-units. A class with no tokens needs no price.
pub fn compute_amount_nano(quantities: &Quantities, price: &PriceSheet) -> Result<u128, PriceFault> {
    let mut total: u128 = 0;
    for class in TokenClass::ALL {
        let quantity = quantities.get(class);
        if quantity > 0 {
            let part = u128::from(quantity) * u128::from(price.choose_nano(class)?);
            total = total.checked_add(part).ok_or(PriceFault::Overflow)?;
        }
    }
    Ok(divide_half_even(total, PRICE_UNIT_TOKENS))
}

/// Returns dividend / divisor, rounded half to even.
pub const fn divide_half_even(dividend: u128, divisor: u128) -> u128 {
    let quotient = dividend / divisor;
    let rest = dividend % divisor;
    let is_rounded_up = rest > divisor - rest || (rest == divisor - rest && quotient % 2 == 1);
    quotient + is_rounded_up as u128
}

/// Returns an amount of price units rounded up: what is set aside must not be less than what is billed.
pub const fn divide_up(dividend: u128) -> u128 {
    dividend.div_ceil(PRICE_UNIT_TOKENS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        quantities: Quantities,
        nano_per_million: PriceSheet,
        amount_nano: String,
    }

    #[test]
    fn golden_cases_hold() {
        let text = include_str!("../../../tests/golden/amounts.json");
        let golden: Golden = serde_json::from_str(text).unwrap();
        assert!(golden.cases.len() >= 20);
        for (number, case) in golden.cases.iter().enumerate() {
            let amount = compute_amount_nano(&case.quantities, &case.nano_per_million).unwrap();
            assert_eq!(amount.to_string(), case.amount_nano, "case {number}");
        }
    }

    #[test]
    fn a_class_without_any_price_is_a_fault() {
        let price: PriceSheet = serde_json::from_str(r#"{"input": "1"}"#).unwrap();
        let quantities = Quantities { reasoning: Some(1), ..Quantities::default() };
        assert_eq!(compute_amount_nano(&quantities, &price), Err(PriceFault::Unpriced(TokenClass::Reasoning)));
        assert_eq!(compute_amount_nano(&Quantities::default(), &price), Ok(0));
    }

    #[test]
    fn a_price_is_a_decimal_string() {
        for text in
            [r#"{"input": 1}"#, r#"{"input": "1.5"}"#, r#"{"input": "-1"}"#, r#"{"input": "18446744073709551616"}"#]
        {
            assert!(serde_json::from_str::<PriceSheet>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn rounding_is_within_half_a_unit(dividend in 0u128..1 << 100) {
            let quotient = divide_half_even(dividend, PRICE_UNIT_TOKENS);
            let difference = (quotient * PRICE_UNIT_TOKENS).abs_diff(dividend);
            prop_assert!(difference * 2 <= PRICE_UNIT_TOKENS);
            prop_assert!(difference * 2 < PRICE_UNIT_TOKENS || quotient.is_multiple_of(2));
        }
    }
}
