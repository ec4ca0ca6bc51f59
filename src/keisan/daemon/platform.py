"""Builds the control plane from settings: storage, first start, lease loop, and the API on one address."""

import asyncio
import importlib.metadata
import socket
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

from keisan.api.app import create_app
from keisan.api.context import ApiContext
from keisan.catalog.base import load_catalog
from keisan.catalog.supernode import load_supernode_templates
from keisan.control.bootstrap import prepare_platform
from keisan.control.capacity import OWN_SOURCES, CapacitySource
from keisan.control.context import Control
from keisan.control.development import Development
from keisan.control.device_error import DeviceErrorWatch
from keisan.control.history import History
from keisan.control.journal import open_journal
from keisan.control.live_capacity import LiveSource
from keisan.control.platform_watch import PlatformWatch
from keisan.control.pulse import Pulse
from keisan.control.reconcilers.archive import start_archiving
from keisan.control.reconcilers.challenge_schedule import start_challenge_schedule
from keisan.control.reconcilers.name import start_names
from keisan.control.reconcilers.retention import start_retention
from keisan.control.reconcilers.settlement import start_settlement
from keisan.control.region import RegionWatch
from keisan.control.region_capacity import TreeSource
from keisan.control.snapshot import SnapshotFeed
from keisan.control.telemetry import FleetWatch
from keisan.control.verified_capacity import VerifiedSource
from keisan.daemon.first_start import build_plan, ensure_operator
from keisan.daemon.folder import DataFolder, prepare_folder
from keisan.daemon.history import open_history
from keisan.daemon.link_service import LinkService
from keisan.daemon.listener import bind_listener
from keisan.daemon.memory import settle_platform
from keisan.daemon.opening import open_archive, open_storage
from keisan.daemon.operator_file import note_platform, read_operator
from keisan.daemon.platform_identity import ensure_identity
from keisan.daemon.server import Server, build_config
from keisan.daemon.serving import announce_ready
from keisan.daemon.settings import ChallengeSettings, PlatformSettings, Settings
from keisan.daemon.streams import carry_streams, open_streams
from keisan.daemon.work_loop import build_loops
from keisan.domain.capacity import CapacityKind
from keisan.domain.chip import list_nominal_gflops
from keisan.domain.figure import Precision
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget
from keisan.kit.observe import write_log


@dataclass(frozen=True, slots=True)
class FleetParts:
    """The fleet as it is, and as it was; what platforms below tell of theirs, None where nobody asks; and what loops wait on."""

    watch: FleetWatch
    history: History
    development: Development
    pulse: Pulse
    regions: RegionWatch | None = None


async def serve_platform(settings: Settings, stop: asyncio.Event) -> None:
    """Run the control plane until `stop` is set.

    Raises SettingsInvalid if the address cannot be used, StorageUnavailable if the database cannot, StateConflict if it
    belongs to another platform.
    """
    clock = SystemClock()
    folder = prepare_folder(settings.data_directory)
    own = settings.platform
    listener = bind_listener(own.listen)
    identity = ensure_identity(folder.platform / "identity.pem")
    plan = build_plan(ensure_operator(folder), identity.public_key, own, settings.first_start)
    storage = open_storage(own, folder.platform, clock)
    try:
        await storage.migrate()
        outcome = await prepare_platform(storage, clock, plan)
        write_log("platform.prepared", platform_id=outcome.platform.id, created=list(outcome.created))
        control = Control(
            storage,
            clock,
            outcome.platform.id,
            load_catalog(),
            door_root=identity.door_root,
            webhook_root=identity.webhook_root,
            signer=identity.signer,
            identity=identity.link,
            link_url=own.link.outside_url,
            gateway_address="" if own.link.gateway_address is None else str(own.link.gateway_address),
            is_insecure=own.insecure,
            archive=open_archive(settings, clock),
            device_terms=own.devices.terms,
            find_gateway=build_gateway_finder(own.challenges, folder),
            streams=open_streams(own.streams, storage, outcome.platform.id),
        )
        await open_journal(control)
        await start_archiving(storage, clock.now())
        await start_names(storage, clock.now())
        await start_retention(storage, clock.now())
        await start_settlement(storage, clock.now())
        await start_challenge_schedule(storage, clock.now(), own.challenges.terms, SystemRandom())

        def announce(url: str) -> None:
            note_platform(folder.operator_path, url, own.certificate)
            announce_ready(url=url)

        history = open_history(control, own.history, folder.history)
        fleet = FleetWatch(control, list_nominal_gflops(control.chips.values(), Precision.FP16), history)
        await fleet.load()
        regions = RegionWatch(fleet, (*OWN_SOURCES, *list_capacity_sources(fleet)), own.link.tells_names)
        development = Development(control, history, list_capacity_sources(fleet))
        parts = FleetParts(fleet, history, development, Pulse(control), regions)
        server = build_server(own, parts, announce)
        links = LinkService(control, identity, folder.platform, own.link.listen, read_release(), own.link.parent_url)
        settle_platform()
        await _serve(server, own, parts, links, (listener, stop))
    finally:
        await storage.close()
        listener.close()


