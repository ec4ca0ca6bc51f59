"""ETag and If-Match: one strong tag, required, and in this platform's own form."""

import pytest
from fastapi import Response

from keisan.api.version import read_expected_version, tag_version
from keisan.domain.errors import InvalidInput, PreconditionRequired
from keisan.wire.organization import OrganizationView
from tests.domain.samples import build_organization


def test_tag_is_read_as_it_was_written() -> None:
    response = Response()
    view = OrganizationView.model_validate(build_organization(version=12))
    assert tag_version(response, view) is view
    assert read_expected_version(response.headers["etag"]) == 12


def test_missing_tag_is_asked_for() -> None:
    with pytest.raises(PreconditionRequired):
        read_expected_version(None)


@pytest.mark.parametrize("header", ["*", "1", 'W/"1"', '"1", "2"', '"x"', '"-1"', "", '"' + "9" * 19 + '"'])
def test_other_forms_are_refused(header: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_expected_version(header)
    assert refused.value.field == "If-Match"
