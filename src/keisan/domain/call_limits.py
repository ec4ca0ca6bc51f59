"""What bounds the calls of an organization, a project or a key; each layer's bounds hold together with those above it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Each is at least 1, or None where there is no bound; `tokens_per_minute` counts input and output together."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    calls_open_max: int | None = None
    body_bytes_max: int | None = None

    def find_wider(self, than: "CallLimits") -> str | None:
        """Return the first bound of another that these do not keep, None if there is none."""
        for name in CallLimits.__slots__:
            bound, own = getattr(than, name), getattr(self, name)
            if bound is not None and (own is None or own > bound):
                return name
        return None
