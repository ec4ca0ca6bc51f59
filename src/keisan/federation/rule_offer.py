"""What a platform offers to others, of its own replicas and prices. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from keisan.domain.chip import Chip
from keisan.domain.ids import ModelId, SiteId
from keisan.domain.model import Model
from keisan.domain.price import Price
from keisan.domain.replica import Replica
from keisan.domain.verdict import Verdict
from keisan.wire.offer_letter import OfferedFactBody, PlatformOfferBody, name_offer

# A model is offered as well as the best of its replicas is.
_BEST_FIRST = (Verdict.OK, Verdict.UNKNOWN, Verdict.FAILED)


@dataclass(frozen=True, slots=True)
class OwnSupply:
    """What there is to offer: replicas that serve, with their models, prices in force, regions of sites, and known chips.

    `wanted` are the names of the models that may be offered, None for all.
    """

    replicas: Iterable[Replica]
    models: Mapping[ModelId, Model]
    prices: Mapping[ModelId, Price]
    regions: Mapping[SiteId, str]
    chips: Mapping[str, Chip]
    wanted: Collection[str] | None = None


def draw_offers(supply: OwnSupply) -> dict[str, PlatformOfferBody]:
    """Return the offers by the names of their registers: one for each model, its weights, region and chip.

    What has no price, or no digest of its weights yet, is not offered. A silent replica stays in the offer, as unknown.
    """
    groups: dict[tuple[ModelId, str, str, str], list[Replica]] = {}
    for replica in supply.replicas:
        if _is_offered(replica, supply):
            key = (replica.model_id, replica.model_digest, supply.regions[replica.site_id], replica.chip)
            groups.setdefault(key, []).append(replica)
    offers = {}
    for (model_id, digest, region, chip), replicas in groups.items():
        model = supply.models[model_id].facts.name
        body = _draw_offer((model, digest, region, chip), replicas, supply.prices[model_id], supply.chips.get(chip))
        offers[name_offer(model, digest, region, chip)] = body
    return offers


def _is_offered(replica: Replica, supply: OwnSupply) -> bool:
    model = supply.models.get(replica.model_id)
    if model is None or replica.model_id not in supply.prices or not replica.model_digest:
        return False
    return supply.wanted is None or model.facts.name in supply.wanted


def _draw_offer(
    named: tuple[str, str, str, str], replicas: list[Replica], price: Price, chip: Chip | None
) -> PlatformOfferBody:
    model, digest, region, chip_id = named
    verdict = next(each for each in _BEST_FIRST if any(replica.verdict is each for replica in replicas))
    return PlatformOfferBody(
        model=model,
        model_digest=digest,
        region=region,
        chip=chip_id,
        facts={} if chip is None else _list_facts(chip),
        verdict=verdict,
        slots=sum(replica.slots for replica in replicas if replica.verdict is verdict),
        price_id=str(price.id),
        price_version=price.version,
        currency=price.currency,
        nano_per_million={str(name): str(nano) for name, nano in price.nano_per_million.items()},
    )


def _list_facts(chip: Chip) -> dict[str, OfferedFactBody]:
    return {str(name): OfferedFactBody(fact.values, fact.evidence.grade) for name, fact in chip.facts.items()}
