"""`keisan demo nation --check`: one call, and whether all that is told of it from outside agrees; one JSON line.

Read are public APIs, the receipt by the script of the documentation, and the engines' own counts on their own sockets.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx

from keisan.cli.exit_code import ExitCode
from keisan.daemon.nation import Nation, NationPlatform
from keisan.daemon.nation_plan import MODEL
from keisan.daemon.nation_sabotage import Sabotage, Saboteur
from keisan.daemon.nation_silence import check_silence
from keisan.domain.errors import Failed, KeisanError, NotFound
from keisan.domain.link import LinkSide, LinkState
from keisan.domain.price import TokenClass
from keisan.engines.http_probe import fetch_answer
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.private_file import create_private_folder
from keisan.sdk import LinkView
from keisan.wire.usage import UsageRecordView

RECEIPT_SCRIPT = Path(__file__).parents[3] / "docs" / "reference" / "verify_receipt.py"
OUTPUT_TOKENS = 8
QUESTION = "Which fruit is red? Answer in a sentence."
CALL_S_MAX = 60.0
ENGINE_S_MAX = 5.0
SCRIPT_S_MAX = 60.0
RECORD_S_MAX = 15.0
LOOK_S = 0.2
_COUNT = re.compile(r"^llamacpp:(prompt_tokens|tokens_predicted)_total (\d+)", re.MULTILINE)
NATIONAL_CALL = "offers and tickets do not cross links yet, so no call of the nation's can be served by a province"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that must hold, and what was seen."""

    name: str
    held: bool
    said: str


@dataclass(frozen=True, slots=True)
class EngineCount:
    """What an engine has worked on since its start, by its own count."""

    prompt_tokens: int
    output_tokens: int

    def subtract(self, other: "EngineCount") -> "EngineCount":
        """Return what came since `other`."""
        return EngineCount(self.prompt_tokens - other.prompt_tokens, self.output_tokens - other.output_tokens)


@dataclass(frozen=True, slots=True)
class Call:
    """What the client was told of a call."""

    record_id: UUID
    usage: Mapping[str, int]


