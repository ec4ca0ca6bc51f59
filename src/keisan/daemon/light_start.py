"""What a supervised process leaves out of its imports: of libraries, what nothing in it calls, and the collector's rounds.

Eleven platforms on two cores start at once in `keisan demo nation`; a test asks real processes what they have loaded.
"""

import gc
import sys
from types import ModuleType
from typing import Final

from keisan.wire.late import defer_models

# httpx's own command line, with a terminal's colours, and models of the last Pydantic, which FastAPI looks for. Both go on
# without: such is their way where these are not installed.
_ABSENT: Final = ("httpx._main", "pydantic.v1")
# Of SQLAlchemy's asynchronous engine, sessions of its object mapper, which storage has no use for; and uvicorn's command line.
_HOLLOW: Final = ("sqlalchemy.ext.asyncio.scoping", "sqlalchemy.ext.asyncio.session", "uvicorn.main")


class _Hollow(ModuleType):
    """A module in which every name is there, and stands for nothing."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__module__": self.__name__})


def begin_imports() -> None:
    """Leave out what is not needed, and let no collector look at what imports make, all of which stays."""
    gc.disable()
    defer_models()
    for name in _ABSENT:
        # Python's own way to say that a module is not to be found.
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # typeshed has modules only
    for name in _HOLLOW:
        sys.modules.setdefault(name, _Hollow(name))


def end_imports() -> None:
    """Take what was imported out of the collector's sight, and let it work again."""
    gc.freeze()
    gc.enable()
