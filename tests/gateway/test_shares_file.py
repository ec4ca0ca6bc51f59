"""Shares on disk: whole, for as long as they were leased, and never a reason not to start."""

from datetime import timedelta
from pathlib import Path

import pytest

from keisan.gateway.shares_file import KeptShares, build_shares, read_shares, write_shares
from keisan.kit.clock import to_milliseconds
from keisan.wire.credit import CreditAnswer, RateShare
from tests.factories import NOW

LIMIT = "key:019ab000-0001-7000-8000-000000000105:requests"
OTHER = "key:019ab000-0001-7000-8000-000000000106:requests"


def build_answer(**changes: object) -> CreditAnswer:
    rates = (RateShare(limit_id=LIMIT, share_ppm=7), RateShare(limit_id=OTHER, share_ppm=0))
    answer = CreditAnswer(lease_s=60, renew_s=10, rates=rates, default_share_ppm=3)
    return answer.model_copy(update=changes)


def test_shares_come_back_as_they_were_kept(tmp_path: Path) -> None:
    shares = build_shares(build_answer(), NOW)
    assert shares == KeptShares(
        default_share_ppm=3, shares_ppm={LIMIT: 7}, renewed_at_ms=to_milliseconds(NOW), lease_s=60
    )
    write_shares(tmp_path / "shares.json", shares)
    assert read_shares(tmp_path / "shares.json") == shares


def test_lease_runs_out_and_a_clock_that_went_back_does_not_lengthen_it() -> None:
    shares = build_shares(build_answer(), NOW)
    left = [shares.count_left_s(NOW + timedelta(seconds=age_s)) for age_s in (-3600, 0, 59, 60, 3600)]
    assert left == [60, 60, 1, 0, 0]
    assert KeptShares().count_left_s(NOW) == 0


def test_shares_are_the_same_whenever_they_were_leased() -> None:
    shares = build_shares(build_answer(), NOW)
    assert shares.is_same_as(build_shares(build_answer(lease_s=5), NOW + timedelta(days=1)))
    assert not shares.is_same_as(build_shares(build_answer(rates=()), NOW))
    assert not shares.is_same_as(build_shares(build_answer(default_share_ppm=0), NOW))


@pytest.mark.parametrize("content", [b"", b"{", b'{"lease_s": "soon"}', b"\xff"])
def test_damaged_file_is_no_share_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shares.json").write_bytes(content)
    assert read_shares(tmp_path / "shares.json") == KeptShares()
    assert read_shares(tmp_path / "missing.json") == KeptShares()
