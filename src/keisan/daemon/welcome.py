"""What is printed when a platform is ready: addresses, the key once, and a call to paste; or one JSON object."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from keisan.domain.key import Secret

QUESTION = "What is the capital of Japan?"


@dataclass(frozen=True, slots=True)
class Ready:
    """Where it answers; `api_key` is the first key, None unless it has never been shown; `ca_path` is for https."""

    gateway_url: str
    platform_url: str
    api_key: Secret | None
    model: str
    ca_path: Path | None = None


def print_ready(ready: Ready, *, is_json: bool) -> None:
    """Print it to standard output, out of this process when it returns."""
    sys.stdout.write((format_json(ready) if is_json else format_welcome(ready)) + "\n")
    sys.stdout.flush()


def format_json(ready: Ready) -> str:
    """Return the one object for scripts."""
    api_key = ready.api_key.reveal() if ready.api_key else None
    return json.dumps({"gateway_url": ready.gateway_url, "platform_url": ready.platform_url, "api_key": api_key})


def format_welcome(ready: Ready) -> str:
    """Return what a person reads; the call works when pasted, on later starts with the key in KEISAN_API_KEY."""
    key = f"{ready.api_key.reveal()}   (shown this once)" if ready.api_key else "as before"
    return (
        f"\nkeisan is ready (Ctrl-C stops it)\n\n"
        f"  gateway   {ready.gateway_url}/v1\n"
        f"  platform  {ready.platform_url}\n"
        f"  key       {key}\n"
        f"  model     {ready.model}\n\n"
        f"{format_call(ready)}\n"
    )


def format_call(ready: Ready) -> str:
    """Return a curl line that asks the model a question."""
    body = {
        "model": ready.model,
        "temperature": 0,
        "messages": [{"role": "user", "content": QUESTION}],
    }
    key = ready.api_key.reveal() if ready.api_key else "$KEISAN_API_KEY"
    trust = f" --cacert {shlex.quote(str(ready.ca_path))}" if ready.ca_path else ""
    return (
        f"curl -s{trust} {ready.gateway_url}/v1/chat/completions \\\n"
        f'  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(json.dumps(body))}"
    )
