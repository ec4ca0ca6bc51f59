"""Question: how many devices a second does each maker's parser read, and what does a site of eight cards cost per sample?

Method: each recorded form under tests/devices/samples is recognized and parsed again and again, in one thread.
Reference: splitting the same text into words, in the same run: what reading it at all costs in Python.
Wrong if: a text is not read as its maker's or with other devices than it has, or one takes over 1 % of a second per device.
"""

import argparse
import json
import statistics
import time

from keisan.devices.recognize import recognize
from tests.devices.sample_files import MAKERS, SampleFile, list_samples

ROUNDS = 2_000
QUICK_ROUNDS = 50
DEVICE_S_MAX = 0.01


def read_once(sample: SampleFile, text: str) -> None:
    """Recognize and parse a text as its driver does."""
    parser = recognize(text)
    assert parser is not None, sample.path
    readings = parser.parse(text)
    assert parser.vendor == sample.vendor, sample.path
    assert len(readings) == sample.devices, sample.path


def measure_form(sample: SampleFile, rounds: int) -> dict[str, object]:
    """Return what one form costs per text, and how often that is what splitting it costs."""
    text = sample.text
    read_ns, split_ns = [], []
    for _ in range(rounds):
        started = time.perf_counter_ns()
        read_once(sample, text)
        between = time.perf_counter_ns()
        text.split()
        read_ns.append(between - started)
        split_ns.append(time.perf_counter_ns() - between)
    cuts = statistics.quantiles(read_ns, n=100)
    p50_ns = statistics.median(read_ns)
    assert p50_ns < DEVICE_S_MAX * 1e9 * sample.devices, (sample.path, p50_ns)
    return {
        "devices": sample.devices,
        "bytes": len(text),
        "p50_us": round(p50_ns / 1000, 1),
        "p99_us": round(cuts[98] / 1000, 1),
        "spread_us": [round(min(read_ns) / 1000, 1), round(max(read_ns) / 1000, 1)],
        "devices_per_s": round(sample.devices / (p50_ns / 1e9)),
        "ratio_to_split": round(p50_ns / statistics.median(split_ns), 1),
    }


def main() -> None:
    """Measure every form and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it works")
    rounds = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
    samples = [sample for sample in list_samples() if sample.vendor in MAKERS and sample.devices]
    forms = {f"{sample.path.parent.name}/{sample.path.name}": measure_form(sample, rounds) for sample in samples}
    slowest = min(forms, key=lambda name: int(str(forms[name]["devices_per_s"])))
    print(
        json.dumps(
            {
                "bench": "devices_parse",
                "n": rounds,
                "p50_us": forms[slowest]["p50_us"],
                "p99_us": forms[slowest]["p99_us"],
                "spread_us": forms[slowest]["spread_us"],
                "ratio_to_split": forms[slowest]["ratio_to_split"],
                "slowest": slowest,
                "forms": forms,
            }
        )
    )


if __name__ == "__main__":
    main()
