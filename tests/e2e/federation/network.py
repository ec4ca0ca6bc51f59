"""Networks of this host's own: a namespace for each platform, joined by a bridge, cut by nft rules or by a link that goes down.

Each namespace has a second way, to this host alone, by which a test looks on while the first is cut.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

FEDERATION, OUTSIDE = "10.77.0", "10.78"
NFT_S_MAX = 20


def find_obstacle() -> str:
    """Return why this host cannot make networks of its own, empty if it can."""
    if os.geteuid() != 0:
        return "namespaces of networks need root"
    missing = [name for name in ("ip", "nft") if shutil.which(name) is None]
    if missing:
        return f"there is no {' and no '.join(missing)}"
    name = f"kn{os.getpid()}-try"
    for words in (("ip", "netns", "add", name), ("ip", "netns", "exec", name, "nft", "list", "ruleset")):
        tried = subprocess.run(words, capture_output=True, check=False, timeout=NFT_S_MAX)
        if tried.returncode:
            return f"{' '.join(words)}: {tried.stderr.decode().strip()}"
    run("ip", "netns", "del", name)
    return ""


def run(*words: str, typed: str = "") -> str:
    """Run a command of the system, which must succeed."""
    done = subprocess.run(words, input=typed, capture_output=True, text=True, check=False, timeout=NFT_S_MAX)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace: `address` is where other platforms find it, `outside` where this host does."""

    space: str
    address: str
    outside: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """Return what runs a command there."""
        return ("ip", "netns", "exec", self.space)

    def drop_heard(self, other: "Place | None" = None) -> None:
        """Drop without a word all that comes from another place, from all for None; what it says goes out as before."""
        self._rule(f"iifname fed0 {f'ip saddr {other.address} ' if other else ''}drop")

    def drop_both(self) -> None:
        """Drop without a word all that comes and all that goes."""
        self._rule("iifname fed0 drop", "oifname fed0 drop")

    def lose(self, percent: int) -> None:
        """Lose so much of what comes, at random."""
        self._rule(f"iifname fed0 numgen random mod 100 < {percent} drop")

    def set_link(self, state: str) -> None:
        """Pull the cable, or plug it in: "down" or "up"."""
        run(*self.prefix, "ip", "link", "set", "fed0", state)

    def mend(self) -> None:
        """Take all rules away."""
        run(*self.prefix, "nft", "flush", "ruleset")

    def _rule(self, heard: str, said: str = "") -> None:
        chains = [
            f"chain heard {{\n type filter hook input priority 0;\n {heard}\n }}",
            f"chain said {{\n type filter hook output priority 0;\n {said}\n }}",
        ]
        body = "\n".join(chains)
        run(*self.prefix, "nft", "-f", "-", typed=f"flush ruleset\ntable inet cut {{\n{body}\n}}\n")


@contextmanager
def lay_network(names: Sequence[str]) -> Iterator[dict[str, Place]]:
    """Lay a network of as many namespaces as there are names, and take it away afterwards."""
    mark = f"kn{os.getpid()}"
    switch = f"{mark}-sw"
    places = {
        name: Place(f"{mark}-{name}", f"{FEDERATION}.{number}", f"{OUTSIDE}.{number}.2")
        for number, name in enumerate(names, 1)
    }
    spaces = [switch, *(place.space for place in places.values())]
    outside = [name_outside(number) for number, _ in enumerate(names, 1)]
    try:
        for space in spaces:
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for number, place in enumerate(places.values(), 1):
            _connect(switch, place, number)
        yield places
    finally:
        # A space goes once the last process in it has, and this host's ends of its ways only then; the next network has the same.
        removals = [["ip", "link", "del", link] for link in outside] + [
            ["ip", "netns", "del", space] for space in spaces
        ]
        for words in removals:
            subprocess.run(words, capture_output=True, check=False, timeout=NFT_S_MAX)


def name_outside(number: int) -> str:
    """Return what this host's end of the way to a namespace is called."""
    return f"kn{os.getpid() % 100_000}m{number}"


def _connect(switch: str, place: Place, number: int) -> None:
    run("ip", "link", "add", "fed0", "netns", place.space, "type", "veth", "peer", f"p{number}", "netns", switch)
    run("ip", "-n", switch, "link", "set", f"p{number}", "master", "br0")
    run("ip", "-n", switch, "link", "set", f"p{number}", "up")
    run("ip", "-n", place.space, "address", "add", f"{place.address}/24", "dev", "fed0")
    run("ip", "-n", place.space, "link", "set", "fed0", "up")
    own = name_outside(number)
    run("ip", "link", "add", own, "type", "veth", "peer", "mgt0", "netns", place.space)
    run("ip", "address", "add", f"{OUTSIDE}.{number}.1/30", "dev", own)
    run("ip", "link", "set", own, "up")
    run("ip", "-n", place.space, "address", "add", f"{place.outside}/30", "dev", "mgt0")
    run("ip", "-n", place.space, "link", "set", "mgt0", "up")
