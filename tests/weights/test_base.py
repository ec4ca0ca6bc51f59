"""References: a scheme and what follows it."""

import pytest

from keisan.domain.errors import WeightsInvalid
from keisan.weights.base import split_reference


def test_what_follows_the_scheme_is_kept_whole() -> None:
    assert split_reference("path:/srv/a:b.gguf", "path") == "/srv/a:b.gguf"


@pytest.mark.parametrize("reference", ["path:", "path", "package:x", "Path:/x", ""])
def test_another_scheme_or_nothing_is_refused(reference: str) -> None:
    with pytest.raises(WeightsInvalid, match="path:"):
        split_reference(reference, "path")
