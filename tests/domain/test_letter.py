"""Letters: every kind with a name has a reach, and what is raw or personal has none."""

from keisan.domain.letter import REGISTER_REACH, LetterKind

ITEMS = {
    LetterKind.USAGE,
    LetterKind.TOTALS,
    LetterKind.CREDIT_RETURN,
    LetterKind.PERIOD_END,
    LetterKind.COUNTERSIGNATURE,
    LetterKind.COMPARISON,
    LetterKind.EVENT,
}


def test_a_kind_is_an_item_of_a_log_or_a_register_with_a_reach() -> None:
    assert set(REGISTER_REACH) == set(LetterKind) - ITEMS
