"""Versions of nouns on HTTP: ETag out, If-Match in."""

import re
from typing import Annotated, Protocol, TypeVar

from fastapi import Depends, Header, Response

from keisan.domain.errors import InvalidInput, PreconditionRequired

_ETAG = re.compile(r'"(\d{1,18})"')


class Versioned(Protocol):
    """A view with a version."""

    @property
    def version(self) -> int: ...


View = TypeVar("View", bound=Versioned)


def tag_version(response: Response, view: View) -> View:
    """Put a view's version into the answer's ETag and return the view."""
    response.headers["etag"] = f'"{view.version}"'
    return view


def read_expected_version(if_match: Annotated[str | None, Header(alias="If-Match")] = None) -> int:
    """Return the version that If-Match names.

    Raises PreconditionRequired without it, InvalidInput unless it is one strong ETag of this platform.
    """
    if if_match is None:
        raise PreconditionRequired("this needs the header If-Match with the ETag of what you saw")
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise InvalidInput('expected one ETag as this platform gives it, for example "3"', "If-Match")
    return int(match[1])


ExpectedVersion = Annotated[int, Depends(read_expected_version)]
