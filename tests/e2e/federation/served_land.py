"""A nation and two provinces that serve: a platform and a gateway each, in networks of their own, and sites and engines that are played.

Both provinces serve `SHARED`, the first alone `ALONE`. The nation has customers and no engine; its calls cross to the provinces.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from keisan.daemon.database_template import copy_template, ensure_template
from keisan.daemon.folder import prepare_folder
from keisan.domain.access import MachineKind
from keisan.domain.key import Secret
from keisan.domain.model import Surface
from keisan.domain.price import TokenClass
from keisan.kit.clock import SystemClock
from keisan.kit.private_file import write_private_file
from keisan.sdk import AsyncKeisan
from keisan.wire.admission import AdmissionCreate
from keisan.wire.deployment import DeploymentCreate
from keisan.wire.key import KeyCreate
from keisan.wire.machine import JoinTokenCreate
from keisan.wire.model import ModelCreate
from keisan.wire.organization import OrganizationCreate
from keisan.wire.price import PriceCreate
from keisan.wire.project import ProjectCreate
from keisan.wire.provider import ProviderCreate
from keisan.wire.site import SiteCreate
from tests.deadline import let_time_pass_async
from tests.e2e.federation.network import Place, lay_network
from tests.e2e.federation.open_load import Stream
from tests.e2e.federation.played_site import PlayedSite
from tests.e2e.federation.province import API_PORT, LINK_PORT, REGIONS, Province, join_province
from tests.e2e.relay.engine import ScriptedEngine, run_engine
from tests.e2e.relay.stage import answer_plainly
from tests.e2e.stack import Program

GATEWAY_PORT, GATEWAY_LINK_PORT = 8000, 9444
SHARED, ALONE = "shared", "alone"
SERVED: Mapping[str, tuple[str, ...]] = {"sx": (SHARED, ALONE), "sh": (SHARED,), "cn": ()}
# Nano-units for each million of tokens, in and out: the first province is the cheaper one, and so is asked first.
PRICES = {"sx": (100_000_000, 300_000_000), "sh": (200_000_000, 600_000_000), "cn": (500_000_000, 1_500_000_000)}
CREDIT_NANO = 10**12
READY_S_MAX, LOOK_S = 90.0, 0.2


@dataclass(slots=True)
class Member:
    """One platform with its gateway. `key` is an organization's of its own; `engines` are by the names of models."""

    province: Province
    engines: dict[str, ScriptedEngine] = field(default_factory=dict)
    key: str = ""
    gateway: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.province.name

    @property
    def address(self) -> tuple[str, int]:
        """Return where its gateway answers this host, also while its network is cut."""
        return self.province.place.outside, GATEWAY_PORT

    def open_as_operator(self) -> AsyncKeisan:
        """Return a client with its operator's key; the caller closes it."""
        return AsyncKeisan(self.province.url, self.province.api_key, timeout_s=30)

    def start_gateway(self, token: str) -> None:
        """Start its gateway, which joins with a token."""
        folder = self.province.folder
        write_private_file(folder.root / "gateway.token", token.encode())
        command = [*self.province.place.prefix, sys.executable, "-m", "keisan.daemon.main", "gateway"]
        command += ["--data", str(folder.root), "--config", str(folder.root / "keisan.toml")]
        command += ["--join-token", str(folder.root / "gateway.token")]
        with (folder.root / "gateway.log").open("ab") as output:
            self.gateway = subprocess.Popen(
                command, stdout=output, stderr=output, env=Program().build_environment(), start_new_session=True
            )

    def kill(self) -> None:
        """End its processes as `kill -9` does."""
        if self.gateway is not None:
            self.gateway.kill()
            self.gateway.wait(30)
        self.province.kill()

    def count_served(self) -> dict[str, int]:
        """Return how often each call was worked on, by record id, as its engines themselves count."""
        return {record: len(tries) for engine in self.engines.values() for record, tries in engine.log.items()}


@dataclass(frozen=True, slots=True)
class ServedLand:
    """`cut` is the province that is cut off: the cheaper one, and the only one that serves `ALONE`."""

    nation: Member
    cut: Member
    other: Member

    @property
    def all(self) -> tuple[Member, Member, Member]:
        return self.nation, self.cut, self.other

    def list_streams(self, calls_per_s: float) -> tuple[Stream, ...]:
        """Return calls inside the province, the nation's for what both serve, and the nation's for what that one alone serves."""
        inside, shared, alone = (round(calls_per_s * part, 1) for part in (0.4, 0.4, 0.2))
        return (
            Stream("inside", self.cut.address, self.cut.key, SHARED, inside),
            Stream("shared", self.nation.address, self.nation.key, SHARED, shared),
            Stream("alone", self.nation.address, self.nation.key, ALONE, alone),
        )


