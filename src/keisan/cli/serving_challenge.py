"""`keisan challenge serve` and `served`: tokens a second at a stated latency, by calls through the gateway."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import typer

from keisan.cli.deployment import DeploymentArgument, find_deployment
from keisan.cli.key import choose_project
from keisan.cli.session import Session
from keisan.cli.site import choose_site
from keisan.domain.limits import (
    SERVING_CONCURRENCY_MAX,
    SERVING_DRAIN_S,
    SERVING_OUTPUT_TOKENS_MAX,
    SERVING_STEP_S_MAX,
)
from keisan.sdk import ServingChallengeStart, ServingChallengeView, ServingStepView

COLUMNS = ("when", "site", "model", "measured", "calls at a time", "first token within", "claimed", "verdict", "flags")
MILLI = 1000


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """What is asked, and who pays."""

    project: Annotated[
        str | None, typer.Option(help="Name or id of the project that pays; default: the key's own.")
    ] = None
    site: Annotated[str | None, typer.Option(help="Name or id; needed if ready replicas are at several.")] = None
    first_token_ms: Annotated[
        int,
        typer.Option(help="A step holds if 95 of 100 first tokens come so soon.", min=1, max=SERVING_DRAIN_S * 1000),
    ] = 2000
    step_s: Annotated[
        int, typer.Option(help="For how long each step takes new calls.", min=1, max=SERVING_STEP_S_MAX)
    ] = SERVING_STEP_S_MAX
    output_tokens_max: Annotated[
        int, typer.Option("--max-tokens", help="The longest answer.", min=1, max=SERVING_OUTPUT_TOKENS_MAX)
    ] = 64
    concurrency_max: Annotated[
        int, typer.Option("--max-calls", help="The most calls at a time.", min=1, max=SERVING_CONCURRENCY_MAX)
    ] = 64
    claim: Annotated[float | None, typer.Option(help="Tokens a second that the deployment is said to reach.")] = None


async def run_serving_challenge(session: Session, deployment: DeploymentArgument, options: ServingOptions) -> None:
    """Measure tokens a second at a latency: ever more calls at a time through the gateway, counted by usage records."""
    body = ServingChallengeStart(
        deployment_id=(await find_deployment(session, deployment)).id,
        site_id=(await choose_site(session, options.site)).id if options.site else None,
        project_id=(await choose_project(session, options.project)).id if options.project else None,
        first_token_ms=options.first_token_ms,
        step_s=options.step_s,
        output_tokens_max=options.output_tokens_max,
        concurrency_max=options.concurrency_max,
        claim_milli_per_s=None if options.claim is None else max(round(options.claim * MILLI), 1),
    )
    started = await session.keisan.serving_challenges.start(body)
    told = 0

    def tell(seen: ServingChallengeView) -> None:
        nonlocal told
        for step in seen.steps[told:]:
            session.output.tell(_describe_step(step))
        told = len(seen.steps)

    judged = await session.keisan.serving_challenges.wait_judged(started, tell)
    if session.output.is_json:
        session.output.show_json(judged.model_dump(mode="json"))
        return
    session.output.show_table(COLUMNS, await _build_rows(session, [judged]))


async def list_serving_challenges(
    session: Session,
    is_all: Annotated[bool, typer.Option("--all", help="Not the last of each deployment and site alone.")] = False,
) -> None:
    """List what deployments were measured to serve beside what was claimed, the last of each deployment and site."""
    found = [each async for each in session.keisan.serving_challenges.list()]
    if not is_all:
        found = list({(each.deployment_id, each.site_id): each for each in found}.values())
    session.output.show_views(found, COLUMNS, await _build_rows(session, found))


async def _build_rows(session: Session, found: Iterable[ServingChallengeView]) -> list[tuple[object, ...]]:
    sites = {site.id: site.name async for site in session.keisan.sites.list()}
    models = {model.id: model.name async for model in session.keisan.models.list()}
    return [
        (
            f"{each.judged_at or each.created_at:%Y-%m-%d %H:%M}",
            sites.get(each.site_id, each.site_id),
            models.get(each.model_id, each.model_id),
            _format_rate(each.rate_milli_per_s),
            each.concurrency or "",
            f"{each.work.first_token_ms} ms",
            _format_rate(each.claim_milli_per_s),
            each.verdict if each.judged_at else each.state,
            ", ".join(each.flags) + (f" ({each.message})" if each.message else ""),
        )
        for each in found
    ]


def _describe_step(step: ServingStepView) -> str:
    waited = (
        "no first token" if step.first_token_p95_us is None else f"first token {step.first_token_p95_us // 1000} ms"
    )
    held = "holds" if step.is_held else "does not hold"
    return f"{step.concurrency} at a time: {step.call_count} calls, {_format_rate(step.rate_milli_per_s)}, {waited}, {held}"


def _format_rate(rate_milli_per_s: int | None) -> str:
    return "" if rate_milli_per_s is None else f"{rate_milli_per_s / MILLI:.1f} tokens/s"
