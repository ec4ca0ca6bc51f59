"""Question: how long from `keisan up` to the first answer of a real model?

Method: start in a new directory (weights are fetched), ask, stop; then again in it, ROUNDS times; process start to answer.
Reference: DESIGN section 7 asks for at most 15 s on 2 cores. Wrong if: a start answers later, or without Tokyo.
"""

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

ROUNDS = 5
QUICK_ROUNDS = 2
TARGET_S = 15.0
MODEL = "smollm2-135m-instruct"
KEISAN = Path(sys.executable).with_name("keisan")


def ask(gateway_url: str, key: str) -> str:
    """Ask one question and return the answer's text."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "What is the capital of Japan?"}],
        "temperature": 0,
    }
    answer = httpx.post(
        f"{gateway_url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}, timeout=60
    )
    answer.raise_for_status()
    text = answer.json()["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


def measure_start(data: Path, key: str | None) -> tuple[float, str]:
    """Start, ask, stop; return the seconds to the answer and the key that asked."""
    command = [
        str(KEISAN),
        "up",
        "--json",
        "--data",
        str(data),
        "--gateway",
        "127.0.0.1:0",
        "--platform",
        "127.0.0.1:0",
    ]
    started_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            ready: dict[str, Any] = json.loads(process.stdout.readline())
            key = ready["api_key"] or key
            assert key is not None, "a first start shows a key"
            assert "Tokyo" in ask(ready["gateway_url"], key)
            return time.monotonic() - started_s, key
        finally:
            process.send_signal(signal.SIGINT)


def main() -> None:
    """Measure and print one JSON line."""
    rounds = QUICK_ROUNDS if "--quick" in sys.argv else ROUNDS
    with tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp") as folder:
        data = Path(folder) / "data"
        first_s, key = measure_start(data, None)
        later_s = [measure_start(data, key)[0] for _ in range(rounds)]
    print(
        json.dumps(
            {
                "bench": "daemon_first_answer",
                "n": rounds,
                "first_start_s": round(first_s, 2),
                "later_start_p50_s": round(statistics.median(later_s), 2),
                "later_start_spread_s": [round(min(later_s), 2), round(max(later_s), 2)],
                "ratio_to_target": round(first_s / TARGET_S, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
