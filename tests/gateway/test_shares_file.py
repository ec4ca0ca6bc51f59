"""Shares on disk: whole, for as long as they were leased, and never a reason not to start."""

from pathlib import Path

import pytest

from keisan.gateway.shares_file import HostTime, KeptShares, build_shares, read_shares, write_shares
from keisan.wire.credit import CreditAnswer, RateShare

NOW = HostTime("this boot", 5000.5)
LIMIT = "key:019ab000-0001-7000-8000-000000000105:requests"
OTHER = "key:019ab000-0001-7000-8000-000000000106:requests"


def wait(time_s: float) -> HostTime:
    return HostTime(NOW.boot_id, NOW.monotonic_s + time_s)


def build_answer(**changes: object) -> CreditAnswer:
    rates = (RateShare(limit_id=LIMIT, share_ppm=7), RateShare(limit_id=OTHER, share_ppm=0))
    answer = CreditAnswer(lease_s=60, renew_s=10, rates=rates, default_share_ppm=3)
    return answer.model_copy(update=changes)


def test_shares_come_back_as_they_were_kept(tmp_path: Path) -> None:
    shares = build_shares(build_answer(), NOW)
    assert shares == KeptShares(
        default_share_ppm=3, shares_ppm={LIMIT: 7}, boot_id="this boot", renewed_at_s=5000.5, lease_s=60
    )
    write_shares(tmp_path / "shares.json", shares)
    assert read_shares(tmp_path / "shares.json") == shares


def test_lease_runs_out_by_the_clock_of_the_boot_in_which_it_began() -> None:
    shares = build_shares(build_answer(), NOW)
    left = [shares.count_left_s(wait(age_s)) for age_s in (0, 0.1, 59, 59.1, 60, 3600)]
    assert left == [60, 59, 1, 0, 0, 0]
    assert [shares.is_leased(wait(age_s)) for age_s in (0, 59.9, 60)] == [True, True, False]
    assert shares.count_left_s(HostTime("another boot", NOW.monotonic_s + 1)) == 0
    assert KeptShares().count_left_s(NOW) == 0


def test_shares_are_the_same_whenever_they_were_leased() -> None:
    shares = build_shares(build_answer(), NOW)
    assert shares.is_same_as(build_shares(build_answer(lease_s=5), wait(86_400)))
    assert not shares.is_same_as(build_shares(build_answer(rates=()), NOW))
    assert not shares.is_same_as(build_shares(build_answer(default_share_ppm=0), NOW))


@pytest.mark.parametrize("content", [b"", b"{", b'{"lease_s": "soon"}', b"\xff"])
def test_damaged_file_is_no_share_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shares.json").write_bytes(content)
    assert read_shares(tmp_path / "shares.json") == KeptShares()
    assert read_shares(tmp_path / "missing.json") == KeptShares()
