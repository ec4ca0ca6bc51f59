"""`keisan policy check`: what a policy says, before it is set."""

from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import POLICY_CHARACTERS_MAX

NONE = "none"
PolicyArgument = Annotated[
    str, typer.Argument(help=f"Clauses joined by ';', for example: advisory none; region in CN. Or {NONE}.")
]


async def check_policy(session: Session, policy: PolicyArgument) -> None:
    """Show a policy as it would be stored, and what it says of each chip of the catalogue."""
    found = await session.keisan.policies.check(read_policy(policy))
    if session.output.is_json:
        session.output.show_json(found.model_dump(mode="json"))
        return
    session.output.show_text(describe_policy(found.policy))
    rows = [(line.chip, line.outcome, line.clause or "") for line in found.chips]
    session.output.show_table(("chip", "policy", "because of"), rows)


def read_policy(text: str) -> str:
    """Return the policy that was typed, where "none" asks for nothing; raises InvalidInput for one that is too long."""
    if len(text) > POLICY_CHARACTERS_MAX:
        raise InvalidInput(f"a policy has at most {POLICY_CHARACTERS_MAX} characters, got {len(text)}", "policy")
    return "" if text.strip() == NONE else text


def describe_policy(policy: str) -> str:
    """Return a policy as it is told to people."""
    return policy or NONE


def add_commands(application: typer.Typer) -> None:
    """Add policy check."""
    group = typer.Typer(help="Policies: what calls may run on.", no_args_is_help=True)
    add_command(group, "check", check_policy)
    application.add_typer(group, name="policy")
