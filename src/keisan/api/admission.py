"""Admissions of organizations at other platforms over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import admission as commands
from keisan.domain.ids import AdmissionId
from keisan.wire.admission import AdmissionCreate, AdmissionView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/admissions", tags=["admissions"])


@router.get("")
async def list_admissions(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[AdmissionView]:
    async with caller.read() as view:
        found = await view.admissions.list(caller.scope, read_page(query))
    return build_page(found, AdmissionView.model_validate)


@router.get("/{admission_id}")
async def get_admission(caller: CallerOf, admission_id: UUID, response: Response) -> AdmissionView:
    async with caller.read() as view:
        found = await view.admissions.get(caller.scope, AdmissionId(admission_id))
    return tag_version(response, AdmissionView.model_validate(found))


@router.post("", status_code=201)
async def admit_organization(caller: CallerOf, body: AdmissionCreate, response: Response) -> AdmissionView:
    made = await commands.admit_organization(caller.control, caller.principal, body)
    return tag_version(response, AdmissionView.model_validate(made))


@router.delete("/{admission_id}")
async def end_admission(caller: CallerOf, admission_id: UUID, expected_version: ExpectedVersion) -> AdmissionView:
    ended = await commands.end_admission(caller.control, caller.principal, AdmissionId(admission_id), expected_version)
    return AdmissionView.model_validate(ended)
