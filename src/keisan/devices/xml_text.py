"""Device logs in XML as `nvidia-smi -q -x` writes them, and tools that took its form."""

import re
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from keisan.devices.quantity import add_known, clean_text, share_permille, take_kib_per_s, take_mib, take_number
from keisan.devices.query_text import encode_throttle
from keisan.devices.tool import DeviceReading, keep_facts, normalize_place
from keisan.domain.sample import SampleName, Throttle
from keisan.domain.verdict import Verdict

_PRODUCT: Final = re.compile(r"<product_name>\s*([^<]+?)\s*</product_name>")
_POWERS: Final = ("gpu_power_readings", "power_readings", "module_power_readings")
_REASONS: Final = {
    "sw_power_cap": Throttle.POWER,
    "hw_power_brake_slowdown": Throttle.POWER,
    "hw_thermal_slowdown": Throttle.HEAT,
    "sw_thermal_slowdown": Throttle.HEAT,
    "hw_slowdown": Throttle.HARDWARE,
    "sync_boost": Throttle.OTHER,
}


def find_products(text: str) -> tuple[str, ...]:
    """Return the products that a log names, without reading it whole."""
    return tuple(_PRODUCT.findall(text))


def parse_xml(text: str) -> Element | None:
    """Return the root element, None for what is not XML."""
    if not text.lstrip().startswith("<"):
        return None
    try:
        # Our own host's tool wrote it, within OUTPUT_BYTES_MAX; expat bounds the expansion of entities, and loads no file.
        return fromstring(text.strip())  # noqa: S314
    except ParseError:
        return None


def read_xml_log(text: str, vendor: str) -> tuple[DeviceReading, ...]:
    """Return a reading for each <gpu> of a log."""
    root = parse_xml(text)
    if root is None:
        return ()
    driver = clean_text(root.findtext("driver_version"))
    return tuple(_read_gpu(element, vendor, driver) for element in root.findall("gpu"))


def _find(element: Element, *paths: str) -> str:
    found = (clean_text(element.findtext(path)) for path in paths)
    return next((text for text in found if text), "")


def _read_gpu(element: Element, vendor: str, driver: str) -> DeviceReading:
    return DeviceReading(
        vendor=vendor,
        name=_find(element, "product_name"),
        uuid=_find(element, "uuid"),
        serial=_find(element, "serial"),
        place=normalize_place(_find(element, "pci/pci_bus_id") or element.get("id")),
        memory_mib=take_mib(_find(element, "fb_memory_usage/total", "memory_usage/total")),
        verdict=_judge(element),
        values=_read_values(element),
        facts=keep_facts(
            {
                "driver_version": driver,
                "firmware_version": _find(element, "vbios_version"),
                "part_number": _find(element, "gpu_part_number"),
                "architecture": _find(element, "product_architecture"),
            }
        ),
    )


def _read_values(element: Element) -> dict[SampleName, float | None]:
    names = SampleName
    draw = _find(element, *(f"{power}/{tag}" for power in _POWERS for tag in _list_draws()))
    limit = _find(element, *(f"{power}/{tag}" for power in _POWERS for tag in _list_limits()))
    processes = element.find("processes")
    used, total = (
        take_mib(_find(element, f"fb_memory_usage/{tag}", f"memory_usage/{tag}")) for tag in ("used", "total")
    )
    return {
        names.UTILIZATION_PERMILLE: take_number(_find(element, "utilization/gpu_util"), 10),
        names.MEMORY_USED_MIB: used,
        # Not what the tool calls memory_util, which is how busy its bus is.
        names.MEMORY_UTILIZATION_PERMILLE: share_permille(used, total),
        names.TEMPERATURE_MILLICELSIUS: take_number(_find(element, "temperature/gpu_temp"), 1000),
        names.MEMORY_TEMPERATURE_MILLICELSIUS: take_number(_find(element, "temperature/memory_temp"), 1000),
        names.POWER_MILLIWATTS: take_number(draw, 1000),
        names.POWER_LIMIT_MILLIWATTS: take_number(limit, 1000),
        names.CLOCK_MHZ: take_number(_find(element, "clocks/sm_clock", "clocks/graphics_clock")),
        names.MEMORY_CLOCK_MHZ: take_number(_find(element, "clocks/mem_clock")),
        names.FAN_PERMILLE: take_number(_find(element, "fan_speed"), 10),
        names.THROTTLE_FLAGS: _read_throttle(element),
        names.HOST_RECEIVE_KIB_PER_S: take_kib_per_s(_find(element, "pci/rx_util")),
        names.HOST_TRANSMIT_KIB_PER_S: take_kib_per_s(_find(element, "pci/tx_util")),
        names.PROCESS_COUNT: None if processes is None else float(len(processes.findall("process_info"))),
        names.ECC_CORRECTED_COUNT: _count_errors(element, is_corrected=True),
        names.ECC_UNCORRECTED_COUNT: _count_errors(element, is_corrected=False),
        names.RETIRED_PAGE_COUNT: _count_retired(element),
    }


def _list_draws() -> Iterable[str]:
    return ("power_draw", "average_power_draw", "instant_power_draw", "gpu_power_draw", "board_power_draw")


def _list_limits() -> Iterable[str]:
    return ("current_power_limit", "enforced_power_limit", "power_limit", "current_gpu_power_limit")


def _read_throttle(element: Element) -> float | None:
    """Return the reasons that are active; the element and its children were renamed once."""
    for kind in ("clocks_event_reason", "clocks_throttle_reason"):
        reasons = element.find(f"{kind}s")
        if reasons is not None:
            active = {child.tag.removeprefix(f"{kind}_") for child in reasons if child.text == "Active"}
            return float(encode_throttle({_REASONS[name] for name in active if name in _REASONS}))
    return None


def _count_errors(element: Element, *, is_corrected: bool) -> float | None:
    """Return the errors of memory since the device was made: sums over places of the newer form, totals of the older."""
    aggregate = element.find("ecc_errors/aggregate")
    if aggregate is None:
        return None
    old = aggregate.find("single_bit/total" if is_corrected else "double_bit/total")
    if old is not None:
        return take_number(old.text)
    counted = [child for child in aggregate if "correctable" in child.tag]
    return add_known(*(take_number(child.text) for child in counted if ("uncorrectable" in child.tag) != is_corrected))


def _count_retired(element: Element) -> float | None:
    kinds = ("multiple_single_bit_retirement", "double_bit_retirement")
    retired = (take_number(_find(element, f"retired_pages/{kind}/retired_count")) for kind in kinds)
    rows = (take_number(_find(element, f"remapped_rows/remapped_row_{kind}")) for kind in ("corr", "unc"))
    return add_known(*retired, *rows)


def _judge(element: Element) -> Verdict | None:
    """Return FAILED where the tool says that the device must be reset or cannot mend its memory, else None."""
    texts = (
        _find(element, "gpu_reset_status/reset_required"),
        _find(element, "remapped_rows/remapped_row_failure"),
    )
    is_lost = any("is lost" in (child.text or "") for child in element.iter())
    return Verdict.FAILED if is_lost or "Yes" in texts else None
