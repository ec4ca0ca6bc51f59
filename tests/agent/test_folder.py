"""The data directory."""

from pathlib import Path
from uuid import UUID

import pytest

from keisan.agent.folder import lock_folder, prepare_folder
from keisan.domain.errors import SettingsInvalid, StateConflict
from keisan.domain.limits import UNIX_SOCKET_PATH_BYTES_MAX

REPLICA_ID = UUID("01900000-0000-7000-8000-0000000000a1")


def test_all_of_it_is_private(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "deep" / "site")
    for path in (folder.root, folder.run, folder.logs, folder.weights):
        assert path.stat().st_mode & 0o777 == 0o700


def test_open_run_folder_is_closed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    assert prepare_folder(tmp_path).run.stat().st_mode & 0o777 == 0o700


def test_relative_directory_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare_folder(Path("site")).run == tmp_path / "site" / "run"


def test_directory_is_as_long_as_its_sockets_allow(tmp_path: Path) -> None:
    spare_bytes = UNIX_SOCKET_PATH_BYTES_MAX - len(str(tmp_path / "x" / "run" / "0123456789ab.sock"))
    longest = tmp_path / ("x" * (spare_bytes + 1))
    socket_path = prepare_folder(longest).locate_socket(REPLICA_ID)
    assert len(bytes(socket_path)) == UNIX_SOCKET_PATH_BYTES_MAX
    with pytest.raises(SettingsInvalid, match=f"at most {len(str(longest))} bytes") as refusal:
        prepare_folder(Path(f"{longest}x"))
    assert refusal.value.field == "data_directory"
    assert not Path(f"{longest}x").exists()


def test_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("")
    with pytest.raises(SettingsInvalid, match="cannot be used"):
        prepare_folder(tmp_path / "site")


def test_one_agent_at_a_time(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "site")
    with lock_folder(folder), pytest.raises(StateConflict, match="another agent"), lock_folder(folder):
        pass
    with lock_folder(folder):
        pass


def test_replicas_have_files_of_their_own(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path)
    other = UUID("01900000-0000-7000-8000-0000000000a2")
    for locate in (folder.locate_socket, folder.locate_config, folder.locate_log):
        assert locate(REPLICA_ID) != locate(other)
