"""The relay's options as JSON: names of the contract, absent files as null."""

import json
from dataclasses import replace
from pathlib import Path

from keisan.domain.ids import MachineId, PlatformId
from keisan.domain.key import Secret
from keisan.gateway.identity import Identity
from keisan.gateway.options import FederationOptions, Listener, format_relay_options
from keisan.kit.ids import create_id
from tests.gateway.small_platform import INCARNATION, PLATFORM_ID
from tests.gateway.test_process import make_options

IDENTITY = Identity(MachineId(create_id()), PlatformId(PLATFORM_ID), Secret("mk-keisan-secret"))


def test_options_name_everything_and_no_secret(tmp_path: Path) -> None:
    options = replace(make_options(tmp_path, "http://a"), relay_limits={"body_bytes_max": 7}, worker_threads=2)
    text = format_relay_options(options, IDENTITY, INCARNATION)
    assert json.loads(text) == {
        "gateway_id": str(IDENTITY.machine_id),
        "platform_id": PLATFORM_ID,
        "incarnation": str(INCARNATION),
        "listen_host": "127.0.0.1",
        "listen_port": 0,
        "certificate_path": None,
        "certificate_key_path": None,
        "upstream_ca_path": None,
        "handover_path": None,
        "spool_directory": str(tmp_path / "gateway" / "spool"),
        "federation": None,
        "worker_threads": 2,
        "trace_sample_ppm": None,
        "limits": {"body_bytes_max": 7},
    }
    assert "secret" not in text


def test_federation_is_told_as_paths_and_places(tmp_path: Path) -> None:
    own = FederationOptions(tmp_path / "c", tmp_path / "k", tmp_path / "a", "[::]:8443", ("parent.example:8443",))
    options = replace(make_options(tmp_path, "http://a"), federation=own)
    assert json.loads(format_relay_options(options, IDENTITY, INCARNATION))["federation"] == {
        "certificate_path": str(tmp_path / "c"),
        "certificate_key_path": str(tmp_path / "k"),
        "ca_path": str(tmp_path / "a"),
        "listen": "[::]:8443",
        "parents": ["parent.example:8443"],
    }


def test_certificate_files_are_paths(tmp_path: Path) -> None:
    listener = Listener("0.0.0.0", 443, tmp_path / "c.pem", tmp_path / "k.pem")
    told = json.loads(
        format_relay_options(replace(make_options(tmp_path, "http://a"), listener=listener), IDENTITY, INCARNATION)
    )
    assert (told["certificate_path"], told["certificate_key_path"]) == (
        str(tmp_path / "c.pem"),
        str(tmp_path / "k.pem"),
    )


def test_spans_are_collected_only_where_they_can_go(tmp_path: Path) -> None:
    options = replace(make_options(tmp_path, "http://a"), otlp_url="http://collector", trace_sample_ppm=7)
    assert json.loads(format_relay_options(options, IDENTITY, INCARNATION))["trace_sample_ppm"] == 7
