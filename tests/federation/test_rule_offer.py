"""What a platform offers: what has a price and weights, best verdict first, the silent ones kept."""

from dataclasses import replace

from keisan.domain.verdict import Verdict
from keisan.federation.rule_offer import OwnSupply, draw_offers
from tests.domain.samples import (
    MODEL_ID,
    SITE_ID,
    build_chip,
    build_model,
    build_price,
    build_replica,
    name_id,
)

SUPPLY = OwnSupply(
    replicas=[build_replica(slots=4)],
    models={MODEL_ID: build_model()},
    prices={MODEL_ID: build_price()},
    regions={SITE_ID: "CN-SX"},
    chips={"cpu-x86-64": build_chip(vendor=("AMD",))},
)
NAME = build_model().facts.name


def test_one_offer_stands_for_replicas_of_the_same_weights_on_the_same_chip() -> None:
    replicas = [
        build_replica(slots=4, verdict=Verdict.OK),
        build_replica(id=name_id(12, 2), slots=2, verdict=Verdict.OK),
    ]
    (body,) = draw_offers(replace(SUPPLY, replicas=replicas)).values()
    assert (body.model, body.region, body.slots, body.verdict) == (NAME, "CN-SX", 6, "ok")
    assert (body.price_id, body.price_version) == (str(build_price().id), build_price().version)
    assert body.facts["vendor"].values == ("AMD",)
    assert body.nano_per_million == {str(name): str(nano) for name, nano in build_price().nano_per_million.items()}


def test_other_weights_are_another_offer() -> None:
    other = build_replica(id=name_id(12, 2), model_digest="sha256:" + "1" * 64)
    assert len(draw_offers(replace(SUPPLY, replicas=[build_replica(), other]))) == 2


def test_a_silent_replica_stays_offered_as_unknown() -> None:
    silent = build_replica(slots=3, verdict=Verdict.UNKNOWN)
    failed = build_replica(id=name_id(12, 2), slots=5, verdict=Verdict.FAILED)
    (body,) = draw_offers(replace(SUPPLY, replicas=[failed, silent])).values()
    assert (body.verdict, body.slots) == ("unknown", 3)


def test_what_has_no_price_no_weights_or_is_not_wanted_is_not_offered() -> None:
    assert draw_offers(replace(SUPPLY, prices={})) == {}
    assert draw_offers(replace(SUPPLY, replicas=[build_replica(model_digest="")])) == {}
    assert draw_offers(replace(SUPPLY, wanted=("another",))) == {}
    assert len(draw_offers(replace(SUPPLY, wanted=(NAME,)))) == 1
