"""A site's report: what an agent may not say, because it would reach every gateway."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from keisan.domain.limits import SITE_ENGINES_MAX
from keisan.wire.base import INTEGER_MAX
from keisan.wire.site import SiteReport
from tests.control.reports import ENGINE_REPORT, build_report, report_replica


def read_back(**changes: Any) -> SiteReport:
    """Return a report as the platform reads it, with changed JSON fields."""
    return SiteReport.model_validate_json(json.dumps(build_report().model_dump(mode="json") | changes))


def write_engine(**changes: object) -> dict[str, object]:
    return ENGINE_REPORT.model_dump(mode="json") | changes


@pytest.mark.parametrize("name", ["idle_connection_s", "requests_per_connection_max"])
def test_engine_with_a_number_that_no_relay_can_hold_is_refused(name: str) -> None:
    assert read_back(engines={"vllm": write_engine(**{name: INTEGER_MAX})}).engines
    with pytest.raises(ValidationError, match=name):
        read_back(engines={"vllm": write_engine(**{name: INTEGER_MAX + 1})})


def test_engines_are_few_and_have_names() -> None:
    most = {f"engine-{number}": write_engine() for number in range(SITE_ENGINES_MAX)}
    assert len(read_back(engines=most).engines) == SITE_ENGINES_MAX
    with pytest.raises(ValidationError, match="at most"):
        read_back(engines=most | {"one-more": write_engine()})
    with pytest.raises(ValidationError, match="engines"):
        read_back(engines={"x" * 129: write_engine()})


@pytest.mark.parametrize("path", ["engine.sock", "", "/run/\x00.sock", "/" + "x" * 107])
def test_endpoint_without_an_absolute_path_is_refused(path: str) -> None:
    whole = report_replica().model_dump(mode="json")
    with pytest.raises(ValidationError, match="path"):
        read_back(replicas=[whole | {"endpoint": {"kind": "unix", "path": path}}])