@dataclass(slots=True)
class NationCheck:
    """The check of one nation. `engines` are links to the engines' sockets, made before anybody could move these."""

    nation: Nation
    sabotage: Sabotage | None
    lines: list[CheckLine] = field(default_factory=list)
    engines: dict[str, Path] = field(default_factory=dict)

    async def run(self) -> None:
        """Take all checks, print them as one JSON line, and end the nation with what came of them."""
        begun_s = self.nation.clock.monotonic_s()
        self._note("nothing shared", held=True, said=f"{len(self.nation.platforms)} platforms were compared pairwise")
        self._note("national call", held=False, said=NATIONAL_CALL)
        await self._check_links()
        saboteur = Saboteur(self.sabotage)
        with self._link_engines():
            async with asyncio.TaskGroup() as group:
                group.create_task(self._check_call(saboteur))
                group.create_task(self._check_silence(saboteur))
        self._finish(self.nation.clock.monotonic_s() - begun_s)

    async def _check_links(self) -> None:
        provinces = self.nation.platforms[1:]
        regions = {await read_id(province): province.plan.code for province in provinces}
        async with self.nation.national.open_as_operator() as keisan:
            parent_id = (await keisan.platform.get()).id
            children = {link.neighbour_id: link.region async for link in keisan.links.list() if is_joined(link)}
        lost = [province.plan.code for province in provinces if not await has_parent(province, parent_id)]
        said = f"{len(children)} of {len(provinces)} provinces are joined" + (
            f", not so {', '.join(lost)}" if lost else ""
        )
        self._note("provinces are joined", held=children == regions and not lost, said=said)

    async def _check_call(self, saboteur: Saboteur) -> None:
        serving = self._list_serving()[0]
        async with saboteur.bend_engines([self._find_socket(each) for each in self._list_serving()]):
            before = await self._count_engines()
            try:
                call = await ask(serving)
                record = await wait_for_record(serving, call.record_id, self.nation)
            except KeisanError as fault:
                self._note("call", held=False, said=str(fault))
                return
            self._note("call", held=True, said=f"{serving.plan.code} answered, record {call.record_id}")
            self._check_engines(serving, record, before, await self._count_engines())
        await asyncio.to_thread(saboteur.bend_books, serving.folder, record)
        self._check_answer(call, record)
        await self._check_receipt(serving, record)
        await self._check_ledger(serving)

    async def _check_silence(self, saboteur: Saboteur) -> None:
        held, said = await check_silence(self.nation, self._list_serving()[-1], saboteur)
        self._note("unknown is not nought", held=held, said=said)

    def _note(self, name: str, *, held: bool, said: str) -> None:
        self.lines.append(CheckLine(name, held, said))
        self.nation.progress.tell(f"{name}: {'held' if held else 'NOT HELD'}: {said}")

    def _finish(self, taken_s: float) -> None:
        held = all(line.held for line in self.lines)
        told = {"held": held, "checks": [asdict(line) for line in self.lines], "taken_s": round(taken_s, 1)}
        self.nation.progress.finish()
        sys.stdout.write(json.dumps({**told, "sabotage": self.sabotage}) + "\n")
        sys.stdout.flush()
        self.nation.outcome = ExitCode.OK if held else ExitCode.FAILED
        self.nation.national.supervisor.stopping.set()

    def _list_serving(self) -> list[NationPlatform]:
        return [platform for platform in self.nation.platforms if platform.plan.has_model]

    @staticmethod
    def _find_socket(platform: NationPlatform) -> Path:
        found = sorted((platform.folder.site / "run").glob("*.sock"))
        if len(found) != 1:
            raise Failed(f"expected one engine in {platform.plan.code}, got {len(found)}")
        return found[0]

    @contextmanager
    def _link_engines(self) -> Iterator[None]:
        folder = self.nation.root / "engines"
        create_private_folder(folder)
        try:
            for platform in self._list_serving():
                link = folder / f"{platform.plan.code}.sock"
                link.unlink(missing_ok=True)
                link.hardlink_to(self._find_socket(platform))
                self.engines[platform.plan.code] = link
            yield
        finally:
            for link in self.engines.values():
                link.unlink(missing_ok=True)

    async def _count_engines(self) -> dict[str, EngineCount]:
        return {code: await count_engine(path) for code, path in self.engines.items()}

    def _check_engines(
        self,
        serving: NationPlatform,
        record: UsageRecordView,
        before: Mapping[str, EngineCount],
        after: Mapping[str, EngineCount],
    ) -> None:
        worked = {code: after[code].subtract(before[code]) for code in after}
        own = worked.pop(serving.plan.code)
        others = {code: count for code, count in worked.items() if count != EngineCount(0, 0)}
        billed = count_billed(record)
        said = f"{serving.plan.code} counted {describe(own)}, the record has {describe(billed)}"
        self._note("engine's own count", held=own == billed, said=said)
        said = ", ".join(f"{code} counted {describe(count)}" for code, count in others.items()) or "no other one worked"
        self._note("served where the record says", held=not others and own.output_tokens > 0, said=said)

    def _check_answer(self, call: Call, record: UsageRecordView) -> None:
        quantities = record.quantities
        prompt = quantities.get(TokenClass.INPUT, 0) + quantities.get(TokenClass.INPUT_CACHED, 0)
        pairs = {
            "prompt_tokens": (call.usage.get("prompt_tokens"), prompt),
            "completion_tokens": (call.usage.get("completion_tokens"), quantities.get(TokenClass.OUTPUT, 0)),
        }
        said = ", ".join(f"{name} {told} told and {kept} recorded" for name, (told, kept) in pairs.items())
        self._note("answer and record", held=all(told == kept for told, kept in pairs.values()), said=said)

    async def _check_receipt(self, serving: NationPlatform, record: UsageRecordView) -> None:
        async with serving.open_as_operator() as keisan:
            receipt = await keisan.usage.get_receipt(record.id)
            platform_id = (await keisan.platform.get()).id
        if not RECEIPT_SCRIPT.is_file():
            self._note("receipt", held=False, said=f"the script is not here: {RECEIPT_SCRIPT}")
            return
        with TemporaryDirectory() as folder:
            path = Path(folder) / "receipt.json"
            await asyncio.to_thread(path.write_text, receipt.model_dump_json())
            code, told = await run_script(self.nation.environment, str(RECEIPT_SCRIPT), str(path), platform_id)
        is_same = code == 0 and str(record.id) in told
        self._note("receipt", held=is_same, said=told.splitlines()[-1][:200] if told else f"it ended with {code}")

    async def _check_ledger(self, serving: NationPlatform) -> None:
        sums: dict[str, int] = {}
        async with serving.open_as_operator() as keisan:
            async for account in keisan.accounts.list():
                sums[account.currency] = sums.get(account.currency, 0) + account.balance_nano
        said = ", ".join(f"all accounts in {currency} sum up to {total}" for currency, total in sorted(sums.items()))
        self._note("books balance", held=not any(sums.values()), said=said or "there are no accounts")
        data = ("--data", str(serving.folder.root), "--config", str(serving.folder.root / "keisan.toml"))
        code, told = await run_script(self.nation.environment, "-m", "keisan.daemon.main", "ledger", "audit", *data)
        lines = [line for line in told.splitlines() if line.strip()]
        self._note("books derived again", held=code == 0, said=lines[-1][:200] if lines else f"it ended with {code}")


