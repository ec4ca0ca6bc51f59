//! How much a call may cost at most, before it is known (R2): the reservation that is taken from a ticket and a limit.

use crate::price::{PriceFault, PriceSheet, divide_up};
use crate::token::TokenClass;

/// What bounds a call: bytes of its body, tokens of its model and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallBounds {
    pub body_bytes: u64,
    pub template_tokens_max: u64,
    pub context_tokens: u64,
    pub output_tokens_max: u64,
}

impl CallBounds {
    /// A token is at least a byte, so a prompt has at most as many tokens as its body has bytes.
    pub fn count_input_tokens(&self) -> u64 {
        self.body_bytes.saturating_add(self.template_tokens_max).min(self.context_tokens)
    }

    /// All tokens that the call can come to.
    pub fn count_tokens(&self) -> u64 {
        self.count_input_tokens().saturating_add(self.output_tokens_max)
    }

    /// The most that the call can cost, in nano-units, rounded up.
    pub fn compute_nano(&self, price: &PriceSheet) -> Result<u128, PriceFault> {
        let input = [TokenClass::Input, TokenClass::InputCached, TokenClass::InputCacheWrite];
        let output = [TokenClass::Output, TokenClass::Reasoning];
        let input_nano = u128::from(self.count_input_tokens()) * u128::from(find_dearest(price, &input)?);
        let output_nano = u128::from(self.output_tokens_max) * u128::from(find_dearest(price, &output)?);
        input_nano.checked_add(output_nano).map(divide_up).ok_or(PriceFault::Overflow)
    }
}

fn find_dearest(price: &PriceSheet, classes: &[TokenClass]) -> Result<u64, PriceFault> {
    classes.iter().try_fold(0, |dearest, class| price.choose_nano(*class).map(|nano| nano.max(dearest)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::price::compute_amount_nano;
    use crate::token::Quantities;

    fn sheet(input: u64, cached: u64, output: u64) -> PriceSheet {
        serde_json::from_value(serde_json::json!({
            "input": input.to_string(), "input_cached": cached.to_string(), "output": output.to_string()
        }))
        .unwrap()
    }

    #[test]
    fn a_body_bounds_its_tokens_and_the_context_bounds_both() {
        let bounds =
            CallBounds { body_bytes: 100, template_tokens_max: 30, context_tokens: 2_048, output_tokens_max: 512 };
        assert_eq!((bounds.count_input_tokens(), bounds.count_tokens()), (130, 642));
        assert_eq!(CallBounds { body_bytes: 9_999, ..bounds }.count_input_tokens(), 2_048);
        assert_eq!(bounds.compute_nano(&sheet(1_000_000, 7, 2_000_000)), Ok(130 + 2 * 512));
        assert_eq!(bounds.compute_nano(&sheet(1, 3_000_000, 1)), Ok(391));
    }

    proptest! {
        /// Whatever a call turns out to be within its bounds, it costs no more than was set aside.
        #[test]
        fn no_call_costs_more_than_its_reservation(
            body in 0u64..100_000, cached in 0u64..100_000, output in 0u64..4_096, reasoning in 0u64..4_096,
            prices in (0u64..1 << 40, 0u64..1 << 40, 0u64..1 << 40),
        ) {
            let bounds = CallBounds { body_bytes: body, template_tokens_max: 64, context_tokens: 50_000, output_tokens_max: 4_096 };
            let price = sheet(prices.0, prices.1, prices.2);
            let cached = cached.min(bounds.count_input_tokens());
            let quantities = Quantities {
                input: Some(bounds.count_input_tokens() - cached), input_cached: Some(cached),
                output: Some(output - reasoning.min(output)), reasoning: Some(reasoning.min(output)), ..Quantities::default()
            };
            let amount = compute_amount_nano(&quantities, &price).unwrap();
            prop_assert!(amount <= bounds.compute_nano(&price).unwrap());
        }
    }
}
