"""What an event tells of a change: the new value and the previous one of each field, and no more."""

from dataclasses import replace

from keisan.control.audit import describe_changes
from keisan.domain.call_limits import CallLimits
from tests.domain.samples import NOW, build_key, build_organization, build_project


def test_only_what_changed_is_told_with_what_it_was() -> None:
    before = build_organization(limits=CallLimits(requests_per_minute=5, calls_open_max=1))
    after = replace(before, name="beta", limits=CallLimits(requests_per_minute=6, calls_open_max=1), version=2)
    assert describe_changes(before, after) == {
        "name": "beta",
        "previous_name": "alpha",
        "requests_per_minute": "6",
        "previous_requests_per_minute": "5",
    }


def test_nothing_is_the_empty_text() -> None:
    before = build_project(limits=CallLimits(body_bytes_max=1), policy="region in CN")
    after = replace(before, limits=CallLimits(), policy="")
    assert describe_changes(before, after) == {
        "body_bytes_max": "",
        "previous_body_bytes_max": "1",
        "policy": "",
        "previous_policy": "region in CN",
    }


def test_digest_of_a_key_is_no_news() -> None:
    before = build_key()
    assert describe_changes(before, replace(before, revoked_at=NOW, version=2)).keys() == {
        "revoked_at",
        "previous_revoked_at",
    }


def test_amounts_are_told_by_currency() -> None:
    before = build_organization(wallet_low_nano={"CNY": 1, "EUR": 2})
    after = replace(before, wallet_low_nano={"CNY": 5, "USD": 0})
    assert describe_changes(before, after) == {
        "wallet_low_nano.CNY": "5",
        "previous_wallet_low_nano.CNY": "1",
        "wallet_low_nano.EUR": "",
        "previous_wallet_low_nano.EUR": "2",
        "wallet_low_nano.USD": "0",
        "previous_wallet_low_nano.USD": "",
    }
