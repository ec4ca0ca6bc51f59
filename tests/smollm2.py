"""The real model for tests: fetched once on this host through the package source, skipped by name offline, failed in CI."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from keisan.agent.folder import AgentFolder
from keisan.catalog.base import load_models
from keisan.daemon.folder import prepare_folder
from keisan.domain.errors import WeightsInvalid
from keisan.domain.model import ModelFacts
from keisan.kit.private_file import create_private_folder
from keisan.weights.base import WeightsRequest
from keisan.weights.package import PackageSource

NAME = "smollm2-135m-instruct"


@dataclass(frozen=True, slots=True)
class RealModel:
    """The catalogue's facts and the weight file on this host."""

    facts: ModelFacts
    path: Path


def keep_model() -> RealModel:
    """Return the model that ships in the catalogue; raises WeightsInvalid where it cannot be fetched.

    The first who asks fetches it, for all processes of this run and of later ones: a hundred megabytes are kept, and no more.
    """
    facts = next(model.facts for model in load_models() if model.facts.name == NAME)
    folder = Path(tempfile.gettempdir()) / f"keisan-weights-{os.getuid()}"
    create_private_folder(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        request = WeightsRequest(facts.weights, facts.weights_sha256, facts.weights_bytes, folder)
        return RealModel(facts, PackageSource(os.environ).fetch(request, lambda _done, _total: None))


def plant_weights(data: Path) -> None:
    """Put the weights where the site of a platform in `data` fetches them to, so that its first start downloads nothing.

    Where they cannot be had, that is the platform's to say, if it needs any.
    """
    weights = AgentFolder(prepare_folder(data).site).weights
    create_private_folder(weights)
    with suppress(WeightsInvalid):
        kept = keep_model().path
        planted = weights / kept.name
        if not planted.exists():
            # Not a link: platforms of a nation share no file, and it asks whether they do.
            shutil.copyfile(kept, planted)


@pytest.fixture(scope="session")
def real_model() -> RealModel:
    """The model that ships in the catalogue."""
    try:
        return keep_model()
    except WeightsInvalid as failure:
        reason = f"the weights of {NAME} cannot be fetched: {failure}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must not skip its tests")
        pytest.skip(reason)
