"""Surveys of facilities that are not connected."""

from collections.abc import AsyncGenerator

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.facility import UploadAnswer
from keisan.wire.page import Page
from keisan.wire.survey import SurveyLineView, SurveyWithdraw, SurveyWithdrawn


class AsyncSurveys:
    """Surveys, public on the platform; platform administrators write them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[SurveyLineView, None]:
        """Iterate over the lines of all surveys; pages are fetched as they are needed."""
        return self._transport.walk(Page[SurveyLineView], "/surveys")

    async def upload(self, content: bytes) -> UploadAnswer:
        """Hand in a table (CSV), which replaces each survey (source and date) that it has lines of.

        Raises TableInvalid with every bad line, and then took none.
        """
        return await self._transport.upload(UploadAnswer, "/surveys/upload", content, CSV_TYPE)

    async def withdraw(self, body: SurveyWithdraw) -> SurveyWithdrawn:
        """Delete a survey; raises NotFound."""
        return await self._transport.write(SurveyWithdrawn, "POST", "/surveys/withdraw", body)


class Surveys(Blocking[AsyncSurveys]):
    """Surveys, public on the platform; platform administrators write them."""

    list = iterate(AsyncSurveys.list)
    upload = wait_for(AsyncSurveys.upload)
    withdraw = wait_for(AsyncSurveys.withdraw)
