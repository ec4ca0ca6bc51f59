"""The verdict on a site: ok or unknown by its silence, which is counted from when the platform began to listen."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.site import judge_site
from keisan.domain.verdict import Verdict
from tests.domain.samples import NOW, build_site

SILENCE_S = 15.0
SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400))


def test_site_that_never_spoke_is_unknown() -> None:
    assert judge_site(build_site(reported_at=None), NOW, SILENCE_S, NOW) is Verdict.UNKNOWN


def test_silence_to_the_last_instant_is_ok() -> None:
    site = build_site(reported_at=NOW)
    limit = NOW + timedelta(seconds=SILENCE_S)
    assert judge_site(site, limit, SILENCE_S, NOW) is Verdict.OK
    assert judge_site(site, limit + timedelta(microseconds=1), SILENCE_S, NOW) is Verdict.UNKNOWN


@given(down=SPANS, up=st.timedeltas(min_value=timedelta(0), max_value=timedelta(seconds=SILENCE_S)))
def test_silence_while_nobody_listened_is_not_counted(down: timedelta, up: timedelta) -> None:
    listening_since = NOW + down
    assert judge_site(build_site(reported_at=NOW), listening_since + up, SILENCE_S, listening_since) is Verdict.OK


@given(heard=SPANS, listening=SPANS, now=SPANS)
def test_verdict_is_ok_or_unknown_and_never_comes_back_by_time_alone(
    heard: timedelta, listening: timedelta, now: timedelta
) -> None:
    site, listening_since = build_site(reported_at=NOW + heard), NOW + listening

    def judge(instant: datetime) -> Verdict:
        return judge_site(site, instant, SILENCE_S, listening_since)

    assert judge(NOW + now) in {Verdict.OK, Verdict.UNKNOWN}
    if judge(NOW + now) is Verdict.UNKNOWN:
        assert judge(NOW + now + timedelta(days=1)) is Verdict.UNKNOWN
