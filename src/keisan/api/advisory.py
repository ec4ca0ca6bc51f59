"""Advisories over HTTP."""

from fastapi import APIRouter

from keisan.api.context import CallerOf
from keisan.domain.catalog import list_under
from keisan.wire.advisory import AdvisoryView
from keisan.wire.evidence import EvidenceView
from keisan.wire.page import Page

router = APIRouter(prefix="/advisories", tags=["advisories"])


@router.get("")
async def list_advisories(caller: CallerOf) -> Page[AdvisoryView]:
    catalog = caller.read_catalog()
    return Page(
        items=tuple(
            AdvisoryView(
                id=advisory.id,
                title=advisory.title,
                issuer=advisory.issuer,
                severity=advisory.severity,
                issued_on=advisory.issued_on,
                summary=advisory.summary,
                evidence=EvidenceView.model_validate(advisory.evidence),
                chips=list_under(catalog, advisory.id),
            )
            for advisory in catalog.advisories.values()
        )
    )
