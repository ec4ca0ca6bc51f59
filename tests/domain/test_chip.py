"""What a policy can ask of a chip."""

from keisan.domain.chip import list_facts
from keisan.domain.evidence import Grade
from keisan.domain.fact import Fact, FactName
from tests.domain.samples import build_chip


def test_facts_are_the_catalogue_s_and_the_chip_itself() -> None:
    assert list_facts(build_chip("nvidia-h20", vendor=("NVIDIA",), advisory=())) == {
        FactName.CHIP: Fact(("nvidia-h20",), Grade.MEASURED),
        FactName.VENDOR: Fact(("NVIDIA",), Grade.VENDOR),
        FactName.ADVISORY: Fact((), Grade.VENDOR),
    }
