"""Building the platform: the gateway that it finds."""

from pathlib import Path

from keisan.daemon.folder import DataFolder
from keisan.daemon.operator_file import OperatorFile, note_gateway, write_operator
from keisan.daemon.platform import build_gateway_finder
from keisan.daemon.settings import ChallengeSettings
from keisan.kit.http import HttpTarget


def test_gateway_is_the_named_one_or_else_the_one_beside_the_platform(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    find_gateway = build_gateway_finder(ChallengeSettings(), folder)
    assert find_gateway() is None
    write_operator(folder.operator_path, OperatorFile("sk-keisan-x", ca_path="/ca.pem"))
    assert find_gateway() is None
    note_gateway(folder.operator_path, "http://127.0.0.1:8000")
    # The operator's key stays where it is: a challenge has a key of its own.
    assert find_gateway() == HttpTarget("http://127.0.0.1:8000", ca_path="/ca.pem")
    named = build_gateway_finder(ChallengeSettings(gateway_url="https://gateway.example"), folder)
    assert named() == HttpTarget("https://gateway.example")
