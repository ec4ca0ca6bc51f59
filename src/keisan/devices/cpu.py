"""The CPU as a device: one per node, what a model runs on where there is no accelerator."""

import platform
from pathlib import Path

from keisan.domain.verdict import Verdict
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport

CPU_FACTS_PATH = Path("/proc/cpuinfo")
CHIP_BY_ARCHITECTURE = {"x86_64": "cpu-x86-64", "amd64": "cpu-x86-64", "aarch64": "cpu-aarch64", "arm64": "cpu-aarch64"}
# /proc/cpuinfo names the model under "model name" on x86-64 and under "Model" on some aarch64 boards, else nowhere.
_NAME_FIELDS = ("model name", "model")


class CpuDriver:
    """The processors of this host, taken as one device with the host's memory."""

    name = "cpu"

    def read_devices(self, node: NodeReport) -> tuple[DeviceReport, ...]:
        """Return the one CPU device; its hardware id is the node's, so it is as stable as that."""
        architecture = platform.machine().lower()
        device = DeviceReport(
            hardware_id=f"cpu-{node.hardware_id}",
            node_hardware_id=node.hardware_id,
            chip=CHIP_BY_ARCHITECTURE.get(architecture, f"cpu-{architecture.replace('_', '-') or 'unknown'}"),
            name=f"{read_cpu_name() or architecture} ({node.cpu_count} cores)",
            memory_bytes=node.memory_bytes,
            verdict=Verdict.OK,
        )
        return (device,)


def read_cpu_name(path: Path = CPU_FACTS_PATH) -> str:
    """Return the processor's name as the kernel tells it, at most 200 characters, empty where it does not."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        field, _, text = line.partition(":")
        if field.strip().lower() in _NAME_FIELDS and not text.strip().isdigit():
            return " ".join(text.split())[:200]
    return ""
