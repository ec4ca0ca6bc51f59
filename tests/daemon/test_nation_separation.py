"""What platforms on one host share is found, whatever it is."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.daemon.folder import DataFolder, prepare_folder
from keisan.daemon.nation_separation import Holdings, list_shared, read_holdings
from keisan.daemon.operator_file import OperatorFile
from keisan.daemon.platform_identity import ensure_identity
from keisan.daemon.process_file import record_process

ONE = Holdings("A", Path("/n/a"), frozenset({(1, 1)}), frozenset({"127.0.0.1:1"}), frozenset({"k1"}), frozenset({10}))
OTHER = Holdings("B", Path("/n/b"), frozenset({(1, 2)}), frozenset({"127.0.0.1:2"}), frozenset({"k2"}), frozenset({20}))


def test_nothing_is_shared_by_what_has_nothing_in_common() -> None:
    third = Holdings("C", Path("/n/bb"), frozenset(), frozenset(), frozenset(), frozenset())
    assert list_shared([ONE, OTHER, third]) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"root": Path("/n/a/inner")}, "the folder /n/a/inner"),
        ({"root": Path("/n/a")}, "the folder /n/a"),
        ({"root": Path("/n")}, "the folder /n/a"),
        ({"files": frozenset({(1, 1), (1, 3)})}, "a file (1, 1)"),
        ({"addresses": frozenset({"127.0.0.1:1"})}, "the address 127.0.0.1:1"),
        ({"keys": frozenset({"k1"})}, "a key k1"),
        ({"process_ids": frozenset({10})}, "the process 10"),
    ],
)
def test_each_thing_that_two_share_is_named(change: dict[str, object], word: str) -> None:
    assert list_shared([ONE, replace(OTHER, **change)]) == [f"A and B share {word}"]  # type: ignore[arg-type]  # any field


def make_platform(root: Path, port: int) -> tuple[DataFolder, OperatorFile]:
    folder = prepare_folder(root)
    ensure_identity(folder.platform / "identity.pem")
    (folder.platform / "keisan.db").write_bytes(b"x")
    return folder, OperatorFile(f"sk-keisan-{port}", f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}")


def test_links_to_another_s_files_and_copied_keys_are_found_on_the_disk(tmp_path: Path) -> None:
    first, second = make_platform(tmp_path / "a", 1000), make_platform(tmp_path / "b", 2000)
    assert list_shared([read_holdings("A", *first), read_holdings("B", *second)]) == []
    second[0].platform.joinpath("keisan.db").unlink()
    os.link(first[0].platform / "keisan.db", second[0].platform / "keisan.db")
    [fault] = list_shared([read_holdings("A", *first), read_holdings("B", *second)])
    assert "share a file" in fault
    second[0].platform.joinpath("keisan.db").unlink()
    second[0].platform.joinpath("keisan.db").symlink_to(first[0].platform / "keisan.db")
    assert list_shared([read_holdings("A", *first), read_holdings("B", *second)]) == [fault]
    second[0].platform.joinpath("keisan.db").unlink()
    identity = second[0].platform / "identity.pem"
    identity.write_bytes((first[0].platform / "identity.pem").read_bytes())
    [fault] = list_shared([read_holdings("A", *first), read_holdings("B", *second)])
    assert "share a key" in fault


def test_one_process_for_two_is_found(tmp_path: Path) -> None:
    first, second = make_platform(tmp_path / "a", 1000), make_platform(tmp_path / "b", 2000)
    for folder, _ in (first, second):
        record_process(folder.processes / "site.json", os.getpid())
    assert list_shared([read_holdings("A", *first), read_holdings("B", *second)]) == [
        f"A and B share the process {os.getpid()}"
    ]
