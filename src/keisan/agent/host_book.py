"""Which other nodes a site has: what each agent told of its host last, kept over restarts, and who is silent.

A node is one host: while one speaks for it, another that says the same is refused, and both are named in the log.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from keisan.agent.device import UNREAD_FACT
from keisan.agent.document import read_document, write_document
from keisan.domain.device import REMOTE_FACT, REMOTE_TEXT
from keisan.domain.errors import InvalidInput, LimitExceeded, PermissionDenied, Postponed
from keisan.domain.limits import DEVICE_FACTS_MAX, SITE_HOSTS_BYTES_MAX, SITE_NODES_MAX
from keisan.domain.verdict import Verdict
from keisan.kit.observe import write_log, write_warning
from keisan.wire.device import DeviceReport
from keisan.wire.node import HostReport, NodeReport

# Three frames at the period of ten seconds: then nobody knows how a node is, and another host may take its place.
SILENT_S = 30.0
_SILENT_TEXT = "its node's agent is silent"
NEVER_S = float("-inf")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the hardware id of a node, and the id of the agent that speaks for it."""

    node: str
    agent_id: UUID


@dataclass(slots=True)
class KnownHost:
    """What a host told last, of how many bytes, and when it was heard last, monotonic."""

    report: HostReport
    size_bytes: int
    heard_s: float
    _marked: dict[bool, tuple[DeviceReport, ...]] = field(default_factory=dict)

    def is_silent(self, now_s: float) -> bool:
        """Tell whether it has not been heard for too long."""
        return now_s - self.heard_s > SILENT_S

    def list_devices(self, now_s: float) -> tuple[DeviceReport, ...]:
        """Return its devices as the site reports them; made once, as reports are many and changes few."""
        is_silent = self.is_silent(now_s)
        if is_silent not in self._marked:
            self._marked[is_silent] = tuple(_mark_devices(self.report, is_silent=is_silent))
        return self._marked[is_silent]


class HostBook:
    """`own_node` is the hardware id of the node on which the site's own agent runs."""

    def __init__(self, path: Path, own_node: str) -> None:
        self._path = path
        self._own_node = own_node
        self._hosts = {report.node.hardware_id: _remember(report) for report in _load(path)}
        self._is_changed = False
        self._told: set[tuple[str, UUID]] = set()

    def take(self, report: HostReport, now_s: float) -> bool:
        """Take what a host tells; tell whether another agent speaks for the node from now on.

        Raises PermissionDenied where another host speaks for the node, InvalidInput for devices that are not the node's,
        LimitExceeded where the site's report has no room for it.
        """
        node = report.node.hardware_id
        if any(device.node_hardware_id != node for device in report.devices):
            raise InvalidInput("expected devices of the node that tells them", "devices")
        self._refuse_contradiction(Sender(node, report.agent_id), report.node.hostname, now_s)
        known = self._hosts.get(node)
        size_bytes = len(report.model_dump_json())
        others_bytes = sum(host.size_bytes for name, host in self._hosts.items() if name != node)
        if others_bytes + size_bytes > SITE_HOSTS_BYTES_MAX or (
            known is None and len(self._hosts) + 1 >= SITE_NODES_MAX
        ):
            raise LimitExceeded(
                f"the site's report has no room for more than {SITE_HOSTS_BYTES_MAX} bytes of its nodes"
            )
        if known is None:
            write_log("node.known", node=node, hostname=report.node.hostname, devices=len(report.devices))
        if known is not None and known.report == report:
            known.heard_s = now_s
            return False
        self._is_changed = True
        self._hosts[node] = KnownHost(report, size_bytes, now_s)
        return known is None or known.report.agent_id != report.agent_id

    def hear(self, sender: Sender, now_s: float) -> NodeReport:
        """Note that a node was heard, and return it.

        Raises Postponed for one that has not told of itself yet, PermissionDenied where another host speaks for it.
        """
        self._refuse_contradiction(sender, "", now_s)
        known = self._hosts.get(sender.node)
        if known is None or known.report.agent_id != sender.agent_id:
            raise Postponed("this node has not told of itself yet; report it, then send it again")
        known.heard_s = now_s
        return known.report.node

    def list_nodes(self) -> tuple[NodeReport, ...]:
        """Return the other nodes, those that are silent too."""
        return tuple(host.report.node for host in self._hosts.values())

    def list_agents(self) -> frozenset[UUID]:
        """Return the agents that speak for other nodes."""
        return frozenset(host.report.agent_id for host in self._hosts.values())

    def list_devices(self, own: Iterable[DeviceReport], now_s: float) -> tuple[DeviceReport, ...]:
        """Return the site's devices, `own` those of its own node, each once: by the first that has it, and rather by one that is heard.

        Those of a node that is silent are unknown, unless they had failed.
        """
        found = {device.hardware_id: device for device in own}
        for host in sorted(self._hosts.values(), key=lambda each: each.is_silent(now_s)):
            for device in host.list_devices(now_s):
                found.setdefault(device.hardware_id, device)
        return tuple(found.values())

    def save(self) -> None:
        """Keep what changed; a disk that is full is tried again the next time."""
        if not self._is_changed:
            return
        hosts = [host.report.model_dump(mode="json") for host in self._hosts.values()]
        try:
            write_document(self._path, {"hosts": hosts})
        except OSError as failure:
            write_warning("nodes.not_kept", path=str(self._path), fault=str(failure))
            return
        self._is_changed = False

    def _refuse_contradiction(self, sender: Sender, hostname: str, now_s: float) -> None:
        known = self._hosts.get(sender.node)
        if sender.node == self._own_node:
            other = "the host of the site's own agent"
        elif known is not None and known.report.agent_id != sender.agent_id and not known.is_silent(now_s):
            other = f"host {known.report.node.hostname}, whose agent is {known.report.agent_id}"
        else:
            return
        if (sender.node, sender.agent_id) not in self._told:
            self._told.add((sender.node, sender.agent_id))
            write_warning("node.contradicted", node=sender.node, agent=sender.agent_id, hostname=hostname, other=other)
        raise PermissionDenied(
            f"{other} says that it is node {sender.node} as well; give one of the two a machine id of its own"
        )


def _mark_devices(report: HostReport, *, is_silent: bool) -> Iterator[DeviceReport]:
    for device in report.devices:
        marks = {REMOTE_FACT: REMOTE_TEXT}
        verdict = device.verdict
        if is_silent and verdict is not Verdict.FAILED:
            marks[UNREAD_FACT], verdict = _SILENT_TEXT, Verdict.UNKNOWN
        others = [(name, text) for name, text in device.facts.items() if name not in marks]
        facts = dict(others[: DEVICE_FACTS_MAX - len(marks)]) | marks
        yield device.model_copy(update={"facts": facts, "verdict": verdict})


def _remember(report: HostReport) -> KnownHost:
    return KnownHost(report, len(report.model_dump_json()), NEVER_S)


def _load(path: Path) -> tuple[HostReport, ...]:
    """Return what was known before; nothing where that is lost, as it is told anew."""
    if not path.exists():
        return ()
    try:
        kept = read_document(path)["hosts"]
        return tuple(map(HostReport.model_validate, kept if isinstance(kept, list) else ()))
    except (OSError, ValueError, KeyError, TypeError) as failure:
        write_warning("nodes.forgotten", path=str(path), fault=repr(failure))
        return ()
