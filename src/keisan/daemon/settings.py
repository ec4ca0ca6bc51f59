"""The settings of every process: one frozen object from command line, environment, TOML file and defaults, in that order.

All faults are found at once (SettingsInvalid, one a line). KEISAN_GATEWAY__LISTEN sets `listen` of the table [gateway].
"""

import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from keisan.daemon.history_settings import HistorySettings
from keisan.daemon.settings_address import Address, ListenAddress, parse_address
from keisan.daemon.settings_device import DeviceSettings, SimulatedSettings, SupernodeSettings
from keisan.daemon.settings_faults import list_faults
from keisan.daemon.settings_link import LinkSettings
from keisan.daemon.settings_section import Section
from keisan.domain.challenge_rule import ScheduleTerms
from keisan.domain.errors import SettingsInvalid
from keisan.domain.limits import (
    ANSWERS_DAYS_DEFAULT,
    CHALLENGE_PERIOD_S_DEFAULT,
    CREDIT_RENEW_S,
    DELIVERIES_DAYS_DEFAULT,
    DELIVERIES_DAYS_MIN,
    QUARANTINE_DAYS_MIN,
    RETENTION_DAYS_MAX,
    TICKET_LATENESS_S,
    TICKET_LEASE_S,
    TICKETS_DAYS_MIN,
    USAGE_DAYS_MIN,
)
from keisan.domain.platform import PlatformKind
from keisan.domain.retention import RetentionTerms
from keisan.domain.ticket import CreditTerms
from keisan.wire.base import Name, Region

PREFIX = "KEISAN_"
# Read by the command line (daemon/connection.py), not settings of a server.
CLIENT_VARIABLES = frozenset(
    {"KEISAN_PLATFORM_URL", "KEISAN_GATEWAY_URL", "KEISAN_API_KEY", "KEISAN_CONFIG", "KEISAN_CA_PATH"}
)


def _check_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("a file that exists")
    return path


def _check_certificates(path: Path) -> Path:
    # Here, with all other faults, and not when the first request is to be sent.
    try:
        ssl.create_default_context(cafile=path)
    except OSError as fault:
        raise ValueError("a file of certificates (PEM)") from fault
    return path


ExistingFile = Annotated[Path, AfterValidator(_check_file)]
CertificateFile = Annotated[Path, AfterValidator(_check_certificates)]
Url = Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]
CollectorUrl = Annotated[str, Field(pattern=r"^https?://[^/\s?#]+(/[^\s?#]*)?$")]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
# A week is longer than anybody should be trusted without a word.
LeaseSeconds = Annotated[int, Field(ge=1, le=7 * 24 * 3600)]


class ListenerSection(Section):
    """Where a server listens, and its TLS: an address beyond this host needs a certificate or `insecure` (R11)."""

    listen: ListenAddress
    certificate: ExistingFile | None = None
    certificate_key: ExistingFile | None = None
    insecure: bool = False

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.certificate is None) != (self.certificate_key is None):
            raise ValueError("certificate and certificate_key together, or neither")
        if not self.listen.is_loopback and self.certificate is None and not self.insecure:
            raise ValueError(f"a certificate, or insecure = true, to listen on {self.listen}, which is not loopback")
        return self


def check_days(least: int) -> AfterValidator:
    """Return the check of a number of days: 0, which is for ever, or at least so many."""

    def check(days: int) -> int:
        if days != 0 and not least <= days <= RETENTION_DAYS_MAX:
            raise ValueError(f"0 (for ever), or {least} to {RETENTION_DAYS_MAX} days")
        return days

    return AfterValidator(check)


class RetentionSettings(Section):
    """For how many days data is kept; 0 keeps it for ever.

    Usage records go from the database only: archived, compared, their month closed and its dispute window over.
    """

    usage_days: Annotated[int, check_days(USAGE_DAYS_MIN)] = 0
    answers_days: Annotated[int, check_days(ANSWERS_DAYS_DEFAULT)] = ANSWERS_DAYS_DEFAULT
    tickets_days: Annotated[int, check_days(TICKETS_DAYS_MIN)] = 0
    quarantine_days: Annotated[int, check_days(QUARANTINE_DAYS_MIN)] = 0
    deliveries_days: Annotated[int, check_days(DELIVERIES_DAYS_MIN)] = DELIVERIES_DAYS_DEFAULT

    @property
    def terms(self) -> RetentionTerms:
        """Return the terms of retention."""
        return RetentionTerms(**self.model_dump())


