"""A resolution as the API shows it."""

from keisan.domain.ids import PlatformId
from keisan.federation.resolve import Resolution
from keisan.wire.resolution import ResolutionView


def test_a_resolution_is_shown_whole() -> None:
    found = Resolution(
        "cn.sx:platform:self:00", PlatformId("a" * 64), "CN-SX", "", "Shanxi", (PlatformId("a" * 64),), False, 5
    )
    assert ResolutionView.model_validate(found).model_dump()["path"] == ("a" * 64,)