@asynccontextmanager
async def run_served_land(databases: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[ServedLand]:
    """Start all, joined, with credit leased, and return when a call of each kind is answered; ends everything afterwards.

    `databases` are URLs by the names of platforms; the others keep a file.
    """
    async with AsyncExitStack() as exits:
        # A short folder, because the path of an engine's socket ends at 107 bytes.
        root = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp")))
        places = exits.enter_context(lay_network(tuple(SERVED)))
        sites = await exits.enter_async_context(asyncio.TaskGroup())
        playing: list[asyncio.Task[None]] = []
        exits.callback(lambda: [task.cancel() for task in playing])
        members = await _start_platforms(root, places, databases, exits)
        for member in members.values():
            for model in SERVED[member.name]:
                path = root / f"{member.name}-{model}.sock"
                member.engines[model] = await exits.enter_async_context(run_engine(path, answer_plainly))
            site = await _furnish(member)
            if site is not None:
                playing.append(sites.create_task(site.run()))
        nation = members.pop("cn")
        for member in members.values():
            await asyncio.to_thread(join_province, nation.province, member.province)
        land = ServedLand(nation, members["sx"], members["sh"])
        await _admit(land)
        await _wait_until_served(land)
        yield land


async def _start_platforms(
    root: Path, places: Mapping[str, Place], databases: Mapping[str, str], exits: AsyncExitStack
) -> dict[str, Member]:
    template = await ensure_template(root / "template", SystemClock())
    members = {}
    for name, place in places.items():
        folder = prepare_folder(root / name)
        copy_template(template, folder.platform)
        province = Province(name, place, folder, database_url=databases.get(name))
        (folder.root / "keisan.toml").write_text(_write_settings(province))
        members[name] = Member(province)
        exits.callback(members[name].kill)
        province.start()
    for member in members.values():
        await asyncio.to_thread(member.province.wait)
    return members


def _write_settings(province: Province) -> str:
    address, is_parent = province.place.address, province.name not in REGIONS
    lines = ["[platform]", f'name = "{province.name}"', f'kind = "{"national" if is_parent else "regional"}"']
    lines += [f'listen = "0.0.0.0:{API_PORT}"', "insecure = true"]
    if province.database_url is not None:
        lines += [f"database_url = {json.dumps(province.database_url)}"]
    lines += ["[gateway]", f'listen = "0.0.0.0:{GATEWAY_PORT}"', "insecure = true"]
    if is_parent:
        gateways = f"{address}:{GATEWAY_LINK_PORT}"
        lines += ["[gateway.federation]", f'listen = "{gateways}"']
        lines += ["[platform.link]", f'listen = "{address}:{LINK_PORT}"', f'gateway_address = "{gateways}"']
    return "\n".join(lines) + "\n"


async def _furnish(member: Member) -> PlayedSite | None:
    """Make models with prices, a customer with a key, and what a site needs; start the gateway. Returns the site, if it has one."""
    async with member.open_as_operator() as keisan:
        gateway = await keisan.machines.create_token(JoinTokenCreate(kind=MachineKind.GATEWAY))
        member.start_gateway(gateway.token)
        models = {}
        for name in (SHARED, ALONE):
            if SERVED[member.name] and name not in SERVED[member.name]:
                continue
            models[name] = (await keisan.models.create(build_model(name))).id
            prices = dict(zip((TokenClass.INPUT, TokenClass.OUTPUT), PRICES[member.name], strict=True))
            await keisan.prices.create(PriceCreate(model_id=models[name], currency="CNY", nano_per_million=prices))
        organization = await keisan.organizations.create(OrganizationCreate(name=f"customer of {member.name}"))
        project = await keisan.projects.create(ProjectCreate(name="calls", organization_id=organization.id))
        made = await keisan.keys.create(KeyCreate(name="calls", project_id=project.id))
        member.key = made.secret
        if not SERVED[member.name]:
            return None
        provider = await keisan.providers.create(ProviderCreate(name=f"provider of {member.name}"))
        body = SiteCreate(name="hall", provider_id=provider.id, region=REGIONS[member.name])
        site = await keisan.sites.create(body)
        token = await keisan.machines.create_token(JoinTokenCreate(kind=MachineKind.SITE, site_id=site.id))
        for model_id in models.values():
            await keisan.deployments.create(DeploymentCreate(model_id=model_id, slots=256))
    sockets = {model: engine.place.path for model, engine in member.engines.items()}
    return PlayedSite(member.name, member.province.url, Secret(token.token), sockets)


def build_model(name: str) -> ModelCreate:
    """Return a model's facts; nobody ever loads it."""
    return ModelCreate(
        name=name,
        owner="stage",
        architecture="played",
        parameter_count=1,
        precision="bf16",
        licence="apache-2.0",
        surfaces=(Surface.CHAT,),
        capabilities=("stream",),
        engines=("llama_cpp",),
        context_tokens=4096,
        output_tokens_max=64,
        template_tokens_max=64,
        weights="path:/nowhere",
        weights_sha256="0" * 64,
        weights_bytes=1,
        memory_bytes=1,
    )


async def _admit(land: ServedLand) -> None:
    async with land.nation.open_as_operator() as keisan:
        (owner,) = [each async for each in keisan.organizations.list() if each.name == "customer of cn"]
        for member in (land.cut, land.other):
            body = AdmissionCreate(
                organization_id=owner.id,
                platform_id=member.province.platform_id,
                currency="CNY",
                credit_nano_max=CREDIT_NANO,
            )
            await keisan.admissions.admit(body)


async def _wait_until_served(land: ServedLand) -> None:
    """Wait until a call of each kind is answered, and one of the nation's at the province that nobody asks while the first is cheaper."""
    elsewhere = f"region in {REGIONS[land.other.name]}"
    other = Stream("other", land.nation.address, land.nation.key, SHARED, 1.0, policy=elsewhere)
    streams, told = [*land.list_streams(1.0), other], dict[str, str]()
    end_s = time.monotonic() + READY_S_MAX
    while streams:
        assert time.monotonic() < end_s, told
        for stream in tuple(streams):
            try:
                answer = await stream.call(0)
            except OSError as fault:
                told[stream.name] = repr(fault)
                continue
            told[stream.name] = answer.body.decode()
            if answer.status == 200:
                streams.remove(stream)
        await let_time_pass_async(LOOK_S)
