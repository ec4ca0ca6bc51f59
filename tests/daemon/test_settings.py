"""Settings: every fault at once and in words, unknown keys refused, command line over environment over file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.daemon.settings import Settings, load_settings
from keisan.daemon.settings_address import Address, parse_address
from keisan.domain.errors import SettingsInvalid
from keisan.domain.retention import RetentionTerms
from keisan.domain.ticket import CreditTerms

DATA: Mapping[str, object] = {"data_directory": "/tmp/keisan"}


def load(
    options: Mapping[str, object] = DATA,
    environment: Mapping[str, str] | None = None,
    config_path: Path | None = None,
) -> Settings:
    return load_settings(options, environment or {}, config_path)


def list_faults(
    options: Mapping[str, object] = DATA, environment: Mapping[str, str] | None = None, config_path: Path | None = None
) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load(options, environment, config_path)
    return caught.value.outside.splitlines()


def test_defaults_are_loopback() -> None:
    settings = load()
    assert str(settings.platform.listen) == "127.0.0.1:8080"
    assert str(settings.gateway.listen) == "127.0.0.1:8000"
    assert settings.data_directory == Path("/tmp/keisan")


def test_command_line_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "keisan.toml"
    file.write_text('[gateway]\nlisten = "127.0.0.1:1"\nname = "from-file"\nworker_threads = 3\n')
    settings = load(
        {**DATA, "gateway": {"listen": "127.0.0.1:3"}},
        {"KEISAN_GATEWAY__LISTEN": "127.0.0.1:2", "KEISAN_GATEWAY__NAME": "from-environment"},
        file,
    )
    assert settings.gateway.listen == Address("127.0.0.1", 3)
    assert (settings.gateway.name, settings.gateway.worker_threads) == ("from-environment", 3)


@pytest.mark.parametrize(
    ("options", "environment", "text", "wanted"),
    [
        ({"data_directory": "/option"}, {"KEISAN_DATA_DIRECTORY": "/variable"}, 'data_directory = "/file"', "/option"),
        ({}, {"KEISAN_DATA_DIRECTORY": "/variable"}, 'data_directory = "/file"', "/variable"),
        ({}, {}, 'data_directory = "/file"', "/file"),
        ({}, {}, "", "/usual"),
    ],
)
def test_what_is_usual_comes_last(
    tmp_path: Path, options: Mapping[str, object], environment: Mapping[str, str], text: str, wanted: str
) -> None:
    file = tmp_path / "keisan.toml"
    file.write_text(text)
    settings = load_settings(options, environment, file, {"data_directory": "/usual"})
    assert settings.data_directory == Path(wanted)


@pytest.mark.parametrize("name", ["no certificate", "not there"])
@pytest.mark.parametrize("table", ["gateway", "site"])
def test_file_to_trust_holds_certificates(tmp_path: Path, table: str, name: str) -> None:
    path = tmp_path / f"{name}.pem"
    (tmp_path / "no certificate.pem").write_text("mine")
    [fault] = list_faults({**DATA, table: {"ca_path": str(path)}})
    assert fault == f"{table}.ca_path: expected a file of certificates (PEM), got '{path}'"


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keisan.toml"
    file.write_text(
        '[gateway]\nlisten = "nowhere"\nworker_threads = 0\nlitsen = "127.0.0.1:1"\n'
        '[platform]\ndatabase_url = "mysql://root:secret@db"\n[first_start]\nregion = "Tokyo"\n'
    )
    faults = list_faults(environment={"KEISAN_GATEWAI__NAME": "x"}, config_path=file)
    text = "\n".join(faults)
    # A fault outside the file does not hide those in it.
    assert "KEISAN_GATEWAI__NAME: expected a known variable, got one that names no setting" in faults
    assert "gateway.listen: expected HOST:PORT with a port from 0 to 65535, got 'nowhere'" in faults
    assert "gateway.worker_threads: expected greater than or equal to 1, got 0" in faults
    assert "gateway.litsen: expected a known key, got one that names no setting" in faults
    assert "first_start.region: expected pattern '^[A-Z]{2}-[A-Z0-9]{1,3}$', got 'Tokyo'" in faults
    assert len(faults) == 6, text
    assert "secret" not in text


@pytest.mark.parametrize("name", ["KEISAN_PORT", "KEISAN_GATEWAY", "KEISAN_GATEWAY__LITSEN", "KEISAN_LOG_LEVEL__X"])
def test_unknown_variable_is_a_fault(name: str) -> None:
    assert list_faults(environment={name: "{}"})


def test_variables_of_the_command_line_are_no_faults() -> None:
    load(environment={"KEISAN_GATEWAY_URL": "http://a", "KEISAN_API_KEY": "k", "PATH": "/bin"})


def test_listening_beyond_this_host_needs_tls_or_a_word(tmp_path: Path) -> None:
    bare = {**DATA, "gateway": {"listen": "0.0.0.0:8000"}, "platform": {"listen": "[::]:8080"}}
    faults = list_faults(options=bare)
    assert [fault.split(":")[0] for fault in faults] == ["platform", "gateway"]
    assert "certificate" in faults[0]
    load({**DATA, "gateway": {"listen": "0.0.0.0:8000", "insecure": True}})
    for name in ("certificate", "certificate_key"):
        (tmp_path / name).write_text("x")
    both = {"certificate": tmp_path / "certificate", "certificate_key": tmp_path / "certificate_key"}
    load({**DATA, "gateway": {"listen": "0.0.0.0:8000", **both}})


def test_site_tells_of_its_door(tmp_path: Path) -> None:
    assert load().site.door_address is None
    own = load({**DATA, "site": {"door_url": "https://door.example:8443"}}).site
    assert (own.door_address, own.is_door_tls) == (Address("door.example", 8443), True)
    assert not load({**DATA, "site": {"door_url": "http://127.0.0.1:8090"}}).site.is_door_tls
    # In clear beyond this host, the secret and every prompt could be read on the way.
    [fault] = list_faults({**DATA, "site": {"door_url": "http://door.example:8090"}})
    assert "door_insecure" in fault
    load({**DATA, "site": {"door_url": "http://door.example:8090", "door_insecure": True}})
    for url in ("door.example:8443", "https://door.example", "https://door.example:8443/x", "https://a b:1"):
        assert list_faults({**DATA, "site": {"door_url": url}})
    assert list_faults({**DATA, "site": {"door_url": "https://door.example:70000"}})
    (tmp_path / "ca.pem").write_text("x")
    [fault] = list_faults({**DATA, "site": {"door_ca_path": tmp_path / "ca.pem"}})
    assert "door_url" in fault


def test_certificate_without_its_key(tmp_path: Path) -> None:
    (tmp_path / "certificate").write_text("x")
    [fault] = list_faults(options={**DATA, "gateway": {"certificate": tmp_path / "certificate"}})
    assert fault == "gateway: expected certificate and certificate_key together, or neither"


def test_file_that_is_missing_or_no_toml(tmp_path: Path) -> None:
    [missing] = list_faults(config_path=tmp_path / "none.toml")
    assert missing.endswith("expected a settings file, got 'No such file or directory'")
    broken = tmp_path / "keisan.toml"
    broken.write_text("[gateway\n")
    [fault] = list_faults(config_path=broken)
    assert "expected TOML" in fault


def test_settings_are_frozen() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.gateway.name = "other"


@pytest.mark.parametrize("text", ["", "8000", ":8000", "host:", "host:x", "host:65536", "host:-1"])
def test_address_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "is_loopback"),
    [("127.0.0.1:1", True), ("[::1]:1", True), ("localhost:1", True), ("10.0.0.1:1", False), ("example.org:1", False)],
)
def test_loopback(text: str, *, is_loopback: bool) -> None:
    address = parse_address(text)
    assert (address.is_loopback, str(address)) == (is_loopback, text)


def test_terms_of_credit_are_settings() -> None:
    assert load().platform.terms == CreditTerms(lease_s=7200, lateness_s=7200, renew_s=10)
    own = {"ticket_lease_s": 60, "lateness_s": 120, "renew_s": 5}
    assert load({**DATA, "platform": own}).platform.terms == CreditTerms(60, 120, 5)
    [fault] = list_faults(options={**DATA, "platform": own | {"ticket_lease_s": 15}})
    assert fault == "platform: expected a ticket_lease_s of more than 3 x renew_s, which is 15"


@pytest.mark.parametrize("name", ["usage_days", "answers_days", "tickets_days", "quarantine_days", "deliveries_days"])
def test_data_is_kept_for_ever_or_for_some_days_at_least(tmp_path: Path, name: str) -> None:
    least = {"usage_days": 60, "answers_days": 1, "tickets_days": 14, "quarantine_days": 30, "deliveries_days": 7}[name]
    for days in (0, least, 36_500):
        options = {"data_directory": tmp_path, "platform": {"retention": {name: days}}}
        settings = load_settings(options, {}, None)
        assert settings.platform.retention.terms == replace(RetentionTerms(), **{name: days})
    for days in (-1, 36_501, *([least - 1] if least > 1 else [])):
        with pytest.raises(SettingsInvalid, match="for ever"):
            load_settings({"data_directory": tmp_path, "platform": {"retention": {name: days}}}, {}, None)


@pytest.mark.parametrize(
    ("nats_url", "is_good"),
    [("nats://127.0.0.1:4222", True), ("tls://nats.example:4222", True), ("http://127.0.0.1:4222", False), ("", False)],
)
def test_streams_are_on_nats_where_an_address_says_so(tmp_path: Path, nats_url: str, is_good: bool) -> None:
    options = {"data_directory": tmp_path, "platform": {"streams": {"nats_url": nats_url}}}
    assert load_settings({"data_directory": tmp_path}, {}, None).platform.streams.nats_url is None
    if is_good:
        assert load_settings(options, {}, None).platform.streams.nats_url == nats_url
    else:
        with pytest.raises(SettingsInvalid):
            load_settings(options, {}, None)


@pytest.mark.parametrize(("period_s", "is_good"), [(0, True), (60, True), (-1, False), (366 * 24 * 3600 + 1, False)])
def test_challenges_have_a_period_or_none(tmp_path: Path, period_s: int, is_good: bool) -> None:
    options = {"data_directory": tmp_path, "platform": {"challenges": {"period_s": period_s, "may_disturb": True}}}
    if is_good:
        terms = load_settings(options, {}, None).platform.challenges.terms
        assert (terms.period_s, terms.may_disturb) == (period_s, True)
    else:
        with pytest.raises(SettingsInvalid):
            load_settings(options, {}, None)
