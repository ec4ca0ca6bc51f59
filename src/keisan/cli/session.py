"""What a command works with: the platform it speaks to, and how it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keisan.cli.output import Output
from keisan.domain.key import Secret
from keisan.sdk import AsyncKeisan


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """What the command line says of the platform; None where it says nothing."""

    platform_url: str | None = None
    gateway_url: str | None = None
    api_key: str | None = None
    data: Path | None = None
    ca_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to speak to and as whom; `open` is how, which tests replace."""

    platform_url: str
    gateway_url: str | None
    api_key: Secret
    ca_path: str | None = None

    def open(self) -> AsyncKeisan:
        """Return a client; the caller closes it."""
        return AsyncKeisan(self.platform_url, self.api_key.reveal(), gateway_url=self.gateway_url, ca_path=self.ca_path)


# Given by daemon, the only place that reads the environment and the data directory.
Resolve = Callable[[ConnectionOptions], Target]


@dataclass(frozen=True, slots=True)
class Session:
    """One command's run."""

    keisan: AsyncKeisan
    output: Output
    target: Target