def read_release() -> str:
    """Return keisan's own version, "unknown" in a checkout that was not installed."""
    try:
        return importlib.metadata.version("keisan")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def build_gateway_finder(own: ChallengeSettings, folder: DataFolder) -> Callable[[], HttpTarget | None]:
    """Return what finds the gateway that the settings name, or else the one that was started beside the platform here."""

    def find_gateway() -> HttpTarget | None:
        if own.gateway_url is not None:
            return HttpTarget(own.gateway_url, ca_path=str(own.gateway_ca_path) if own.gateway_ca_path else None)
        # Read each time: it is noted after the platform has started, and with another port after the next start.
        kept = read_operator(folder.operator_path)
        return HttpTarget(kept.gateway_url, ca_path=kept.ca_path) if kept and kept.gateway_url else None

    return find_gateway


def build_server(own: PlatformSettings, parts: FleetParts, announce: Callable[[str], None]) -> Server:
    """Return the API's server, which listens to nobody yet; raises SettingsInvalid for a certificate it cannot show."""
    fleet, templates = parts.watch, load_supernode_templates()
    snapshots = SnapshotFeed(fleet.control, parts.pulse)
    context = ApiContext(
        fleet.control,
        snapshots,
        fleet,
        read_release(),
        own.terms,
        supernode_templates=templates,
        capacity_sources=list_tree_sources(fleet, parts.regions),
        history=parts.history,
        development=parts.development,
        regions=parts.regions,
    )
    config = build_config(create_app(context), own, "platform")

    def close() -> None:
        snapshots.close()
        fleet.close()

    return Server(config, announce, close)


def list_capacity_sources(fleet: FleetWatch) -> tuple[CapacitySource, ...]:
    """Return where the kinds of capacity are known that are not written down."""
    live = (LiveSource(fleet, kind) for kind in (CapacityKind.CONNECTED, CapacityKind.SCHEDULABLE))
    return (*live, VerifiedSource())


def list_tree_sources(fleet: FleetWatch, regions: RegionWatch | None) -> tuple[CapacitySource, ...]:
    """Return where the kinds of capacity are known, those of platforms below with them."""
    own = list_capacity_sources(fleet)
    return own if regions is None else tuple(TreeSource(each, regions) for each in (*OWN_SOURCES, *own))


async def _serve(
    server: Server,
    own: PlatformSettings,
    parts: FleetParts,
    links: LinkService,
    until: tuple[socket.socket, asyncio.Event],
) -> None:
    listener, stop = until
    control = parts.watch.control
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.watch.run(stop), name="roll-ups")
        if parts.regions is not None:
            group.create_task(parts.regions.run(stop), name="regions")
        group.create_task(DeviceErrorWatch(control, parts.watch.fleet).run(stop), name="device errors")
        group.create_task(parts.history.run(stop), name="history")
        group.create_task(parts.development.run(stop), name="development")
        loops = build_loops(own, control, parts.pulse)
        for loop in loops.inside:
            group.create_task(loop.run(stop), name="work")
        beside = [group.create_task(loop.run(stop), name="work with others") for loop in loops.outside]
        beside.append(group.create_task(server.follow_certificate(control.clock), name="certificate"))
        beside.append(group.create_task(PlatformWatch(control, own.link.offered_models).run(stop), name="platforms"))
        beside.append(group.create_task(carry_streams(own.streams, control, stop), name="streams"))
        group.create_task(export_fleet(own, parts.watch, stop), name="export")
        group.create_task(links.run(stop), name="connections to neighbours")
        await server.answer(listener, stop)
        # A receiver that is slow to answer holds up no end: what it was sent is sent again by the next process.
        for task in beside:
            task.cancel()


async def export_fleet(own: PlatformSettings, fleet: FleetWatch, stop: asyncio.Event) -> None:
    """Hand the live roll-ups to the collector that the settings name, until `stop` is set; without one there is nothing to do."""
    if own.otlp_url is None:
        return
    # The SDK is only loaded where it is used: a laptop's start is quicker without.
    from keisan.control.telemetry_export import FleetExport

    await FleetExport(fleet, own.otlp_url, own.otlp_period_s, read_release()).run(stop)