class ChallengeSettings(Section):
    """How often the platform challenges each node by itself, at random times: once in `period_s` on the average, never for 0.

    Nodes with replicas are left alone unless `may_disturb`. `gateway_url` is where calls of serving challenges go, and
    `gateway_ca_path` the certificate file to trust there; without, the gateway that `keisan up` started beside the platform.
    """

    period_s: Annotated[int, Field(ge=0, le=366 * 24 * 3600)] = CHALLENGE_PERIOD_S_DEFAULT
    may_disturb: bool = False
    gateway_url: Url | None = None
    gateway_ca_path: CertificateFile | None = None

    @property
    def terms(self) -> ScheduleTerms:
        """Return the terms of the schedule."""
        return ScheduleTerms(self.period_s, self.may_disturb)


class StreamSettings(Section):
    """Where logs and registers of links are read: in the platform's database, or on NATS JetStream at `nats_url`."""

    nats_url: Annotated[str, Field(pattern=r"^(nats|tls)://\S+$")] | None = None


class PlatformSettings(ListenerSection):
    """The control plane. Without `database_url` it keeps SQLite in the data directory.

    `archive_directory` is where usage records lie as Parquet files, `archive` in the data directory without one.
    Gateways speak every `renew_s`, spend what they were leased for `ticket_lease_s` without an answer, and their records
    are awaited for `lateness_s` more.
    `otlp_url` is a collector's address, to which `/v1/metrics` is added: every `otlp_period_s` it is told the live roll-ups.
    """

    listen: ListenAddress = Address("127.0.0.1", 8080)
    database_url: Annotated[str, Field(pattern=r"^(sqlite|postgresql)(\+\w+)?://")] | None = None
    archive_directory: Path | None = None
    name: Name = "keisan"
    kind: PlatformKind = PlatformKind.REGIONAL
    ticket_lease_s: LeaseSeconds = TICKET_LEASE_S
    lateness_s: LeaseSeconds = TICKET_LATENESS_S
    renew_s: Annotated[int, Field(ge=1, le=3600)] = CREDIT_RENEW_S
    otlp_url: CollectorUrl | None = None
    otlp_period_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    retention: RetentionSettings = RetentionSettings()
    devices: DeviceSettings = DeviceSettings()
    challenges: ChallengeSettings = ChallengeSettings()
    history: HistorySettings = HistorySettings()
    link: LinkSettings = LinkSettings()
    streams: StreamSettings = StreamSettings()

    @model_validator(mode="after")
    def _check_terms(self) -> Self:
        if self.ticket_lease_s <= self.terms.silence_s:
            raise ValueError(f"a ticket_lease_s of more than 3 x renew_s, which is {self.terms.silence_s}")
        return self

    @property
    def terms(self) -> CreditTerms:
        """Return the terms on which gateways have credit."""
        return CreditTerms(self.ticket_lease_s, self.lateness_s, self.renew_s)


class RelayLimits(Section):
    """The relay's limits; what is not given has the relay's own default."""

    body_bytes_max: Positive | None = None
    request_bytes_in_flight_max: Positive | None = None
    queue_requests_max: Positive | None = None
    connections_max: Positive | None = None
    head_read_timeout_s: Positive | None = None
    upstream_connect_timeout_s: Positive | None = None
    first_byte_timeout_s: Positive | None = None
    stream_idle_timeout_s: Positive | None = None
    drain_after_client_s: Positive | None = None
    client_idle_timeout_s: Positive | None = None
    drain_idle_timeout_s: Positive | None = None
    event_bytes_max: Positive | None = None
    response_bytes_max: Positive | None = None
    spool_bytes_max: Positive | None = None


