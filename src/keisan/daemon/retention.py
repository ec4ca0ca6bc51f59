"""`keisan ledger retention`: what is deleted after its time, how much of it would go now, and what is kept and why.

On the database itself, whether the platform runs or not. It writes nothing.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.daemon.platform import open_storage
from keisan.daemon.settings import Settings
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.retention import RetentionRule
from keisan.kit.clock import SystemClock
from keisan.storage.base_retention import RetentionCount

# What no setting lets go, and why.
KEPT: Mapping[str, str] = {
    "journal entries and postings": "money: never deleted",
    "usage records": "the audit, receipts and the refusal of doubles read them from the database",
    "closed tickets": "the audit derives again what each was charged; one that went would look like one taken away",
    "deliveries that wait or were given up": "they can still be sent",
    "the newest delivery of each webhook": "the next one's sequence is counted on from it",
    "events": "a chain: none can go without breaking it",
}
Found = list[tuple[RetentionRule, datetime, RetentionCount]]


async def run_retention(settings: Settings, *, is_json: bool) -> ExitCode:
    """Count what is kept and what would go, and print it.

    Raises NotFound without a platform here, StorageUnavailable if its database cannot be read.
    """
    clock, folder = SystemClock(), settings.data_directory / "platform"
    if settings.platform.database_url is None and not folder.exists():
        raise NotFound(f"there is no platform in {settings.data_directory}")
    storage, now = open_storage(settings.platform, folder, clock), clock.now()
    try:
        await storage.check()
        async with storage.read() as view:
            found = [
                (rule, cutoff, await view.retention.count(PlatformScope(), rule.kind, cutoff))
                for rule in settings.platform.retention.rules
                for cutoff in [rule.compute_cutoff(now)]
            ]
    finally:
        await storage.close()
    text = _write_json(found) if is_json else _write_text(found)
    Console(soft_wrap=True).print(text, markup=False, highlight=False)
    return ExitCode.OK


def _write_json(found: Found) -> str:
    rules = [
        {
            "kind": str(rule.kind),
            "kept_days": rule.kept_days,
            "before": cutoff.isoformat(),
            "stored": counts.stored_count,
            "due": counts.due_count,
            "held": counts.stored_count - counts.due_count,
            "oldest_at": counts.oldest_at.isoformat() if counts.oldest_at is not None else None,
        }
        for rule, cutoff, counts in found
    ]
    return json.dumps({"rules": rules, "kept": [{"what": what, "why": why} for what, why in KEPT.items()]})


def _write_text(found: Found) -> str:
    lines = [
        f"{rule.kind}: {counts.due_count:,} of {counts.stored_count:,} would go now, "
        f"from before {cutoff:%Y-%m-%d %H:%M} (UTC), {rule.kept_days} days ago"
        for rule, cutoff, counts in found
    ]
    return "\n".join([*lines, "kept for ever:", *(f"  {what}: {why}" for what, why in KEPT.items())])
