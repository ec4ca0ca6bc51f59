"""Which platforms `keisan demo nation` starts: the nation and its provinces, what each has, and its settings file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MODEL: Final = "smollm2-135m-instruct"
# Of the CPU of two cores each copy takes what it gets; so many calls at a time are enough to watch.
SLOTS: Final = 2


@dataclass(frozen=True, slots=True)
class PlatformPlan:
    """One platform. `code` is its region and its folder's name, `chip` and `device_count` what its site plays.

    With `has_model` a real model answers on the CPU. `organizations` are made there, with a key each. What is cabled dials the
    nation over ports of its own, where it can be cut off.
    """

    code: str
    name: str
    provider: str
    site: str
    chip: str
    device_count: int
    organizations: tuple[str, ...]
    has_model: bool = False
    kind: str = "regional"
    region: str = ""
    is_cabled: bool = False


NATIONAL: Final = PlatformPlan(
    code="CN",
    name="National",
    provider="National compute office",
    site="Beijing hall",
    chip="t-head-zhenwu-810e",
    device_count=16,
    organizations=("Meteorology office", "Language institute"),
    kind="national",
    region="CN-BJ",
)
PROVINCES: Final = (
    PlatformPlan(
        "CN-SX",
        "Shanxi",
        "Taiyuan compute",
        "Taiyuan",
        "huawei-ascend-910c",
        384,
        ("Coal safety lab", "Datong hospital"),
        True,
    ),
    PlatformPlan(
        "CN-LN", "Liaoning", "Shenyang compute", "Shenyang", "hygon-k100-ai", 64, ("Dalian port", "Anshan steel"), True
    ),
    PlatformPlan(
        "CN-SH",
        "Shanghai",
        "Lingang compute",
        "Lingang",
        "metax-c550",
        128,
        ("Pudong finance lab", "Fudan vision group"),
    ),
    PlatformPlan(
        "CN-JS", "Jiangsu", "Nanjing compute", "Nanjing", "nvidia-h20", 64, ("Suzhou robotics", "Wuxi sensors")
    ),
    PlatformPlan(
        "CN-ZJ",
        "Zhejiang",
        "Hangzhou compute",
        "Hangzhou",
        "huawei-ascend-910b",
        128,
        ("Yiwu trade desk", "Ningbo logistics"),
    ),
    PlatformPlan(
        "CN-SD", "Shandong", "Jinan compute", "Jinan", "kunlunxin-p800", 64, ("Qingdao ocean lab", "Weifang farms")
    ),
    PlatformPlan(
        "CN-HA",
        "Henan",
        "Zhengzhou compute",
        "Zhengzhou",
        "cambricon-mlu590",
        64,
        ("Luoyang bearings", "Kaifeng museum"),
    ),
    PlatformPlan(
        "CN-QH", "Qinghai", "Xining compute", "Xining", "moore-threads-s4000", 64, ("Solar desk", "Glacier survey")
    ),
    PlatformPlan(
        "CN-NX",
        "Ningxia",
        "Zhongwei compute",
        "Zhongwei",
        "huawei-ascend-910b",
        256,
        ("Yinchuan wine lab", "Wind office"),
    ),
    PlatformPlan(
        "CN-XJ", "Xinjiang", "Karamay compute", "Karamay", "enflame-s60", 64, ("Tarim survey", "Urumqi translation")
    ),
)


def plan_nation(province_count: int) -> tuple[PlatformPlan, ...]:
    """Return the national platform and so many provinces, in the order in which they join."""
    return (NATIONAL, *PROVINCES[:province_count])


def write_settings(plan: PlatformPlan, ports: Mapping[str, int]) -> str:
    """Return the settings file of a platform: its three processes read it, and whoever starts one of them by hand."""
    is_parent = plan.kind == "national"
    return f"""# Written by `keisan demo nation` at each of its starts.
[platform]
name = "{plan.name}"
kind = "{plan.kind}"
listen = "127.0.0.1:{ports["platform"]}"
{_write_link(ports) if is_parent else ""}{_write_cable(ports) if plan.is_cabled else ""}
[gateway]
name = "{plan.code} gateway"
listen = "127.0.0.1:{ports["gateway"]}"
{_write_federation(ports) if is_parent else ""}
[site]
name = "{plan.site}"

[[site.simulated]]
chip = "{plan.chip}"
count = {plan.device_count}

[first_start]
provider = "{plan.provider}"
site = "{plan.site}"
region = "{plan.region or plan.code}"
model = "{MODEL}"
replica_count = {int(plan.has_model)}
slots = {SLOTS}
"""


def _write_link(ports: Mapping[str, int]) -> str:
    """Return where provinces are taken; they dial, and need no way in."""
    return f"""
[platform.link]
listen = "127.0.0.1:{ports["link"]}"
gateway_address = "127.0.0.1:{ports["federation"]}"
"""


def _write_cable(ports: Mapping[str, int]) -> str:
    """Return where a province dials in place of the nation's own addresses."""
    return f"""
[platform.link]
parent_url = "wss://127.0.0.1:{ports["cable_link"]}"

[gateway.federation]
parents = ["127.0.0.1:{ports["cable_federation"]}"]
"""


def _write_federation(ports: Mapping[str, int]) -> str:
    return f"""
[gateway.federation]
listen = "127.0.0.1:{ports["federation"]}"
"""