class FederationSettings(Section):
    """How a gateway speaks with those of other platforms: certificate, key and authorities are PEM files, read again when they change.

    Without all three its platform gives it a certificate, once it has joined another one, and says where the parent's gateways are.

    `parents` are the addresses of the parent's gateways, which are dialled. `listen` is where children and siblings come in; each
    shows a certificate of an authority in `ca`, so that it may be any address.
    """

    certificate: ExistingFile | None = None
    certificate_key: ExistingFile | None = None
    ca: CertificateFile | None = None
    listen: ListenAddress | None = None
    parents: tuple[ListenAddress, ...] = ()

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if len({path is None for path in (self.certificate, self.certificate_key, self.ca)}) > 1:
            raise ValueError("certificate, certificate_key and ca together, or none of them")
        return self


class GatewaySettings(ListenerSection):
    """The data plane. `join_token_path` is a file with the one-time token, needed for the first start only.

    `upstream_ca_path` is the certificate file to trust at the doors of sites.
    `otlp_url` is a collector's address, to which `/v1/traces` is added; without one no spans are collected.
    `federation` is the table [gateway.federation]; without it a gateway dials those of the parent, and takes no other platform's.
    `handover_path` is a socket where a gateway gives its listener to the one that is started in its place.
    """

    listen: ListenAddress = Address("127.0.0.1", 8000)
    platform_url: Url = "http://127.0.0.1:8080"
    ca_path: CertificateFile | None = None
    upstream_ca_path: ExistingFile | None = None
    name: Name = "gateway"
    join_token_path: Path | None = None
    worker_threads: Annotated[int, Field(ge=1, le=256)] = 1
    drain_s: Seconds = 30.0
    otlp_url: CollectorUrl | None = None
    trace_sample_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    handover_path: Path | None = None
    federation: FederationSettings | None = None
    limits: RelayLimits = RelayLimits()


class DoorLimits(Section):
    """The door's limits; what is not given has the door's own default."""

    body_bytes_max: Positive | None = None
    connections_max: Positive | None = None
    head_read_timeout_s: Positive | None = None
    engine_connect_timeout_s: Positive | None = None


class DoorSettings(ListenerSection):
    """The door of a site, for gateways on other hosts. `site_directory` is the agent's, by default under the same data."""

    listen: ListenAddress = Address("127.0.0.1", 8090)
    site_directory: Path | None = None
    worker_threads: Annotated[int, Field(ge=1, le=256)] = 1
    drain_s: Seconds = 30.0
    limits: DoorLimits = DoorLimits()


class SiteNodesSettings(ListenerSection):
    """Where a site's agent listens to those of its other nodes; `secret_path` is a file with what all of them show."""

    listen: ListenAddress = Address("127.0.0.1", 8070)
    secret_path: ExistingFile


class NodeSettings(Section):
    """The agent of one node of a site of many. `site_url` is where the site's agent listens, `secret_path` the same file's copy.

    `machine_id` stands in for the host's own where hosts share one, as cloned images and containers may.
    `simulated` are devices that it plays beside its own, each an item [[node.simulated]].
    """

    site_url: Url = "http://127.0.0.1:8070"
    ca_path: CertificateFile | None = None
    secret_path: ExistingFile | None = None
    machine_id: Annotated[str, Field(max_length=128)] = ""
    simulated: tuple[SimulatedSettings, ...] = ()


