"""Holds coverage of lines and branches to the house's floors, room by room; prints one line per room.

Decisions and money leave nothing untried; elsewhere the last tenth is mostly other people's failures.
"""

import json
import sys
from pathlib import Path

FLOOR_PERCENT = 90
FLOOR_PERCENT_BY_ROOM = {"domain": 100, "placement": 100, "ledger": 100, "federation": 100}


def sum_by_room(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, tuple[int, int]]:
    """Return per room how many lines and branches were run, and how many there are."""
    totals: dict[str, tuple[int, int]] = {}
    for path, entry in report["files"].items():
        parts = Path(path).parts
        room = parts[parts.index("keisan") + 1]
        if room.endswith(".py"):
            continue
        summary = entry["summary"]
        run, all_of = totals.get(room, (0, 0))
        totals[room] = (
            run + summary["covered_lines"] + summary["covered_branches"],
            all_of + summary["num_statements"] + summary["num_branches"],
        )
    return {room: total for room, total in totals.items() if total[1]}


def main() -> int:
    """Print each room's coverage beside its floor; return 1 if a room is under it."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    is_low = False
    for room, (run, all_of) in sorted(sum_by_room(report).items()):
        floor = FLOOR_PERCENT_BY_ROOM.get(room, FLOOR_PERCENT)
        is_under = run * 100 < floor * all_of
        is_low = is_low or is_under
        print(f"coverage {room:<10} {run * 100 / all_of:6.2f} %  floor {floor} %{'  TOO LOW' if is_under else ''}")
    return int(is_low)


if __name__ == "__main__":
    sys.exit(main())
