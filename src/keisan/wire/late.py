"""Models that are made when they are first used: hundreds are imported by a process that will see a few of them."""

from pydantic import BaseModel


def defer_models() -> None:
    """Have every model that is declared from now on make what checks it when one first comes, and not as it is imported."""
    BaseModel.model_config["defer_build"] = True
