"""Ratios of the benches: each within its round, whatever the order and whoever is missing."""

from stage.load import LoadResult
from stage.rounds import Spread, Table, compute_spread
from stage.window import Window


def build_window(subject: str, cpu_us: float | None, p50_us: float = 1.0) -> Window:
    told = {"latency": {"p50_us": p50_us}, "ended": 1, "good": 1}
    return Window(subject, LoadResult(told, is_counted=False), cpu_us, resident_bytes=1, foreign_share=0.0)


def build_table(own: dict[int, float], reference: dict[int, float]) -> Table:
    return Table(
        {
            "keisan": {number: build_window("keisan", value, value) for number, value in own.items()},
            "nginx": {number: build_window("nginx", value, value) for number, value in reference.items()},
            "direct": {number: build_window("direct", None, 10.0) for number in (0, 1, 2)},
        }
    )


def read_cpu(window: Window) -> float | None:
    return window.cpu_us_per_call


def read_p50(window: Window) -> float | None:
    return window.load.get_us("latency", "p50")


def test_ratio_is_taken_within_a_round() -> None:
    table = build_table({0: 30.0, 1: 80.0, 2: 20.0}, {0: 10.0, 1: 40.0, 2: 10.0})
    assert table.compute_ratio("keisan", "nginx", read_cpu) == Spread(2.0, 2.0, 3.0)
    assert table.compute_least_ratio("keisan", "nginx", read_cpu) == 2.0


def test_round_without_the_reference_gives_no_ratio() -> None:
    table = build_table({0: 30.0, 1: 80.0}, {0: 10.0})
    assert table.compute_ratio("keisan", "nginx", read_cpu) == Spread(3.0, 3.0, 3.0)
    assert table.compute_ratio("vllm_router", "nginx", read_cpu) is None
    assert table.compute_ratio("direct", "nginx", read_cpu) is None


def test_added_ratio_leaves_out_the_engine_itself() -> None:
    table = build_table({0: 40.0, 1: 50.0}, {0: 20.0, 1: 30.0})
    assert table.compute_added("keisan", read_p50) == Spread(35.0, 30.0, 40.0)
    assert table.compute_added_ratio("keisan", "nginx", read_p50) == Spread(2.5, 2.0, 3.0)


def test_nothing_has_no_spread() -> None:
    assert compute_spread([]) is None
    assert compute_spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