def is_joined(link: LinkView) -> bool:
    """Tell whether both sides speak over a link."""
    return link.state is LinkState.JOINED


async def read_id(platform: NationPlatform) -> str:
    """Return a platform's id as its API tells it."""
    async with platform.open_as_operator() as keisan:
        return (await keisan.platform.get()).id


async def has_parent(platform: NationPlatform, parent_id: str) -> bool:
    """Tell whether a platform says that it is joined to this parent and no other, with the region that it is in."""
    async with platform.open_as_operator() as keisan:
        parents = [link async for link in keisan.links.list() if link.side is LinkSide.PARENT and is_joined(link)]
    return [(link.neighbour_id, link.region) for link in parents] == [(parent_id, platform.plan.code)]


async def ask(platform: NationPlatform) -> Call:
    """Make one call as any client would; raises Failed unless it is answered."""
    kept = platform.read_operator()
    target = HttpTarget(str(kept.gateway_url), next(iter(platform.keys.values())), timeout_s=CALL_S_MAX)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": OUTPUT_TOKENS,
        "temperature": 0,
    }
    async with open_async_client(target) as client:
        try:
            answer = await client.post("/v1/chat/completions", json=body)
        except httpx.HTTPError as fault:
            raise Failed(f"the call was not answered: {fault!r}") from fault
    if answer.status_code != 200:
        raise Failed(f"the call was answered with {answer.status_code}: {answer.text[:200]}")
    return Call(UUID(answer.headers["keisan-record-id"]), answer.json()["usage"])


async def wait_for_record(platform: NationPlatform, record_id: UUID, nation: Nation) -> UsageRecordView:
    """Return what the platform's API has of a call; raises NotFound if it has nothing in time."""
    end_s = nation.clock.monotonic_s() + RECORD_S_MAX
    async with platform.open_as_operator() as keisan:
        while True:
            try:
                return await keisan.usage.get(record_id)
            except NotFound:
                if nation.clock.monotonic_s() > end_s:
                    raise
            await nation.clock.sleep(LOOK_S)


async def count_engine(socket_path: Path) -> EngineCount:
    """Return an engine's own count; raises Failed if it does not tell."""
    try:
        answer = await fetch_answer(socket_path, "/metrics", ENGINE_S_MAX)
    except (OSError, TimeoutError, ValueError) as fault:
        raise Failed(f"the engine at {socket_path} does not tell its count", repr(fault)) from fault
    found = {name: int(number) for name, number in _COUNT.findall(answer.body)}
    if len(found) != 2:
        raise Failed(f"the engine at {socket_path} does not tell its count", answer.body[:200])
    return EngineCount(found["prompt_tokens"], found["tokens_predicted"])


def count_billed(record: UsageRecordView) -> EngineCount:
    """Return what an engine must have worked on for a record: what was cached it did not work on."""
    quantities = record.quantities
    return EngineCount(quantities.get(TokenClass.INPUT, 0), quantities.get(TokenClass.OUTPUT, 0))


def describe(count: EngineCount) -> str:
    """Return a count in words."""
    return f"{count.prompt_tokens} tokens in and {count.output_tokens} out"


async def run_script(environment: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Return with what Python ended on a script, and what it said; killed after SCRIPT_S_MAX."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SCRIPT_S_MAX):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"nothing after {SCRIPT_S_MAX:g} s"
    return process.returncode or 0, told.decode(errors="replace")
