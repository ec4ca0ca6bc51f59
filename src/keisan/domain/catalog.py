"""The catalogue as one value: chips, makers, advisories and compatibility, and that they name each other rightly."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from keisan.domain.advisory import Advisory
from keisan.domain.chip import Chip, list_names
from keisan.domain.compatibility import Compatibility
from keisan.domain.errors import InvalidInput
from keisan.domain.fact import FactName
from keisan.domain.maker import Maker, MakerPart

# Facts that name makers, and what those must do.
MADE_BY = {FactName.VENDOR: MakerPart.DESIGNER, FactName.FABRICATED_BY: MakerPart.FOUNDRY}


@dataclass(frozen=True, slots=True)
class Catalog:
    """Records by id; compatibility in the order of its files."""

    chips: Mapping[str, Chip] = field(default_factory=dict)
    makers: Mapping[str, Maker] = field(default_factory=dict)
    advisories: Mapping[str, Advisory] = field(default_factory=dict)
    compatibilities: tuple[Compatibility, ...] = ()


def check_catalog(catalog: Catalog) -> Catalog:
    """Return the catalogue, of which each part names only what is there.

    Raises InvalidInput naming all that is not: advisories, makers without the part that they are named for, chips of
    compatibility; or a name that two chips have.
    """
    list_names(catalog.chips.values())
    faults = [*_list_chip_faults(catalog), *_list_compatibility_faults(catalog)]
    if faults:
        raise InvalidInput("; ".join(faults), "catalog")
    return catalog


def find_maker(makers: Mapping[str, Maker], named: str) -> Maker | None:
    """Return the maker that a fact of a chip names."""
    return makers.get(named.lower())


def list_under(catalog: Catalog, advisory_id: str) -> tuple[str, ...]:
    """Return the ids of the chips under an advisory."""
    facts = {chip.id: chip.facts.get(FactName.ADVISORY) for chip in catalog.chips.values()}
    return tuple(sorted(chip_id for chip_id, fact in facts.items() if fact and advisory_id in fact.values))


def _list_chip_faults(catalog: Catalog) -> Iterator[str]:
    for chip in catalog.chips.values():
        advisory = chip.facts.get(FactName.ADVISORY)
        for named in advisory.values if advisory else ():
            if named not in catalog.advisories:
                yield f"{chip.id} is under {named}, and there is no such advisory"
        for fact, part in MADE_BY.items():
            known = chip.facts.get(fact)
            for named in known.values if known else ():
                maker = find_maker(catalog.makers, named)
                if maker is None or part not in maker.parts:
                    yield f"{fact} of {chip.id} is {named}, and there is no such {part}"


def _list_compatibility_faults(catalog: Catalog) -> Iterable[str]:
    unknown = sorted({record.chip for record in catalog.compatibilities} - catalog.chips.keys())
    return (f"there is no chip {chip} that compatibility could be of" for chip in unknown)
