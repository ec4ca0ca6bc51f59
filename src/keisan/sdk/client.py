"""The client of one platform: one resource per noun, waits, and calls through its gateway."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx

from keisan.domain.deployment import DeploymentState
from keisan.domain.errors import InvalidInput, StateConflict, Unavailable
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock, SystemClock
from keisan.kit.http import HttpTarget, TargetInvalid, open_async_client
from keisan.sdk.account import Accounts, AsyncAccounts
from keisan.sdk.admission import Admissions, AsyncAdmissions
from keisan.sdk.advisory import Advisories, AsyncAdvisories
from keisan.sdk.alert import Alerts, AsyncAlerts
from keisan.sdk.blocking import Blocking, Shell, wait_for
from keisan.sdk.budget import AsyncBudgets, Budgets
from keisan.sdk.capacity import AsyncCapacity, Capacity
from keisan.sdk.challenge import AsyncChallenges, Challenges
from keisan.sdk.chip import AsyncChips, Chips
from keisan.sdk.claim import AsyncClaims, Claims
from keisan.sdk.compatibility import AsyncCompatibility, Compatibility
from keisan.sdk.deduction import AsyncDeductions, Deductions
from keisan.sdk.delivery import AsyncDeliveries, Deliveries
from keisan.sdk.deployment import AsyncDeployments, Deployments
from keisan.sdk.development import AsyncDevelopment, Development
from keisan.sdk.device import AsyncDevices, Devices
from keisan.sdk.dispute import AsyncDisputes, Disputes
from keisan.sdk.door import AsyncDoors, Doors
from keisan.sdk.event import AsyncEvents, Events
from keisan.sdk.exchange import AsyncExchanges, Exchanges
from keisan.sdk.facility import AsyncFacilities, Facilities
from keisan.sdk.forecast import AsyncForecasts, Forecasts
from keisan.sdk.gateway import AsyncGateways, Gateways
from keisan.sdk.grant import AsyncGrants, AsyncGrantWants, Grants, GrantWants
from keisan.sdk.history import AsyncHistory, History
from keisan.sdk.key import AsyncKeys, Keys
from keisan.sdk.link import AsyncLinks, Links
from keisan.sdk.machine import AsyncMachines, Machines
from keisan.sdk.maker import AsyncMakers, Makers
from keisan.sdk.model import AsyncModels, Models
from keisan.sdk.node import AsyncNodes, Nodes
from keisan.sdk.offer import AsyncOffers, Offers
from keisan.sdk.organization import AsyncOrganizations, Organizations
from keisan.sdk.payout import AsyncPayouts, Payouts
from keisan.sdk.platform import AsyncPlatform, Platform
from keisan.sdk.platform_ticket import AsyncPlatformTickets, PlatformTickets
from keisan.sdk.policy import AsyncPolicies, Policies
from keisan.sdk.price import AsyncPrices, Prices
from keisan.sdk.project import AsyncProjects, Projects
from keisan.sdk.provider import AsyncProviders, Providers
from keisan.sdk.quarantine import AsyncQuarantine, Quarantine
from keisan.sdk.replica import AsyncReplicas, Replicas
from keisan.sdk.serving_challenge import AsyncServingChallenges, ServingChallenges
from keisan.sdk.settlement import AsyncSettlements, Settlements
from keisan.sdk.site import AsyncSites, Sites
from keisan.sdk.statement import AsyncStatements, Statements
from keisan.sdk.supernode import AsyncSupernodeTemplates, SupernodeTemplates
from keisan.sdk.survey import AsyncSurveys, Surveys
from keisan.sdk.suspense import AsyncSuspense, Suspense
from keisan.sdk.telemetry import AsyncTelemetry, Telemetry
from keisan.sdk.top_up import AsyncTopUps, TopUps
from keisan.sdk.transport import Transport
from keisan.sdk.usage import AsyncUsage, Usage
from keisan.sdk.webhook import AsyncWebhooks, Webhooks
from keisan.wire.deployment import DeploymentView
from keisan.wire.door import DoorView
from keisan.wire.machine import GatewayList
from keisan.wire.replica import ReplicaView

GATEWAY_POLL_S = 0.1
DEPLOYMENT_POLL_S = 0.25
GATEWAYS_TIMEOUT_S = 10.0
DEPLOYMENT_TIMEOUT_S = 600.0
DOOR_POLL_S = 0.25
DOOR_TIMEOUT_S = 60.0
EXCHANGE_TIMEOUT_S = 10.0

OnChange = Callable[[DeploymentView, Sequence[ReplicaView]], None]


@dataclass(frozen=True, slots=True)
class Connections:
    """The HTTP clients under an AsyncKeisan, for those who open their own; `gateway` None: no calls."""

    platform: httpx.AsyncClient
    gateway: httpx.AsyncClient | None = None
    clock: Clock = field(default_factory=SystemClock)


class AsyncKeisan:
    """A platform, asynchronously: `async with AsyncKeisan(url, key) as keisan`.

    `gateway_url` is where calls go; `ca_path` a file of the certificates to trust; `timeout_s` bounds each exchange
    with the platform, in seconds. Every method raises errors of keisan.domain.errors; PlatformUnreachable when nobody
    answers.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        gateway_url: str | None = None,
        ca_path: str | None = None,
        timeout_s: float = EXCHANGE_TIMEOUT_S,
    ) -> None:
        """Raises InvalidInput for a URL, a key or a file of certificates that no request can be sent with."""
        platform = _open_client("base_url", HttpTarget(base_url, api_key, ca_path, timeout_s))
        gateway = HttpTarget(gateway_url, api_key, ca_path, timeout_s) if gateway_url else None
        self._attach(Connections(platform, _open_client("gateway_url", gateway) if gateway else None))

    @classmethod
    def over(cls, connections: Connections) -> Self:
        """Return a client over HTTP clients that somebody else made; closing it closes them."""
        client = cls.__new__(cls)
        client._attach(connections)  # noqa: SLF001  # its own, before anybody has it
        return client

    def _attach(self, connections: Connections) -> None:
        self._connections = connections
        transport = Transport(connections.platform, connections.clock)
        self.platform = AsyncPlatform(transport)
        self.organizations = AsyncOrganizations(transport)
        self.projects = AsyncProjects(transport)
        self.keys = AsyncKeys(transport)
        self.budgets = AsyncBudgets(transport)
        self.admissions = AsyncAdmissions(transport)
        self.platform_tickets = AsyncPlatformTickets(transport)
        self.forecasts = AsyncForecasts(transport)
        self.policies = AsyncPolicies(transport)
        self.providers = AsyncProviders(transport)
        self.sites = AsyncSites(transport)
        self.doors = AsyncDoors(transport)
        self.machines = AsyncMachines(transport)
        self.links = AsyncLinks(transport)
        self.exchanges = AsyncExchanges(transport)
        self.nodes = AsyncNodes(transport)
        self.devices = AsyncDevices(transport)
        self.telemetry = AsyncTelemetry(transport)
        self.supernode_templates = AsyncSupernodeTemplates(transport)
        self.facilities = AsyncFacilities(transport)
        self.claims = AsyncClaims(transport)
        self.surveys = AsyncSurveys(transport)
        self.capacity = AsyncCapacity(transport)
        self.challenges = AsyncChallenges(transport)
        self.serving_challenges = AsyncServingChallenges(transport)
        self.models = AsyncModels(transport)
        self.chips = AsyncChips(transport)
        self.makers = AsyncMakers(transport)
        self.advisories = AsyncAdvisories(transport)
        self.compatibility = AsyncCompatibility(transport)
        self.prices = AsyncPrices(transport)
        self.offers = AsyncOffers(transport)
        self.deductions = AsyncDeductions(transport)
        self.deployments = AsyncDeployments(transport)
        self.grants = AsyncGrants(transport)
        self.grant_wants = AsyncGrantWants(transport)
        self.replicas = AsyncReplicas(transport)
        self.accounts = AsyncAccounts(transport)
        self.history = AsyncHistory(transport)
        self.development = AsyncDevelopment(transport)
        self.usage = AsyncUsage(transport)
        self.top_ups = AsyncTopUps(transport)
        self.webhooks = AsyncWebhooks(transport)
        self.deliveries = AsyncDeliveries(transport)
        self.alerts = AsyncAlerts(transport)
        self.statements = AsyncStatements(transport)
        self.payouts = AsyncPayouts(transport)
        self.disputes = AsyncDisputes(transport)
        self.settlements = AsyncSettlements(transport)
        self.suspense = AsyncSuspense(transport)
        self.quarantine = AsyncQuarantine(transport)
        self.events = AsyncEvents(transport)
        self.gateways = AsyncGateways(transport, connections.gateway)

    async def wait_for_gateways(self, version: int, timeout_s: float = GATEWAYS_TIMEOUT_S) -> GatewayList:
        """Return once every connected gateway serves this snapshot version or a later one.

        Raises Unavailable after `timeout_s`; a gateway that is cut off is not waited for.
        """
        clock = self._connections.clock
        end_s = clock.monotonic_s() + timeout_s
        while True:
            gateways = await self.gateways.list()
            behind = [line for line in gateways.items if line.is_connected and line.acknowledged_version < version]
            if not behind:
                return gateways
            if clock.monotonic_s() >= end_s:
                raise Unavailable(f"{len(behind)} gateways do not serve version {version} after {timeout_s:g} s")
            await clock.sleep(GATEWAY_POLL_S)

    async def wait_for_deployment(
        self, deployment_id: UUID, timeout_s: float = DEPLOYMENT_TIMEOUT_S, on_change: OnChange | None = None
    ) -> DeploymentView:
        """Return once as many replicas are ready as are wanted; `on_change` is told whenever something moved.

        Raises StateConflict when it is being deleted, Unavailable after `timeout_s` with what is known of the reason.
        """
        clock = self._connections.clock
        end_s = clock.monotonic_s() + timeout_s
        told: tuple[DeploymentView, tuple[ReplicaView, ...]] | None = None
        while True:
            deployment = await self.deployments.get(deployment_id)
            replicas = tuple([replica async for replica in self.replicas.list(deployment_id)])
            if on_change is not None and (deployment, replicas) != told:
                on_change(deployment, replicas)
                told = (deployment, replicas)
            if _is_served(deployment, replicas):
                return deployment
            if clock.monotonic_s() >= end_s:
                raise Unavailable(f"not ready after {timeout_s:g} s: {_explain(deployment, replicas)}")
            await clock.sleep(DEPLOYMENT_POLL_S)

    async def wait_for_door(self, site_id: UUID, timeout_s: float = DOOR_TIMEOUT_S) -> DoorView:
        """Return once a site's door is opened by one secret alone, which all its gateways show.

        Raises Unavailable after `timeout_s`: the site's agent is silent, or a gateway does not hear of the new secret.
        """
        clock = self._connections.clock
        end_s = clock.monotonic_s() + timeout_s
        while True:
            door = await self.doors.get(site_id)
            if not door.is_rotating:
                return door
            if clock.monotonic_s() >= end_s:
                raise Unavailable(f"the door's secret is still {door.stage} after {timeout_s:g} s")
            await clock.sleep(DOOR_POLL_S)

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.platform.aclose()
        if self._connections.gateway is not None:
            await self._connections.gateway.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Keisan(Blocking[AsyncKeisan]):
    """A platform, synchronously: `with Keisan(url, key) as keisan`. Parameters are those of AsyncKeisan.

    One thread at a time, and not where an event loop runs already: that is AsyncKeisan's place.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        gateway_url: str | None = None,
        ca_path: str | None = None,
        timeout_s: float = EXCHANGE_TIMEOUT_S,
    ) -> None:
        inner = AsyncKeisan(base_url, api_key, gateway_url=gateway_url, ca_path=ca_path, timeout_s=timeout_s)
        shell = Shell()
        super().__init__(inner, shell)
        self.platform = Platform(inner.platform, shell)
        self.organizations = Organizations(inner.organizations, shell)
        self.projects = Projects(inner.projects, shell)
        self.keys = Keys(inner.keys, shell)
        self.budgets = Budgets(inner.budgets, shell)
        self.admissions = Admissions(inner.admissions, shell)
        self.platform_tickets = PlatformTickets(inner.platform_tickets, shell)
        self.forecasts = Forecasts(inner.forecasts, shell)
        self.policies = Policies(inner.policies, shell)
        self.providers = Providers(inner.providers, shell)
        self.sites = Sites(inner.sites, shell)
        self.doors = Doors(inner.doors, shell)
        self.machines = Machines(inner.machines, shell)
        self.links = Links(inner.links, shell)
        self.exchanges = Exchanges(inner.exchanges, shell)
        self.nodes = Nodes(inner.nodes, shell)
        self.devices = Devices(inner.devices, shell)
        self.telemetry = Telemetry(inner.telemetry, shell)
        self.supernode_templates = SupernodeTemplates(inner.supernode_templates, shell)
        self.facilities = Facilities(inner.facilities, shell)
        self.claims = Claims(inner.claims, shell)
        self.surveys = Surveys(inner.surveys, shell)
        self.capacity = Capacity(inner.capacity, shell)
        self.challenges = Challenges(inner.challenges, shell)
        self.serving_challenges = ServingChallenges(inner.serving_challenges, shell)
        self._open_trade(inner, shell)

    def _open_trade(self, inner: AsyncKeisan, shell: Shell) -> None:
        self.models = Models(inner.models, shell)
        self.chips = Chips(inner.chips, shell)
        self.makers = Makers(inner.makers, shell)
        self.advisories = Advisories(inner.advisories, shell)
        self.compatibility = Compatibility(inner.compatibility, shell)
        self.prices = Prices(inner.prices, shell)
        self.offers = Offers(inner.offers, shell)
        self.deductions = Deductions(inner.deductions, shell)
        self.deployments = Deployments(inner.deployments, shell)
        self.grants = Grants(inner.grants, shell)
        self.grant_wants = GrantWants(inner.grant_wants, shell)
        self.replicas = Replicas(inner.replicas, shell)
        self.accounts = Accounts(inner.accounts, shell)
        self.history = History(inner.history, shell)
        self.development = Development(inner.development, shell)
        self.usage = Usage(inner.usage, shell)
        self.top_ups = TopUps(inner.top_ups, shell)
        self.webhooks = Webhooks(inner.webhooks, shell)
        self.deliveries = Deliveries(inner.deliveries, shell)
        self.alerts = Alerts(inner.alerts, shell)
        self.statements = Statements(inner.statements, shell)
        self.payouts = Payouts(inner.payouts, shell)
        self.disputes = Disputes(inner.disputes, shell)
        self.settlements = Settlements(inner.settlements, shell)
        self.suspense = Suspense(inner.suspense, shell)
        self.quarantine = Quarantine(inner.quarantine, shell)
        self.events = Events(inner.events, shell)
        self.gateways = Gateways(inner.gateways, shell)

    wait_for_gateways = wait_for(AsyncKeisan.wait_for_gateways)
    wait_for_deployment = wait_for(AsyncKeisan.wait_for_deployment)
    wait_for_door = wait_for(AsyncKeisan.wait_for_door)

    def close(self) -> None:
        """Close all connections; a second time does nothing."""
        if not self._shell.is_closed:
            self._shell.run(self._inner.close)
            self._shell.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_client(url_name: str, target: HttpTarget) -> httpx.AsyncClient:
    try:
        return open_async_client(target)
    except TargetInvalid as fault:
        # In the words of this client's parameters.
        names = {"base_url": url_name, "bearer": "api_key"}
        raise InvalidInput(str(fault), names.get(fault.part, fault.part)) from fault


def _is_served(deployment: DeploymentView, replicas: Sequence[ReplicaView]) -> bool:
    """Tell whether enough replicas are ready; raises StateConflict for a deployment on its way out."""
    if deployment.state is not DeploymentState.ACTIVE:
        raise StateConflict(f"the deployment is {deployment.state}")
    ready = [line for line in replicas if line.state is ReplicaState.READY and line.verdict is Verdict.OK]
    return len(ready) >= deployment.replica_count


def _explain(deployment: DeploymentView, replicas: Sequence[ReplicaView]) -> str:
    told = [deployment.reason, *(f"replica {line.id} is {line.state} {line.message}".strip() for line in replicas)]
    return "; ".join(text for text in told if text) or "no replica has been started"
