"""The one-time token with which a machine joins, as a file hands it to its process."""

import re
from pathlib import Path

from keisan.domain.errors import SettingsInvalid
from keisan.domain.key import Secret
from keisan.domain.limits import NAME_CHARACTERS_MAX

# What the request to join takes.
_TOKEN = re.compile(rf"[!-~]{{1,{NAME_CHARACTERS_MAX}}}")


def read_join_token(path: Path | None) -> Secret | None:
    """Return the one-time token in a file, None if there is none; one that has joined needs none.

    Raises SettingsInvalid for a file that cannot be read or holds something else, which it does not quote.
    """
    if path is None:
        return None
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsInvalid(
            f"{path}: expected a file with a join token that can be read", inside=type(fault).__name__
        ) from None
    if text and not _TOKEN.fullmatch(text):
        raise SettingsInvalid(f"{path}: expected a join token, got something else")
    return Secret(text) if text else None
