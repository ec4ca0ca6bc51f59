"""The control plane's HTTP application, whole: what a request passes on its way in, and every route."""

from functools import cache

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from keisan.api import (
    account,
    admission,
    advisory,
    alert,
    archive,
    budget,
    capacity,
    challenge,
    chip,
    claim,
    compatibility,
    deduction,
    delivery,
    deployment,
    development,
    device,
    dispute,
    door,
    event,
    exchange,
    facility,
    forecast,
    gateway,
    grant,
    history,
    key,
    link,
    machine,
    maker,
    model,
    name,
    node,
    offer,
    organization,
    payout,
    platform,
    platform_ticket,
    policy,
    price,
    project,
    provider,
    quarantine,
    replica,
    serving_challenge,
    settlement,
    site,
    statement,
    supernode,
    survey,
    suspense,
    telemetry,
    telemetry_scrape,
    telemetry_stream,
    top_up,
    usage,
    webhook,
)
from keisan.api.authentication import API_PATH, Authentication
from keisan.api.body_limit import BodyLimit
from keisan.api.context import ApiContext
from keisan.api.edge import Edge
from keisan.api.idempotency import Idempotency
from keisan.api.reference import describe_api
from keisan.api.repetition import Repetition
from keisan.wire.problem import Problem

ROUTERS = (
    platform.router,
    platform_ticket.router,
    organization.router,
    top_up.router,
    top_up.decision_router,
    project.router,
    key.router,
    budget.router,
    forecast.router,
    policy.router,
    provider.router,
    site.router,
    door.router,
    machine.router,
    link.router,
    exchange.router,
    name.router,
    node.router,
    device.router,
    telemetry.router,
    history.router,
    development.router,
    supernode.router,
    facility.router,
    facility.site_router,
    claim.router,
    claim.site_router,
    survey.router,
    capacity.router,
    challenge.router,
    serving_challenge.router,
    telemetry_scrape.router,
    telemetry_stream.router,
    model.router,
    chip.router,
    maker.router,
    advisory.router,
    compatibility.router,
    price.router,
    offer.router,
    deduction.router,
    deployment.router,
    replica.router,
    account.router,
    admission.router,
    # Before usage, whose records' ids are of the same form as its paths.
    archive.router,
    usage.router,
    webhook.router,
    delivery.router,
    alert.router,
    statement.router,
    payout.router,
    dispute.router,
    settlement.router,
    suspense.router,
    quarantine.router,
    event.router,
    gateway.router,
    grant.router,
    site.report_router,
    telemetry.exchange_router,
    challenge.exchange_router,
    gateway.exchange_router,
)


def create_app(context: ApiContext) -> FastAPI:
    """Return the application; it owns nothing of the context and closes nothing."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name_operation,
        responses={"default": {"model": Problem, "description": "A problem document"}},
        middleware=[
            Middleware(Edge, context=context),
            Middleware(BodyLimit),
            Middleware(Authentication, context=context),
            Middleware(Repetition),
            Middleware(Idempotency),
        ],
        exception_handlers={HTTPException: _pass_on, RequestValidationError: _pass_on},
    )
    for router in ROUTERS:
        app.include_router(router, prefix=API_PATH)
    app.add_api_route("/healthz", platform.get_health, include_in_schema=False)
    _publish_reference(app)
    return app


def _publish_reference(app: FastAPI) -> None:
    # Made when it is first asked for: it takes longer to make than all routes together, and few ask.
    describe = cache(lambda: describe_api(app))
    router = APIRouter()

    @router.get("/openapi.json", include_in_schema=False)
    async def get_reference() -> Response:
        return JSONResponse(describe())

    app.include_router(router, prefix=API_PATH)


async def _pass_on(_: Request, fault: Exception) -> Response:
    """Leave the framework's refusals to the edge, so that open transactions see them too."""
    raise fault


def _name_operation(route: APIRoute) -> str:
    return route.name
