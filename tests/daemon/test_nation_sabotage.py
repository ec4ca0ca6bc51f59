"""Each sabotage does what it names at its place, nothing at the others, and leaves engines as they were."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keisan.daemon.nation_sabotage import Liar, Sabotage, Saboteur, build_empty_inventory, raise_count
from keisan.domain.errors import Failed
from keisan.engines.http_probe import fetch_answer
from keisan.wire.inventory import decode_inventory, encode_inventory
from tests.deadline import wait_until_async


@asynccontextmanager
async def run_engine(path: Path, body: str) -> AsyncIterator[list[str]]:
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not (await reader.read(1024)).endswith(b"\r\n\r\n"):
            seen.append("gone")
            writer.close()
            return
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        yield seen


async def read(path: Path) -> str:
    return (await fetch_answer(path, "/", 5.0)).body


@pytest.mark.parametrize(
    ("sabotage", "told"),
    [
        (None, ['{"completion_tokens":8}', "the other"]),
        (Sabotage.LEDGER, ['{"completion_tokens":8}', "the other"]),
        (Sabotage.USAGE, ['{"completion_tokens":9}', "the other"]),
        (Sabotage.ROUTE, ["the other", '{"completion_tokens":8}']),
    ],
)
async def test_engines_are_bent_and_put_back(sabotage: Sabotage | None, told: list[str], tmp_path: Path) -> None:
    sockets = [tmp_path / "one.sock", tmp_path / "other.sock"]
    async with run_engine(sockets[0], '{"completion_tokens":8}'), run_engine(sockets[1], "the other"):
        inodes = [path.stat().st_ino for path in sockets]
        async with Saboteur(sabotage).bend_engines(sockets):
            assert [await read(path) for path in sockets] == told
        assert [path.stat().st_ino for path in sockets] == inodes
        assert not any(path.is_symlink() for path in sockets)
        assert await read(sockets[0]) == '{"completion_tokens":8}'
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one.sock", "other.sock"]


async def test_calls_are_led_astray_only_where_there_is_another_engine(tmp_path: Path) -> None:
    with pytest.raises(Failed):
        async with Saboteur(Sabotage.ROUTE).bend_engines([tmp_path / "one.sock"]):
            pass


async def test_engine_learns_through_the_liar_that_its_client_has_gone(tmp_path: Path) -> None:
    liar = Liar(tmp_path / "engine")
    async with (
        run_engine(tmp_path / "engine", "x") as seen,
        await asyncio.start_unix_server(liar.pass_on, tmp_path / "liar"),
    ):
        async with asyncio.timeout(30):
            _, writer = await asyncio.open_unix_connection(tmp_path / "liar")
        writer.close()
        await wait_until_async(lambda: seen == ["gone"], "the engine knows")
        assert await read(tmp_path / "liar") == "x"


@pytest.mark.parametrize(("told", "said"), [(b"8", b"9"), (b"9", b"8"), (b"0", b"9")])
def test_another_digit_is_told(told: bytes, said: bytes) -> None:
    found = re.search(rb"(n: 1)(\d)", b"n: 1" + told)
    assert found is not None
    assert raise_count(found) == b"n: 1" + said


def test_inventory_that_denies_all_devices_is_one_that_a_platform_takes() -> None:
    inventory = decode_inventory(encode_inventory(build_empty_inventory("nvidia-h20")))
    assert (inventory.device_count, list(inventory.is_retired)) == (1, [True])
