"""NVIDIA's nvidia-smi: the XML log, CSV queries, and the state and errors of NVLink."""

import re
from typing import Final

from keisan.devices.query_text import build_reading, read_query
from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way
from keisan.devices.xml_text import find_products, read_xml_log
from keisan.domain.sample import SampleName

VENDOR: Final = "nvidia"
# Names without the maker's are of products from before 2020.
_NAME: Final = re.compile(r"(NVIDIA|Tesla|Quadro|GeForce|GRID|TITAN)\b")
_LINK_HEAD: Final = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[0-9a-f-]+)\)")
_LINK: Final = re.compile(r"\s+Link (\d+): (.+)")
_FIELDS: Final = (
    "index,name,uuid,serial,pci.bus_id,driver_version,memory.total,memory.used,utilization.gpu,"
    "temperature.gpu,temperature.memory,power.draw,power.limit,clocks.sm,clocks.mem,fan.speed,clocks_throttle_reasons.active"
)
_LOG: Final = Query(("-q", "-x"))
TOOL: Final = Tool(
    "nvidia-smi",
    (
        Way(
            inventory=(_LOG,),
            samples=(Query((f"--query-gpu={_FIELDS}", "--format=csv")),),
            dear=(_LOG, Query(("nvlink", "-s")), Query(("nvlink", "-e"))),
        ),
    ),
)


def is_nvidia(text: str) -> bool:
    """Tell whether it is one of the three forms, about products of NVIDIA."""
    if "<nvidia_smi_log>" in text:
        return any(_NAME.match(product) for product in find_products(text))
    if _LINK_HEAD.match(text.lstrip()):
        return True
    return any(_NAME.match(row.get("name", "")) for row in read_query(text))


def parse_nvidia(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    if text.lstrip().startswith("<"):
        return read_xml_log(text, VENDOR)
    if _LINK_HEAD.match(text.lstrip()):
        return _parse_links(text)
    return tuple(build_reading(row, VENDOR) for row in read_query(text))


def _parse_links(text: str) -> tuple[DeviceReading, ...]:
    """Return how many links are up, of `nvlink -s`, or how many errors they counted, of `nvlink -e`."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        head, link = _LINK_HEAD.match(line), _LINK.match(line)
        if head is not None:
            found.append((head, []))
        elif link is not None and found:
            found[-1][1].append(link.group(2))
    return tuple(
        DeviceReading(VENDOR, name=head.group(2), uuid=head.group(3), number=head.group(1), values=_count_links(links))
        for head, links in found
    )


def _count_links(links: list[str]) -> dict[SampleName, float | None]:
    errors = [int(link.rpartition(":")[2]) for link in links if re.search(r"Errors?: \d+$", link)]
    if errors:
        return {SampleName.LINK_ERROR_COUNT: float(sum(errors))}
    return {SampleName.LINK_UP_COUNT: float(sum(link.strip().endswith("GB/s") for link in links))}


PARSER: Final = Parser(VENDOR, is_nvidia, parse_nvidia)
