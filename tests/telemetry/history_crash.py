"""Processes that end in the middle of keeping history, at each call that changes the disk."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.telemetry.history_stage import HistoryStage


class CrashError(BaseException):
    """The process ends here."""


def crash_at(target: object, names: Mapping[str, bool], count: list[int], at: int) -> None:
    """Let the `at`-th of all calls that change the disk be the last: before it is done, or right after."""
    for name in names:
        usual: Callable[..., Any] = getattr(target, name)

        def call(*arguments: Any, usual: Callable[..., Any] = usual, **options: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                raise CrashError
            found = usual(*arguments, **options)
            count[0] += 1
            if count[0] == at:
                raise CrashError
            return found

        object.__setattr__(target, name, call)


EFFECTS = {
    "shelf.store": {"put_manifest": True, "put_file": True, "open_file": True, "remove": True},
    "folding.seen": {"add": True},
    "folding.journal": {"remove": True},
}


class Open:
    """Passes on to an object with slots, so that calls can be replaced."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def let_crash(stage: HistoryStage, count: list[int], at: int) -> None:
    for name, effects in EFFECTS.items():
        part, attribute = name.split(".")
        owner = getattr(stage.keeper, part)
        opened = Open(getattr(owner, attribute))
        crash_at(opened, effects, count, at)
        setattr(owner, attribute, opened)
