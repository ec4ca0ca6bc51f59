"""Which other nodes a site has: kept over restarts, each spoken for by one host, unknown when silent, and within what fits."""

from pathlib import Path
from uuid import UUID

import pytest

from keisan.agent import host_book
from keisan.agent.device import UNREAD_FACT
from keisan.agent.host_book import SILENT_S, HostBook, Sender
from keisan.domain.device import REMOTE_FACT
from keisan.domain.errors import InvalidInput, LimitExceeded, PermissionDenied, Postponed
from keisan.domain.limits import DEVICE_FACTS_MAX
from keisan.domain.verdict import Verdict
from tests.agent.many_hosts import OWN_NODE, describe_devices, describe_host

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nodes.json"


@pytest.fixture
def book(path: Path) -> HostBook:
    return HostBook(path, OWN_NODE)


def judge(book: HostBook, now_s: float) -> dict[str, Verdict]:
    return {device.hardware_id: device.verdict for device in book.list_devices((), now_s)}


def test_devices_of_all_nodes_are_the_site_s_and_marked(book: HostBook) -> None:
    own = describe_devices(OWN_NODE, "d0")
    assert book.take(describe_host("n1", "d1", "d2"), 0)
    assert not book.take(describe_host("n1", "d1", "d3"), 1)
    found = book.list_devices(own, 1)
    assert [(device.hardware_id, REMOTE_FACT in device.facts) for device in found] == [
        ("d0", False),
        ("d1", True),
        ("d3", True),
    ]
    assert [node.hardware_id for node in book.list_nodes()] == ["n1"]


def test_a_silent_node_s_devices_are_unknown_but_what_failed_stays_so(book: HostBook) -> None:
    host = describe_host("n1", "d1", "d2")
    failed = host.devices[1].model_copy(update={"verdict": Verdict.FAILED})
    book.take(host.model_copy(update={"devices": (host.devices[0], failed)}), 0)
    assert judge(book, SILENT_S) == {"d1": Verdict.OK, "d2": Verdict.FAILED}
    assert judge(book, SILENT_S + 1) == {"d1": Verdict.UNKNOWN, "d2": Verdict.FAILED}
    assert UNREAD_FACT in book.list_devices((), SILENT_S + 1)[0].facts
    assert book.hear(Sender("n1", ONE), SILENT_S + 2).hardware_id == "n1"
    assert judge(book, SILENT_S + 2)["d1"] is Verdict.OK


def test_marks_have_their_place_among_many_facts(book: HostBook) -> None:
    host = describe_host("n1", "d1")
    facts = {f"fact {number}": "x" for number in range(DEVICE_FACTS_MAX)}
    book.take(host.model_copy(update={"devices": (host.devices[0].model_copy(update={"facts": facts}),)}), 0)
    [device] = book.list_devices((), 0)
    assert (len(device.facts), REMOTE_FACT in device.facts) == (DEVICE_FACTS_MAX, True)


def test_a_device_that_two_tell_of_is_told_once_by_one_that_is_heard(book: HostBook) -> None:
    book.take(describe_host("n1", "d1", "d0"), 0)
    book.take(describe_host("n2", "d1", agent=2), SILENT_S)
    own = describe_devices(OWN_NODE, "d0")
    for now_s, expected in ((SILENT_S, "n1"), (SILENT_S + 1, "n2")):
        found = {device.hardware_id: device.node_hardware_id for device in book.list_devices(own, now_s)}
        assert found == {"d0": OWN_NODE, "d1": expected}


def test_two_hosts_that_are_the_same_node_are_a_contradiction_that_is_told(
    book: HostBook, caplog: pytest.LogCaptureFixture
) -> None:
    book.take(describe_host("n1", "d1"), 0)
    for _ in range(2):
        with pytest.raises(PermissionDenied, match=r"host-n1.*is node n1 as well"):
            book.take(describe_host("n1", "d1", agent=2), SILENT_S)
        with pytest.raises(PermissionDenied):
            book.hear(Sender("n1", OTHER), SILENT_S)
    assert [record.message for record in caplog.records].count("node.contradicted") == 1
    # The first goes on, and after it has been silent another may speak for the node.
    assert not book.take(describe_host("n1", "d1"), SILENT_S)
    with pytest.raises(Postponed):
        book.hear(Sender("n1", OTHER), 3 * SILENT_S)
    assert book.take(describe_host("n1", "d1", agent=2), 3 * SILENT_S)
    assert book.list_agents() == {OTHER}
    with pytest.raises(PermissionDenied):
        book.hear(Sender("n1", ONE), 3 * SILENT_S)


def test_nobody_else_is_the_site_s_own_host(book: HostBook) -> None:
    with pytest.raises(PermissionDenied, match="the site's own agent"):
        book.take(describe_host(OWN_NODE, "d1"), 0)


def test_devices_of_another_node_are_refused(book: HostBook) -> None:
    wrong = describe_host("n1").model_copy(update={"devices": describe_devices("n2", "d1")})
    with pytest.raises(InvalidInput, match="devices of the node"):
        book.take(wrong, 0)
    assert book.list_nodes() == ()


@pytest.mark.parametrize(("limit", "most"), [("SITE_HOSTS_BYTES_MAX", 700), ("SITE_NODES_MAX", 2)])
def test_what_the_site_s_report_has_no_room_for_is_refused(
    book: HostBook, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(host_book, limit, most)
    assert book.take(describe_host("n1", "d1"), 0)
    with pytest.raises(LimitExceeded, match="no room"):
        book.take(describe_host("n2", "d2", "d3", "d4", agent=2), 0)
    # The one that is known goes on.
    assert not book.take(describe_host("n1", "d2"), 0)


def test_nodes_are_kept_over_a_restart_and_unknown_until_they_are_heard(book: HostBook, path: Path) -> None:
    book.take(describe_host("n1", "d1"), 0)
    book.save()
    again = HostBook(path, OWN_NODE)
    assert judge(again, 0) == {"d1": Verdict.UNKNOWN}
    again.hear(Sender("n1", ONE), 0)
    assert judge(again, 0) == {"d1": Verdict.OK}
    path.unlink()
    again.save()
    assert not path.exists()


def test_a_disk_that_is_full_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "nodes.json"
    book = HostBook(path, OWN_NODE)
    book.take(describe_host("n1", "d1"), 0)
    book.save()
    assert not path.exists()
    path.parent.mkdir()
    book.save()
    assert path.exists()


@pytest.mark.parametrize("text", ["nonsense", '{"schema_version": 1}', '{"schema_version": 1, "hosts": [{"node": 1}]}'])
def test_damage_forgets_and_is_told(path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(text)
    assert HostBook(path, OWN_NODE).list_nodes() == ()
    assert "nodes.forgotten" in [record.message for record in caplog.records]
