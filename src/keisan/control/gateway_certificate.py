"""Certificates for this platform's gateways, in its name: of its parent, or of itself where it has none.

What a gateway has is given again while more than a third of its life is left and whoever issued it has no newer key.
"""

from dataclasses import dataclass

from keisan.control.context import Control
from keisan.control.link_ask import AUTHORITY_SERIAL
from keisan.control.link_dial import ask_platform
from keisan.control.link_place import load_neighbourhood
from keisan.control.reconcilers.link import AskPlatform, LinkReconciler
from keisan.domain.access import Principal, Right
from keisan.domain.errors import InvalidInput, KeisanError, StateConflict
from keisan.domain.limits import LINK_CERTIFICATE_S
from keisan.domain.link import Link, LinkState, is_certificate_due
from keisan.domain.platform import Platform
from keisan.federation.certificate import (
    CertificateHolder,
    PlatformCertificate,
    build_authority,
    issue_certificate,
    parse_certificate,
    read_authority_key,
    split_certificates,
)
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.wire.gateway_certificate import GatewayCertificateAsk, GatewayCertificateView


@dataclass(frozen=True, slots=True)
class _Place:
    """Where this platform stands: itself, its parent if it has one, and whether it has any neighbour."""

    platform: Platform
    parent: Link | None
    has_neighbours: bool


async def certify_gateway(
    control: Control, principal: Principal, body: GatewayCertificateAsk, ask: AskPlatform = ask_platform
) -> GatewayCertificateView:
    """Return a certificate for a gateway's key.

    Raises PermissionDenied for anybody but a gateway, StateConflict where this platform has joined nobody, InvalidInput for a key
    that is none, and what asking the parent raises: a gateway goes on with what it has.
    """
    principal.require(Right.SERVE_GATEWAY)
    async with control.storage.read() as view:
        around = await load_neighbourhood(view)
        place = _Place(await view.platform.get(), around.parent, has_neighbours=bool(around.links))
    if not place.has_neighbours:
        raise StateConflict("this platform has joined no other, so its gateways need no certificate")
    if place.parent is None:
        return _issue_own(control, place.platform, body)
    return await _ask_parent(control, place.platform, place.parent, body, ask)


def _issue_own(control: Control, platform: Platform, body: GatewayCertificateAsk) -> GatewayCertificateView:
    own, now = control.get_identity(), control.clock.now()
    kept = _find_kept(control, body, own.keys.newest_key)
    certificate, found = body.certificate, kept
    if found is None:
        holder = CertificateHolder(own.platform_id, platform.region, "", bytes.fromhex(body.public_key))
        certificate = issue_certificate(own.signer, own.platform_id, holder, create_id().int, now)
        found = parse_certificate(certificate, own.keys.keys)
    return _show(certificate, found, _build_own_authority(control), None)


async def _ask_parent(
    control: Control, platform: Platform, parent: Link, body: GatewayCertificateAsk, ask: AskPlatform
) -> GatewayCertificateView:
    kept = _find_kept(control, body, parent.keys.newest_key)
    if kept is not None:
        return _show(body.certificate, kept, "", parent)
    told = await LinkReconciler(control, ask).ask_certificate(parent, platform, bytes.fromhex(body.public_key))
    if told.state not in (LinkState.JOINED, LinkState.LEAVING) or not told.gateway_certificate:
        raise StateConflict("the parent issues no certificates to this platform's gateways")
    found = parse_certificate(told.gateway_certificate, parent.keys.keys)
    holder = found.holder
    if (holder.platform_id, holder.public_key) != (control.platform_id, bytes.fromhex(body.public_key)):
        raise InvalidInput("the certificate that the parent issued is not this gateway's", "certificate")
    authorities = split_certificates(told.gateway_ca)
    if not any(read_authority_key(each) in parent.keys.keys for each in authorities):
        raise InvalidInput("the authority that the parent named is not its own", "ca")
    return _show(told.gateway_certificate, found, "".join([_build_own_authority(control), *authorities]), parent)


def _find_kept(control: Control, body: GatewayCertificateAsk, issuer_key: bytes) -> PlatformCertificate | None:
    """Return what the gateway has, if there is no reason for another one."""
    try:
        found = parse_certificate(body.certificate, [issuer_key])
    except KeisanError:
        return None
    holder = found.holder
    is_own = (holder.platform_id, holder.public_key) == (control.platform_id, bytes.fromhex(body.public_key))
    is_due = is_certificate_due(found.starts_at, found.ends_at, control.clock.now())
    return found if is_own and not is_due else None


def _build_own_authority(control: Control) -> str:
    own = control.get_identity()
    return build_authority(own.signer, own.platform_id, AUTHORITY_SERIAL)


def _show(
    certificate: str, found: PlatformCertificate, authorities: str, parent: Link | None
) -> GatewayCertificateView:
    return GatewayCertificateView(
        certificate=certificate,
        authorities=authorities,
        parent_id=None if parent is None else parent.neighbour_id,
        renew_at_ms=to_milliseconds(found.ends_at) - LINK_CERTIFICATE_S * 1000 // 3,
    )
