"""The cut of a nation: which words name one, where its cable lies, and what is told of calls and of what is not held."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.daemon.nation import Nation, NationStep, run_nation
from keisan.daemon.nation_cut import CutPlan, CutWatch, NationCut, list_broken, list_lines, read_cut
from keisan.daemon.nation_plan import plan_nation
from keisan.daemon.nation_traffic import Traffic
from keisan.domain.errors import Failed, InvalidInput
from tests.daemon.nation_stage import build_request, give_identities, list_addresses
from tests.factories import FixedClock

PLANS = plan_nation(2)


def test_words_name_a_province_and_a_duration() -> None:
    assert read_cut(("CN-SX", "60s"), PLANS) == CutPlan("CN-SX", 60)
    assert read_cut(("CN-LN", "2m"), PLANS) == CutPlan("CN-LN", 120)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("CN-SH", "60s"), "expected one of CN-SX, CN-LN, got 'CN-SH'"),
        (("CN", "60s"), "expected one of CN-SX, CN-LN, got 'CN'"),
        (("CN-SX", "soon"), "expected a duration like 10s, 5m or 1h, got 'soon'"),
    ],
)
def test_what_is_no_province_or_no_duration_is_refused(words: tuple[str, str], fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault) as refused:
        read_cut(words, PLANS)
    assert refused.value.field == "cut"


async def test_its_province_alone_dials_a_cable_which_leads_to_the_nation(tmp_path: Path) -> None:
    seen: list[int] = []

    async def look(nation: Nation) -> None:
        national, cut, other = nation.platforms
        lines = list_lines(national, cut)
        assert [far for _, far in lines] == [
            national.settings.platform.link.listen,
            national.settings.gateway.federation.listen if national.settings.gateway.federation else None,
        ]
        assert len({near.port for near, _ in lines} | {far.port for _, far in lines}) == 4
        assert (other.settings.platform.link.parent_url, other.settings.gateway.federation) == (None, None)
        with pytest.raises(Failed, match="name no cable"):
            list_lines(national, other)
        seen.append(len(lines))
        nation.national.supervisor.stopping.set()

    request = build_request(tmp_path, NationStep("looking", look))
    await run_nation(replace(request, plans=CutPlan("CN-SX", 1).add_cable(request.plans)))
    assert seen == [2]


async def test_cable_is_laid_first_and_taken_up_at_the_end(tmp_path: Path) -> None:
    cut = NationCut(CutPlan("CN-SX", 1))
    steps = cut.add_steps((NationStep("one", stop), NationStep("last", stop)))
    assert [step.name for step in steps] == [
        "laying a cable between CN-SX and the nation",
        "one",
        "asking models, and cutting CN-SX off",
    ]
    request = build_request(tmp_path, steps[0], NationStep("stopping", stop))
    await run_nation(replace(request, plans=cut.plan.add_cable(request.plans)))
    assert cut.cable is not None
    assert [server.is_serving() for server in cut.cable.servers] == [False, False]


async def stop(nation: Nation) -> None:
    nation.national.supervisor.stopping.set()


async def test_calls_are_told_by_part_of_the_run_and_by_what_became_of_them(tmp_path: Path) -> None:
    screen = io.StringIO()

    async def watch(nation: Nation) -> None:
        watching = CutWatch(nation, Traffic(nation.clock), Traffic(nation.clock))
        watching.inside.outcomes.update(answered=7)

        async def lose() -> str:
            watching.inside.outcomes.update(answered=2)
            watching.of_nation.outcomes.update(answered=1, platform_unreachable=3, engine_lost=1)
            return "done"

        assert await watching.play("cut", lose()) == "done"
        [phase] = watching.phases
        assert (phase.name, phase.inside) == ("cut", {"answered": 2})
        assert phase.nation == {"answered": 1, "platform_unreachable": 3, "engine_lost": 1}
        nation.national.supervisor.stopping.set()

    request = build_request(tmp_path, NationStep("watching", watch), screen=screen)
    await run_nation(replace(request, clock=FixedClock()))
    told = "inside 2 calls answered, 0 failed; of the nation 1 calls answered, 4 failed (engine_lost, platform_unreachable)"
    assert f"keisan: cut, 0 s: {told}" in screen.getvalue()


async def test_platform_that_does_not_answer_is_not_taken_for_held(tmp_path: Path) -> None:
    async def look(nation: Nation) -> None:
        give_identities(nation, list_addresses(3))
        [broken] = await list_broken(nation.national)
        assert broken.startswith("CN does not tell: ")
        nation.national.supervisor.stopping.set()

    await run_nation(build_request(tmp_path, NationStep("looking", look)))
