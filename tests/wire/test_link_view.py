"""Links as the API shows them: nothing of secrets or certificates, and whether a clock is off."""

from dataclasses import replace

from keisan.domain.departure import plan_departure
from keisan.wire.link_view import LinkView
from tests.factories import create_link


def test_a_link_is_shown_without_what_is_its_owners() -> None:
    link = replace(create_link(), digest="d" * 64, offset_ms=31_000, departure=plan_departure(is_move=False))
    shown = LinkView.model_validate(link).model_dump()
    assert (shown["is_clock_off"], shown["offset_ms"]) == (True, 31_000)
    assert next(step["name"] for step in shown["departure"]) == "close_period"
    assert not {"digest", "keys", "link_key", "certificate", "ca"} & set(shown)
