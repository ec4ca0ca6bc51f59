"""The loops of a platform's process that do due work: which nouns each has, and which waits for whom."""

from dataclasses import dataclass, replace

from keisan.control.context import Control
from keisan.control.departure_work import list_departure_works
from keisan.control.lease import LeaseLoop, Reconcilers
from keisan.control.link_dial import ask_platform
from keisan.control.pulse import Pulse
from keisan.control.reconcilers.archive import ArchiveReconciler
from keisan.control.reconcilers.challenge import ChallengeReconciler
from keisan.control.reconcilers.challenge_schedule import ChallengeScheduleReconciler
from keisan.control.reconcilers.closing import ClosingReconciler
from keisan.control.reconcilers.deployment import DeploymentReconciler
from keisan.control.reconcilers.grant import GrantReconciler, GrantWantReconciler
from keisan.control.reconcilers.link import LinkReconciler
from keisan.control.reconcilers.name import NameReconciler
from keisan.control.reconcilers.platform_ticket import PlatformTicketReconciler
from keisan.control.reconcilers.price import PriceReconciler
from keisan.control.reconcilers.retention import RetentionReconciler
from keisan.control.reconcilers.retention_day import RetentionDayReconciler
from keisan.control.reconcilers.serving_challenge import ServingChallengeReconciler
from keisan.control.reconcilers.settlement import SettlementReconciler
from keisan.control.reconcilers.site import SiteReconciler
from keisan.control.reconcilers.ticket import TicketReconciler
from keisan.control.reconcilers.top_up import TopUpReconciler
from keisan.control.reconcilers.webhook import WebhookReconciler
from keisan.daemon.settings import PlatformSettings
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import DELIVERIES_OPEN_MAX, DELIVERY_SEND_S_MAX
from keisan.kit.outbound import Outbound

# An agent reports every second; this many misses make its site unknown.
SITE_SILENCE_S = 15.0
DELIVERY_IDLE_S = 1.0
LONG_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkLoops:
    """All loops of one process. When it ends, those `inside` finish what they do; those `outside` wait for others, and are cut off."""

    inside: tuple[LeaseLoop, ...]
    outside: tuple[LeaseLoop, ...]


def build_loops(own: PlatformSettings, control: Control, pulse: Pulse) -> WorkLoops:
    """Return the loops that together take all nouns, and ask the database by one pulse whether there is work."""
    inside = (build_loop(own, control), build_long_loop(own, control), build_settlement_loop(control))
    outside = (*build_deliverers(control), build_serving_loop(control), build_link_loop(control))
    return WorkLoops(*(tuple(replace(loop, pulse=pulse) for loop in loops) for loops in (inside, outside)))


def build_loop(own: PlatformSettings, control: Control) -> LeaseLoop:
    """Return the loop for all work within the platform."""
    reconcilers: Reconcilers = {
        WorkNoun.ARCHIVE: ArchiveReconciler(control.storage, control.get_archive(), control.clock),
        WorkNoun.CHALLENGE: ChallengeReconciler(control.challenge_terms),
        WorkNoun.CHALLENGE_SCHEDULE: ChallengeScheduleReconciler(control, own.challenges.terms),
        WorkNoun.DEPLOYMENT: DeploymentReconciler(),
        WorkNoun.GRANT: GrantReconciler(control),
        WorkNoun.GRANT_WANT: GrantWantReconciler(control),
        WorkNoun.PLATFORM_TICKET: PlatformTicketReconciler(control),
        WorkNoun.PRICE: PriceReconciler(),
        WorkNoun.RETENTION: RetentionReconciler(own.retention.terms),
        WorkNoun.SITE: SiteReconciler(SITE_SILENCE_S, control.clock.now()),
        WorkNoun.TICKET: TicketReconciler(own.terms),
        WorkNoun.TOP_UP: TopUpReconciler(),
    }
    return LeaseLoop(control, reconcilers)


def build_long_loop(own: PlatformSettings, control: Control) -> LeaseLoop:
    """Return the loop for what goes over millions of records, run by run, so that other work never waits for it."""
    days = RetentionDayReconciler(control.storage, control.get_archive(), control.clock, own.retention.terms)
    reconcilers: Reconcilers = {WorkNoun.CLOSING: ClosingReconciler(control), WorkNoun.RETENTION_DAY: days}
    return LeaseLoop(control, reconcilers, idle_s=LONG_IDLE_S, leases_max=1)


def build_serving_loop(control: Control) -> LeaseLoop:
    """Return the loop for serving challenges: one step of one of them at a time, or they would measure each other."""
    reconcilers: Reconcilers = {WorkNoun.SERVING_CHALLENGE: ServingChallengeReconciler(control)}
    return LeaseLoop(control, reconcilers, idle_s=LONG_IDLE_S, leases_max=1)


def build_link_loop(control: Control) -> LeaseLoop:
    """Return the loop that asks the parent, whom a slow network may keep waiting."""
    reconcilers: Reconcilers = {
        WorkNoun.LINK: LinkReconciler(control, ask_platform, list_departure_works()),
        WorkNoun.NAME: NameReconciler(control),
    }
    return LeaseLoop(control, reconcilers, idle_s=DELIVERY_IDLE_S, leases_max=1)


def build_settlement_loop(control: Control) -> LeaseLoop:
    """Return the loop for settlement: records are told within a second, whatever else there is to do."""
    return LeaseLoop(control, {WorkNoun.SETTLEMENT: SettlementReconciler(control)}, leases_max=1)


def build_deliverers(control: Control) -> tuple[LeaseLoop, ...]:
    """Return the loops that send alerts: so many at a time, and a slow receiver holds up one of them and nothing else."""
    outbound = Outbound(is_local_open=control.is_insecure, timeout_s=DELIVERY_SEND_S_MAX)
    reconcilers: Reconcilers = {WorkNoun.WEBHOOK: WebhookReconciler(control, outbound)}
    loop = LeaseLoop(control, reconcilers, idle_s=DELIVERY_IDLE_S, leases_max=1)
    return (loop,) * DELIVERIES_OPEN_MAX
