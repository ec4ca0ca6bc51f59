"""`keisan demo nation --check`: one national call, and whether all that is told of it from outside agrees; one JSON line.

Read are public APIs, the receipt by the script of the documentation, and the engines' own counts on their own sockets.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from keisan.cli.exit_code import ExitCode
from keisan.daemon.nation import Nation, NationPlatform
from keisan.daemon.nation_call import Served, ask_patiently, count_disputes, count_settled, find_served
from keisan.daemon.nation_credit import read_id
from keisan.daemon.nation_engine import IDLE, EngineCount, count_billed, count_engines, find_socket, link_engines
from keisan.daemon.nation_sabotage import Sabotage, Saboteur
from keisan.daemon.nation_silence import SilenceWatch
from keisan.domain.errors import KeisanError
from keisan.domain.link import LinkSide, LinkState
from keisan.domain.price import TokenClass
from keisan.sdk import LinkView
from keisan.wire.cross_receipt import CrossReceiptView

RECEIPT_SCRIPT = Path(__file__).parents[3] / "docs" / "reference" / "verify_receipt.py"
SCRIPT_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that must hold, and what was seen."""

    name: str
    held: bool
    said: str


@dataclass(slots=True)
class NationCheck:
    """The check of one nation; that of its silence is taken beside it."""

    nation: Nation
    sabotage: Sabotage | None
    silence: SilenceWatch
    lines: list[CheckLine] = field(default_factory=list)

    async def run(self) -> None:
        """Take all checks, print them as one JSON line, and end the nation with what came of them."""
        begun_s = self.nation.clock.monotonic_s()
        self._note("nothing shared", held=True, said=f"{len(self.nation.platforms)} platforms were compared pairwise")
        ids = {await read_id(province): province for province in self.nation.platforms[1:]}
        await self._check_links(ids)
        await self._check_call(ids, Saboteur(self.sabotage))
        held, said = self.silence.found or (False, "no site was silent")
        self._note("unknown is not nought", held=held, said=said)
        self._finish(self.nation.clock.monotonic_s() - begun_s)

    async def _check_links(self, ids: Mapping[str, NationPlatform]) -> None:
        regions = {platform_id: province.plan.code for platform_id, province in ids.items()}
        async with self.nation.national.open_as_operator() as keisan:
            parent_id = (await keisan.platform.get()).id
            children = {link.neighbour_id: link.region async for link in keisan.links.list() if is_joined(link)}
        lost = [province.plan.code for province in ids.values() if not await has_parent(province, parent_id)]
        said = f"{len(children)} of {len(ids)} provinces are joined" + (f", not so {', '.join(lost)}" if lost else "")
        self._note("provinces are joined", held=children == regions and not lost, said=said)

    async def _check_call(self, ids: Mapping[str, NationPlatform], saboteur: Saboteur) -> None:
        """Make a call of the nation's that a province serves, and hold against each other what all sides tell of it."""
        nation, serving = self.nation, [each for each in self.nation.platforms if each.plan.has_model]
        with link_engines(nation.root / "engines", serving) as engines:
            async with saboteur.bend_engines([find_socket(each) for each in serving]):
                before = await count_engines(engines)
                try:
                    served = await find_served(nation, ids, await ask_patiently(nation))
                except KeisanError as fault:
                    self._note("national call", held=False, said=str(fault))
                    return
            after = await count_engines(engines)
        said = f"CN asked, {served.platform.plan.code} answered, record {served.call.record_id}"
        self._note("national call", held=True, said=said)
        self._check_engines(served, {code: after[code].subtract(before[code]) for code in after})
        self._check_answer(served)
        await self._check_settled(served)
        await asyncio.to_thread(saboteur.bend_books, nation.national.folder, served.usage.organization_id)
        both = (nation.national, served.platform)
        await asyncio.gather(self._check_receipts(served), self._check_balances(both), self._check_books(both))

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

    def _check_engines(self, served: Served, worked: Mapping[str, EngineCount]) -> None:
        code, billed = served.platform.plan.code, count_billed(served.usage.quantities)
        own = worked.get(code, IDLE)
        self._note("engine's own count", held=own == billed, said=f"{code} counted {own}, the record has {billed}")
        others = {other: count for other, count in worked.items() if other != code and count != IDLE}
        said = ", ".join(f"{other} counted {count}" for other, count in others.items()) or "no other one worked"
        self._note("served where the record says", held=not others and own.output_tokens > 0, said=said)

    def _check_answer(self, served: Served) -> None:
        quantities, usage = served.usage.quantities, served.call.usage
        prompt = quantities.get(TokenClass.INPUT, 0) + quantities.get(TokenClass.INPUT_CACHED, 0)
        pairs = {
            "prompt_tokens": (usage.get("prompt_tokens"), prompt),
            "completion_tokens": (usage.get("completion_tokens"), quantities.get(TokenClass.OUTPUT, 0)),
        }
        said = ", ".join(f"{name} {told} told and {kept} recorded" for name, (told, kept) in pairs.items())
        self._note("answer and record", held=all(told == kept for told, kept in pairs.values()), said=said)

    async def _check_settled(self, served: Served) -> None:
        """Note whether both platforms count the same calls as settled, and neither disputes one."""
        both, serving_id = (self.nation.national, served.platform), served.usage.serving_id
        counts = [await count_settled(self.nation, each, serving_id) for each in both]
        disputes = sum([await count_disputes(each) for each in both])
        said = f"{counts[0]} calls at home and {counts[1]} in {served.platform.plan.code}, {disputes} in dispute"
        self._note("both ends agree", held=counts[0] == counts[1] and not disputes, said=said)

    async def _check_receipts(self, served: Served) -> None:
        """Note whether a stranger with the script can verify what each end gives as a receipt now."""
        if not RECEIPT_SCRIPT.is_file():
            self._note("receipt", held=False, said=f"the script is not here: {RECEIPT_SCRIPT}")
            return
        said = [await self._verify_receipt(each, served) for each in (self.nation.national, served.platform)]
        faults = [each for each in said if each]
        signers = f"CN and {served.platform.plan.code}"
        self._note("receipt", held=not faults, said=faults[0] if faults else f"signed by {signers}, the same at both")

    async def _verify_receipt(self, platform: NationPlatform, served: Served) -> str:
        """Return what is wrong with a platform's receipt, "" for nothing."""
        async with platform.open_as_operator() as keisan:
            receipt = await keisan.settlements.get_receipt(served.call.record_id)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "receipt.json"
            await asyncio.to_thread(path.write_text, receipt.model_dump_json())
            code, told = await run_script(
                self.nation.environment, str(RECEIPT_SCRIPT), str(path), served.usage.serving_id
            )
        if code != 0:
            return f"{platform.plan.code}: {told.splitlines()[-1][:200] if told else f'the script ended with {code}'}"
        return "" if is_same(receipt, served) else f"{platform.plan.code} gives the receipt of something else"

    async def _check_balances(self, platforms: tuple[NationPlatform, ...]) -> None:
        sums: dict[tuple[str, str], int] = {}
        for platform in platforms:
            async with platform.open_as_operator() as keisan:
                async for account in keisan.accounts.list():
                    place = (platform.plan.code, account.currency)
                    sums[place] = sums.get(place, 0) + account.balance_nano
        said = ", ".join(f"all of {code} in {currency} sum up to {total}" for (code, currency), total in sums.items())
        held = not any(sums.values()) and len({code for code, _ in sums}) == len(platforms)
        self._note("books balance", held=held, said=said or "there are no accounts")

    async def _check_books(self, platforms: tuple[NationPlatform, ...]) -> None:
        """Note whether each platform's books come out the same when they are derived again from its chain."""
        audits = [self._audit(platform) for platform in platforms]
        found = [said for said in await asyncio.gather(*audits) if said]
        names = " and ".join(platform.plan.code for platform in platforms)
        self._note(
            "books derived again", held=not found, said="; ".join(found) or f"those of {names} come out the same"
        )

    async def _audit(self, platform: NationPlatform) -> str:
        root = platform.folder.root
        data = ("--data", str(root), "--config", str(root / "keisan.toml"))
        code, told = await run_script(self.nation.environment, "-m", "keisan.daemon.main", "ledger", "audit", *data)
        lines = [line for line in told.splitlines() if line.strip()]
        if code == 0:
            return ""
        return f"{platform.plan.code}: {lines[-1][:200] if lines else f'it ended with {code}'}"


def is_same(receipt: CrossReceiptView, served: Served) -> bool:
    """Tell whether a receipt is of the record that both ends told of."""
    return all(receipt.leaf == each.leaf for each in served.receipts)


def is_joined(link: LinkView) -> bool:
    """Tell whether both sides speak over a link."""
    return link.state is LinkState.JOINED


async def has_parent(platform: NationPlatform, parent_id: str) -> bool:
    """Tell whether a platform says that it is joined to this parent and no other, with the region that it is in."""
    async with platform.open_as_operator() as keisan:
        parents = [link async for link in keisan.links.list() if link.side is LinkSide.PARENT and is_joined(link)]
    return [(link.neighbour_id, link.region) for link in parents] == [(parent_id, platform.plan.code)]


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
