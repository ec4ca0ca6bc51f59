"""The text: names as OpenTelemetry's own translation makes them, any text within a label, read back by Prometheus' parsers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.telemetry.exposition import TextForm, name_series, write_table
from keisan.telemetry.series import Column, Family, SeriesKind, SeriesTable
from tests.telemetry.scrape import read_samples

COUNTER, UP_DOWN = SeriesKind.COUNTER, SeriesKind.UP_DOWN_COUNTER


@pytest.mark.parametrize(
    ("family", "name"),
    [
        (Family("hw.gpu.utilization", "1", ""), "hw_gpu_utilization_ratio"),
        (Family("hw.fan.speed_ratio", "1", ""), "hw_fan_speed_ratio"),
        (Family("hw.status", "1", "", UP_DOWN), "hw_status"),
        (Family("hw.gpu.memory.usage", "By", "", UP_DOWN), "hw_gpu_memory_usage_bytes"),
        (Family("hw.power", "W", ""), "hw_power_watts"),
        (Family("hw.temperature", "Cel", ""), "hw_temperature_celsius"),
        (Family("hw.energy", "J", "", COUNTER), "hw_energy_joules_total"),
        (Family("hw.errors", "{error}", "", COUNTER), "hw_errors_total"),
        (Family("keisan.io", "By/s", ""), "keisan_io_bytes_per_second"),
        (Family("keisan.tokens", "{token}/s", ""), "keisan_tokens_per_second"),
        (Family("keisan.devices", "{device}", ""), "keisan_devices"),
    ],
)
def test_names_are_those_of_the_translation(family: Family, name: str) -> None:
    assert name_series(family) == name


Texts = st.text(st.characters(codec="utf-8"), max_size=20)
Numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))


@pytest.mark.parametrize("form", list(TextForm))
@given(owners=st.lists(Texts, min_size=1, max_size=4, unique=True), extra=Texts, data=st.data())
def test_whatever_is_told_is_read_back(form: TextForm, owners: list[str], extra: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(Numbers, min_size=len(owners), max_size=len(owners)))
    counts = [abs(value) for value in values]
    places = list(range(len(owners)))
    gauge, counter = Family("a.gauge", "W", "A gauge."), Family("a.counter", "{x}", "A counter.", COUNTER)
    table = SeriesTable(
        [{"hw.id": owner} for owner in owners],
        [
            Column(gauge, places, values, {"kind": "first"}),
            Column(counter, places, counts, {}),
            # One family told in two places is still described once.
            Column(gauge, places[:1], values[:1], {"kind": extra + "?"}),
        ],
    )
    text = "".join(write_table(table, form))
    samples = list(read_samples(text, form))
    assert list(dict.fromkeys(sample.family for sample in samples)) == ["a_gauge_watts", "a_counter"]
    read = [(sample.name, sample.labels, sample.value) for sample in samples]
    expected = [("a_gauge_watts", {"hw_id": owners[at], "kind": "first"}, float(values[at])) for at in places]
    expected.append(("a_gauge_watts", {"hw_id": owners[0], "kind": extra + "?"}, float(values[0])))
    expected += [("a_counter_total", {"hw_id": owners[at]}, float(counts[at])) for at in places]
    assert read == expected


def test_family_without_series_is_not_described() -> None:
    table = SeriesTable([], [Column(Family("a", "W", "A gauge."), [], [], {})])
    assert "".join(write_table(table, TextForm.PROMETHEUS)) == ""
