"""What Prometheus' own parsers read of a text."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from keisan.telemetry.exposition import TextForm


@dataclass(frozen=True)
class ReadSample:
    """One line of a text; family, kind and unit are those of the description above it."""

    family: str
    kind: str
    unit: str
    name: str
    labels: dict[str, str]
    value: float


def read_samples(text: str, form: TextForm = TextForm.PROMETHEUS) -> Iterator[ReadSample]:
    """Yield every sample of a text; raises ValueError for one that the parser of its form refuses."""
    parse = parse_openmetrics if form is TextForm.OPENMETRICS else parse_text
    for family in parse(text):
        for sample in family.samples:
            yield ReadSample(family.name, family.type, family.unit, sample.name, sample.labels, sample.value)
