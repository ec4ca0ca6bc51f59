"""The code of docs/how-to/receive-alerts.md, run as it stands there."""

import re
from collections.abc import Callable

from tests.docs.page import load_page

PAGE = "docs/how-to/receive-alerts.md"
CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

IsGenuine = Callable[[str, str, bytes, float], bool]


def load_check() -> IsGenuine:
    """Return the page's check of a signature."""
    [code] = CODE.findall(load_page(PAGE).text)
    space: dict[str, IsGenuine] = {}
    exec(compile(code, PAGE, "exec"), space)  # the page is ours, and is to be run as it stands
    return space["is_genuine"]