class SiteSettings(Section):
    """The agent of a site. Engines outlive it unless `stop_replicas_on_exit`, as under `keisan up`.

    `door_url` is where gateways find the site's door, and `door_ca_path` the certificates that they are to trust there.
    `simulated` are devices that it plays beside its own, each an item [[site.simulated]]; `supernode` are its supernodes, each
    an item [[site.supernode]]. With `nodes` it listens to agents of other nodes.
    """

    platform_url: Url = "http://127.0.0.1:8080"
    ca_path: CertificateFile | None = None
    name: Name = "site"
    join_token_path: Path | None = None
    stop_replicas_on_exit: bool = False
    door_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+:\d+$")] | None = None
    door_ca_path: ExistingFile | None = None
    door_insecure: bool = False
    nodes: SiteNodesSettings | None = None
    simulated: tuple[SimulatedSettings, ...] = ()
    supernode: tuple[SupernodeSettings, ...] = ()

    @model_validator(mode="after")
    def _check_door(self) -> Self:
        address = self.door_address
        if address is None:
            if self.door_ca_path is not None:
                raise ValueError("a door_url beside door_ca_path")
        elif not self.is_door_tls and not address.is_loopback and not self.door_insecure:
            raise ValueError(f"a door_url with https, or door_insecure = true, for {address}, which is not loopback")
        return self

    @property
    def door_address(self) -> Address | None:
        """Return where gateways find the site's door."""
        return None if self.door_url is None else parse_address(self.door_url.partition("://")[2])

    @property
    def is_door_tls(self) -> bool:
        """Tell whether the site's door speaks TLS."""
        return self.door_url is not None and self.door_url.startswith("https:")


class FirstStartSettings(Section):
    """What `keisan up` makes at the first start in a data directory; later starts change nothing of it."""

    organization: Name = "default"
    project: Name = "default"
    provider: Name = "local"
    site: Name = "local"
    region: Region = "JP-13"
    model: Name = "smollm2-135m-instruct"
    replica_count: Annotated[int, Field(ge=0, le=1000)] = 1
    slots: Annotated[int, Field(ge=1, le=1024)] = 4


class Settings(Section):
    """The settings of one process; each process reads its own table."""

    data_directory: Path
    log_level: Annotated[str, Field(pattern=r"^(?i:debug|info|warning|error)$")] = "info"
    platform: PlatformSettings = PlatformSettings()
    gateway: GatewaySettings = GatewaySettings()
    door: DoorSettings = DoorSettings()
    site: SiteSettings = SiteSettings()
    node: NodeSettings = NodeSettings()
    first_start: FirstStartSettings = FirstStartSettings()


def load_settings(
    options: Mapping[str, object],
    environment: Mapping[str, str],
    config_path: Path | None,
    usual: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings; `options` are those of the command line, nested as the tables are.

    `usual` are defaults that only the caller knows: what holds where nothing else says anything.
    Raises SettingsInvalid with every fault, one a line.
    """
    faults: list[str] = []
    merged = dict(usual or {})
    _merge_into(merged, _read_file(config_path, faults))
    _merge_into(merged, _read_environment(environment, faults))
    _merge_into(merged, options)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as fault:
        faults += list_faults(fault)
    else:
        if not faults:
            return settings
    raise SettingsInvalid("\n".join(faults))


def _read_environment(environment: Mapping[str, str], faults: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in CLIENT_VARIABLES:
            continue
        table, *path = name.removeprefix(PREFIX).lower().split("__")
        known = Settings.model_fields.get(table)
        if known is None or isinstance(known.default, Section) != bool(path):
            faults.append(f"{name}: expected a known variable, got one that names no setting")
        else:
            _merge_into(found, _nest([table, *path], text))
    return found


def _nest(path: list[str], text: str) -> dict[str, object]:
    nested: object = text
    for name in reversed(path):
        nested = {name: nested}
    assert isinstance(nested, dict)
    return nested


def _read_file(config_path: Path | None, faults: list[str]) -> dict[str, object]:
    if config_path is None:
        return {}
    try:
        return tomllib.loads(config_path.read_text())
    except OSError as fault:
        faults.append(f"{config_path}: expected a settings file, got '{fault.strerror}'")
    except ValueError as fault:
        faults.append(f"{config_path}: expected TOML, got '{fault}'")
    return {}


def _merge_into(lower: dict[str, object], upper: Mapping[str, object]) -> None:
    for name, found in upper.items():
        below = lower.get(name)
        if isinstance(below, dict) and isinstance(found, Mapping):
            _merge_into(below, found)
        else:
            lower[name] = dict(found) if isinstance(found, Mapping) else found
