"""`keisan ledger audit`: the audit on the database itself, whether the platform runs or not. It writes nothing."""

import json
from dataclasses import asdict

from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.daemon.opening import open_archive, open_view
from keisan.daemon.settings import Settings
from keisan.kit.clock import SystemClock
from keisan.ledger.audit import Audit, audit_ledger

# How often a line says how far it has come.
NOTE_S = 2.0


async def run_audit(settings: Settings, *, is_json: bool) -> ExitCode:
    """Audit the ledger and print what was found.

    Raises NotFound without a platform here, StorageUnavailable if its database cannot be read.
    """
    clock = SystemClock()
    aside, started = Console(stderr=True, soft_wrap=True), clock.monotonic_s()
    noted = started

    def note(audit: Audit) -> None:
        nonlocal noted
        if clock.monotonic_s() - noted >= NOTE_S:
            noted = clock.monotonic_s()
            aside.print(f"{audit.entry_count:,} of {audit.end.sequence:,} entries, {audit.record_count:,} records")

    async with open_view(settings, clock) as view:
        audit = await audit_ledger(view, note, open_archive(settings, clock))
    Console(soft_wrap=True).print(
        _write_json(audit) if is_json else _write_text(audit, clock.monotonic_s() - started),
        markup=False,
        highlight=False,
    )
    return ExitCode.OK if audit.difference is None else ExitCode.REFUSED


def _write_json(audit: Audit) -> str:
    told = {
        "is_whole": audit.difference is None,
        "entries": audit.entry_count,
        "records": audit.record_count,
        "postings": audit.posting_count,
        "statements": audit.statement_count,
        "accounts": len(audit.balances),
        "last_sequence": audit.end.sequence,
        "last_hash": audit.end.hash,
        "difference": asdict(audit.difference) if audit.difference is not None else None,
    }
    return json.dumps(told)


def _write_text(audit: Audit, duration_s: float) -> str:
    counts = (
        f"{audit.entry_count:,} entries, {audit.record_count:,} records, {audit.posting_count:,} postings, "
        f"{audit.statement_count:,} statements"
    )
    end = f"the chain ends with entry {audit.end.sequence}, {audit.end.hash}"
    found = audit.difference
    if found is None:
        return f"the ledger is whole: {counts} in {duration_s:.1f} s\n{end}"
    return (
        f"the ledger is NOT whole; the first difference after {counts}:\n"
        f"  {found.what} of {found.where}\n  expected {found.expected}\n  found    {found.found}\n{end}"
    )
