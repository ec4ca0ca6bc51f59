"""The door's file: whom the platform orders, the sockets there are, private and whole, and kept when nobody speaks."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from keisan.agent.door import DoorAccess, DoorFile, DoorSettings, read_access
from keisan.domain.errors import SettingsInvalid, StorageUnavailable
from keisan.domain.limits import DOOR_CERTIFICATES_CHARACTERS_MAX
from keisan.wire.door import DoorOrder
from tests.domain.samples import CERTIFICATE

OWN = DoorSettings("door.example", 8090, is_tls=True)
FIRST, SECOND = UUID(int=1), UUID(int=2)
OLD, NEW = "0a" * 32, "0b" * 32


def read(path: Path) -> dict[str, object]:
    assert path.stat().st_mode & 0o777 == 0o600
    content = json.loads(path.read_bytes())
    assert isinstance(content, dict)
    return content


def order(*digests: str) -> DoorOrder:
    return DoorOrder(digests=digests)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "door.json"


def test_file_has_what_was_ordered_and_what_there_is(path: Path) -> None:
    door = DoorFile(path, OWN)
    door.keep_replicas({FIRST: "/run/1.sock"})
    assert read(path) == {"digests": [], "replicas": {str(FIRST): "/run/1.sock"}}
    assert door.follow(order(OLD, NEW))
    door.keep_replicas({SECOND: "/run/2.sock", FIRST: "/run/1.sock"})
    assert read(path) == {
        "digests": [OLD, NEW],
        "replicas": {str(FIRST): "/run/1.sock", str(SECOND): "/run/2.sock"},
    }
    door.keep_replicas({SECOND: "/run/2.sock"})
    assert door.follow(order(NEW))
    assert read(path) == {"digests": [NEW], "replicas": {str(SECOND): "/run/2.sock"}}


def test_report_says_whom_the_file_lets_in(path: Path) -> None:
    door = DoorFile(path, OWN)
    door.follow(order(OLD))
    report = door.build_report()
    assert report is not None
    assert (report.host, report.port, report.is_tls, report.digests) == ("door.example", 8090, True, (OLD,))
    assert report.certificates == ""


def test_what_is_no_news_is_not_written(path: Path) -> None:
    door = DoorFile(path, OWN)
    door.keep_replicas({FIRST: "/run/1.sock"})
    assert door.follow(order(OLD))
    written = path.stat()
    assert not door.follow(order(OLD))
    # A platform that knows no doors says nothing of one.
    assert not door.follow(None)
    door.keep_replicas({FIRST: "/run/1.sock"})
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_who_was_let_in_stays_so_when_the_agent_starts_anew(path: Path) -> None:
    DoorFile(path, OWN).follow(order(OLD))
    again = DoorFile(path, OWN)
    again.keep_replicas({FIRST: "/run/1.sock"})
    assert read(path) == {"digests": [OLD], "replicas": {str(FIRST): "/run/1.sock"}}
    report = again.build_report()
    assert report is not None
    assert report.digests == (OLD,)


def test_file_that_was_lost_comes_back(path: Path) -> None:
    door = DoorFile(path, OWN)
    door.follow(order(OLD))
    path.unlink()
    door.keep_replicas({})
    assert read(path) == {"digests": [OLD], "replicas": {}}


@pytest.mark.parametrize("text", ["{", "[]", '{"digests": 1}', '{"digests": [], "replicas": 3}'])
def test_damaged_file_lets_nobody_in_until_the_next_order(path: Path, text: str) -> None:
    path.write_text(text)
    assert read_access(path) == DoorAccess()
    door = DoorFile(path, OWN)
    assert door.follow(order(OLD))
    assert read(path)["digests"] == [OLD]


def test_site_without_a_door_has_no_file(path: Path) -> None:
    DoorFile(path, OWN).follow(order(OLD))
    closed = DoorFile(path, None)
    assert closed.build_report() is None
    closed.keep_replicas({FIRST: "/run/1.sock"})
    assert not closed.follow(order(NEW))
    assert not path.exists()


def test_file_that_cannot_be_written_is_a_fault_and_not_told(tmp_path: Path) -> None:
    door = DoorFile(tmp_path / "gone" / "door.json", OWN)
    with pytest.raises(StorageUnavailable):
        door.follow(order(OLD))
    report = door.build_report()
    assert report is not None
    assert report.digests == ()


def test_certificates_are_read_anew_and_kept_while_they_cannot_be(tmp_path: Path, path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_text(CERTIFICATE)
    door = DoorFile(path, replace(OWN, ca_path=trusted))

    def tell() -> str:
        report = door.build_report()
        assert report is not None
        return report.certificates

    assert tell() == CERTIFICATE
    trusted.write_text(CERTIFICATE * 2)
    assert tell() == CERTIFICATE * 2
    for odd in ("", "no certificate", "\N{SNOWMAN}", CERTIFICATE * DOOR_CERTIFICATES_CHARACTERS_MAX):
        trusted.write_text(odd, encoding="utf-8")
        assert tell() == CERTIFICATE * 2
    trusted.unlink()
    assert tell() == CERTIFICATE * 2
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        DoorFile(path, replace(OWN, ca_path=trusted))
