"""One gateway process from start to end: identity, snapshot, relay, the four loops, drain.

The listener opens only with a snapshot: from disk, or from the platform when there is none (D2).
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import SystemRandom
from typing import TypeVar

import httpx

from keisan.domain.errors import Failed, KeisanError, PlatformUnreachable, SettingsInvalid
from keisan.gateway.certificate import CertificateKeeper
from keisan.gateway.credit_lease import CreditLease
from keisan.gateway.identity import Identity, JoinRequest, ensure_identity
from keisan.gateway.incarnation_file import begin_incarnation
from keisan.gateway.link import PlatformLink
from keisan.gateway.options import GatewayOptions, format_relay_options
from keisan.gateway.relay import Relay
from keisan.gateway.snapshot_feed import SnapshotFeed
from keisan.gateway.snapshot_file import read_snapshot
from keisan.gateway.trace_export import export_traces
from keisan.gateway.usage_upload import UsageUpload, read_spool_count
from keisan.kit.clock import Clock
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.observe import write_log, write_warning
from keisan.kit.private_file import create_private_folder
from keisan.kit.retry import Backoff
from keisan.wire.snapshot import encode_snapshot

Result = TypeVar("Result")
_JOIN_BACKOFF = Backoff(most_s=5.0)


@dataclass(frozen=True, slots=True)
class GatewayPorts:
    """What the process takes from outside: the relay, time, and whom to tell host and port once it answers."""

    open_relay: Callable[[str], Relay]
    clock: Clock
    announce: Callable[[str, int], None]


async def run_gateway(options: GatewayOptions, ports: GatewayPorts, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain and upload the rest, both bounded in time.

    Raises Unauthenticated or Failed if it cannot join, SettingsInvalid if the relay refuses an option or the address,
    Failed if the spool cannot be used.
    """
    create_private_folder(options.folder)
    create_private_folder(options.spool_folder)
    identity = await _run_unless_stopped(_join_until_answered(options, ports.clock), stop)
    if identity is None:
        return
    target = HttpTarget(options.platform_url, identity.secret.reveal(), options.ca_path)
    async with open_async_client(target) as client:
        incarnation = begin_incarnation(options.incarnation_path)
        relay = _open_relay(ports, format_relay_options(options, identity, incarnation))
        try:
            await _serve(options, ports, _Parts(client, relay, identity), stop)
        finally:
            await asyncio.to_thread(relay.stop)


def _open_relay(ports: GatewayPorts, relay_options: str) -> Relay:
    try:
        return ports.open_relay(relay_options)
    except ValueError as fault:
        raise SettingsInvalid(f"the relay refuses its options:\n{fault}", "gateway") from fault
    except RuntimeError as fault:
        raise Failed(f"the gateway's spool cannot be used: {fault}") from fault


@dataclass(frozen=True, slots=True)
class _Parts:
    client: httpx.AsyncClient
    relay: Relay
    identity: Identity


async def _join_until_answered(options: GatewayOptions, clock: Clock) -> Identity:
    request = JoinRequest(options.platform_url, options.ca_path, options.name, options.join_token)
    attempt, random = 0, SystemRandom()
    while True:
        try:
            return await ensure_identity(options.identity_path, request)
        except PlatformUnreachable as fault:
            attempt += 1
            write_warning("gateway.not_joined", fault=str(fault)[:500])
        await clock.sleep(_JOIN_BACKOFF.compute_wait_s(attempt, random))


async def _serve(options: GatewayOptions, ports: GatewayPorts, parts: _Parts, stop: asyncio.Event) -> None:
    link = PlatformLink(parts.client)
    feed = SnapshotFeed(link, parts.relay, ports.clock, options.snapshot_path, parts.identity.platform_id)
    if await _run_unless_stopped(_load_first(feed), stop) is None:
        return
    # Before any call: what is in the spool now is of earlier incarnations.
    backlog_records = read_spool_count(await asyncio.to_thread(parts.relay.stats), "backlog_records")
    upload = UsageUpload(link, parts.relay, ports.clock, backlog_records)
    lease = CreditLease(link, parts.relay, ports.clock, upload, options.shares_path)
    await lease.load()
    # So that the first call finds its shares.
    await _try_exchange(lease.exchange(), options.exchange_s)
    try:
        host, port = await asyncio.to_thread(parts.relay.start)
    except (ValueError, RuntimeError) as fault:
        raise SettingsInvalid(f"the gateway cannot listen: {fault}", "gateway.listen") from fault
    write_log("gateway.listening", host=host, port=port)
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        certifying = group.create_task(_keep_certificate(options, link, feed, ports.clock), name="certificate")
        following = group.create_task(feed.run(), name="snapshot feed")
        uploading = group.create_task(upload.run(finish), name="usage upload")
        leasing = group.create_task(lease.run(), name="credit lease")
        exporting = group.create_task(
            export_traces(options.otlp_url, parts.relay, ports.clock, finish), name="trace export"
        )
        ports.announce(host, port)
        await stop.wait()
        is_drained = await asyncio.to_thread(parts.relay.drain, options.drain_s)
        following.cancel()
        certifying.cancel()
        finish.set()
        _, late = await asyncio.wait([uploading, exporting], timeout=options.last_upload_s)
        is_uploaded = uploading not in late
        uploading.cancel()
        exporting.cancel()
        leasing.cancel()
    # What is late stays in the spool, and the next start uploads it.
    write_log("gateway.stopped", is_drained=is_drained, is_uploaded=is_uploaded)
    if is_drained and is_uploaded:
        await _try_exchange(lease.end(), options.exchange_s)


async def _keep_certificate(options: GatewayOptions, link: PlatformLink, feed: SnapshotFeed, clock: Clock) -> None:
    """Keep a certificate for other platforms, unless the settings name one."""
    if options.federation is not None and options.federation.is_given:
        await CertificateKeeper(link, feed, clock, options.federation.certificate_path.parent).run()


async def _try_exchange(exchange: Coroutine[object, object, object], most_s: float) -> None:
    """Speak with the platform of credit, if it answers soon."""
    try:
        async with asyncio.timeout(most_s):
            await exchange
    except (KeisanError, TimeoutError) as fault:
        write_warning("credit.not_exchanged", fault=str(fault)[:500])


async def _load_first(feed: SnapshotFeed) -> SnapshotFeed:
    kept = read_snapshot(feed.path, feed.platform_id)
    if kept is not None:
        try:
            await asyncio.to_thread(feed.relay.load_snapshot, encode_snapshot(kept))
            feed.current = kept
            write_log("snapshot.loaded", incarnation=str(kept.incarnation), version=kept.version)
        except ValueError as fault:
            write_warning("snapshot.file_refused", fault=str(fault)[:500])
    while feed.current is None:
        await feed.step_until_answered(0.0)
    return feed


async def _run_unless_stopped(work: Coroutine[object, object, Result], stop: asyncio.Event) -> Result | None:
    """Return what `work` returns, or None, with `work` cancelled, if `stop` comes first."""
    try:
        async with asyncio.TaskGroup() as group:
            working, stopping = group.create_task(work), group.create_task(stop.wait())
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            working.cancel()
    except BaseExceptionGroup as faults:
        # Only `work` can fail, and its caller knows it by its own class.
        raise faults.exceptions[0] from None
    return None if working.cancelled() else working.result()
