"""The real model for tests: fetched once a run through the package source, skipped by name offline, failed in CI."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keisan.catalog.base import load_models
from keisan.domain.errors import WeightsInvalid
from keisan.domain.model import ModelFacts
from keisan.weights.base import WeightsRequest
from keisan.weights.package import PackageSource

NAME = "smollm2-135m-instruct"


@dataclass(frozen=True, slots=True)
class RealModel:
    """The catalogue's facts and the weight file on this host."""

    facts: ModelFacts
    path: Path


@pytest.fixture(scope="session")
def real_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealModel]:
    """The model that ships in the catalogue."""
    facts = next(model.facts for model in load_models() if model.facts.name == NAME)
    request = WeightsRequest(
        facts.weights, facts.weights_sha256, facts.weights_bytes, tmp_path_factory.mktemp("weights")
    )
    try:
        path = PackageSource(os.environ).fetch(request, lambda _done, _total: None)
    except WeightsInvalid as failure:
        reason = f"the weights of {NAME} cannot be fetched: {failure}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must not skip its tests")
        pytest.skip(reason)
    yield RealModel(facts, path)
    # pytest keeps the folders of the last three runs; a hundred megabytes each is too much to keep.
    path.unlink()
