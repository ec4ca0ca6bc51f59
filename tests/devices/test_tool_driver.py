"""A tool's driver: what it finds, what it keeps, and what it does not take for nothing. Real commands print the samples."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from keisan.devices import tool_driver
from keisan.devices.recognize import TOOLS
from keisan.devices.tool import DeviceReading, Parser
from keisan.devices.tool_driver import ToolDriver
from keisan.devices.tool_run import LocalRunner
from keisan.domain.device import UNKNOWN_CHIP
from keisan.domain.errors import DevicesUnreadable
from keisan.domain.limits import DEVICE_FACTS_MAX
from keisan.domain.sample import SAMPLE_FIELDS, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import SystemClock
from keisan.wire.node import NodeReport
from tests.devices.sample_files import MAKERS, install_script, install_tool

NODE = NodeReport(hardware_id="n1", hostname="h", boot_id="b", cpu_count=3, memory_bytes=7)
CHIPS: Mapping[str, str] = {
    "NVIDIA H20": "nvidia-h20",
    "910B3": "huawei-ascend-910b",
    "hygon K100_AI": "hygon-k100-ai",
}
DEAR = {field.name for field in SAMPLE_FIELDS if field.is_dear}


def build_driver(folder: Path, command: str) -> ToolDriver:
    (tool,) = (tool for tool in TOOLS if tool.command == command)
    return ToolDriver(tool, LocalRunner({"PATH": f"{folder}:/usr/bin:/bin"}, SystemClock()), CHIPS.get, SystemClock())


def read_values(driver: ToolDriver, *, is_dear: bool = False) -> dict[str, dict[SampleName, int]]:
    return {sample.hardware_id: dict(sample.values) for sample in driver.read_samples(is_dear=is_dear)}


def test_a_host_without_the_tool_has_none_of_its_devices(tmp_path: Path) -> None:
    driver = build_driver(tmp_path, "nvidia-smi")
    assert driver.read_devices(NODE) == ()
    assert driver.read_samples(is_dear=True) == ()


def test_devices_are_reported_with_who_they_are(tmp_path: Path) -> None:
    install_tool(tmp_path, "nvidia-smi")
    first, second = build_driver(tmp_path, "nvidia-smi").read_devices(NODE)
    assert first.hardware_id == "GPU-513536b6-7d19-9063-b049-1e69664bb298"
    assert (first.chip, first.name, first.memory_bytes) == ("nvidia-h20", "NVIDIA H20", 97871 * 2**20)
    assert first.verdict is Verdict.OK
    assert first.facts["pci_address"] == "0000:3b:00.0"
    assert first.facts["serial"] == "1650522003820"
    assert first.facts["driver_version"] == "550.127.05"
    assert first.facts["tool"] == "nvidia-smi"
    assert second.verdict is Verdict.FAILED


def test_a_product_is_looked_for_with_and_without_its_makers_name(tmp_path: Path) -> None:
    install_tool(tmp_path, "hy-smi")
    first, _ = build_driver(tmp_path, "hy-smi").read_devices(NODE)
    assert first.chip == "hygon-k100-ai"
    assert first.hardware_id == "hygon-7137d9b2a08a4841"


def test_dear_fields_are_read_when_they_are_due(tmp_path: Path) -> None:
    install_tool(tmp_path, "nvidia-smi")
    driver = build_driver(tmp_path, "nvidia-smi")
    first, second = driver.read_devices(NODE)
    cheap, dear = read_values(driver), read_values(driver, is_dear=True)
    assert cheap[first.hardware_id][SampleName.POWER_MILLIWATTS] == 412_530
    assert not DEAR & cheap[first.hardware_id].keys()
    assert dear[first.hardware_id][SampleName.ECC_UNCORRECTED_COUNT] == 1
    assert dear[first.hardware_id][SampleName.LINK_UP_COUNT] == 2
    assert dear[first.hardware_id][SampleName.LINK_ERROR_COUNT] == 6
    assert cheap[second.hardware_id][SampleName.HEALTH] == 2


def test_dear_queries_that_fail_take_nothing_else_with_them(tmp_path: Path) -> None:
    install_tool(tmp_path, "nvidia-smi", (("-q -x", "nvidia/log.xml"), ("--query-gpu=*", "nvidia/query.csv")))
    driver = build_driver(tmp_path, "nvidia-smi")
    first, _ = driver.read_devices(NODE)
    values = read_values(driver, is_dear=True)[first.hardware_id]
    assert values[SampleName.RETIRED_PAGE_COUNT] == 3
    assert SampleName.LINK_ERROR_COUNT not in values


def test_what_is_asked_of_each_device_is_put_together_by_its_number(tmp_path: Path) -> None:
    install_tool(tmp_path, "npu-smi")
    driver = build_driver(tmp_path, "npu-smi")
    whole, silent = driver.read_devices(NODE)
    assert whole.hardware_id == "ascend-5D01041C-20C08AB1-A1B2C3D4-0A0B0C0D-102A0000"
    assert (whole.verdict, whole.chip) == (Verdict.OK, "huawei-ascend-910b")
    assert whole.facts["serial"] == "033VCY10P4000123"
    # Its board does not answer: it is known by its slot, and nothing new is sent there.
    assert silent.hardware_id == "ascend-n1-0000:01:00.0"
    assert silent.verdict is Verdict.UNKNOWN
    values = read_values(driver, is_dear=True)
    assert values[whole.hardware_id][SampleName.ECC_CORRECTED_COUNT] == 7
    assert values[whole.hardware_id][SampleName.HEALTH] == 0
    assert values[silent.hardware_id][SampleName.TEMPERATURE_MILLICELSIUS] == 37_000


def test_an_identity_that_is_not_told_again_is_still_that(tmp_path: Path) -> None:
    install_tool(tmp_path, "npu-smi")
    driver = build_driver(tmp_path, "npu-smi")
    before = [device.hardware_id for device in driver.read_devices(NODE)]
    install_tool(tmp_path, "npu-smi", (("info", "ascend/info_910b.txt"),))
    after = driver.read_devices(NODE)
    assert [device.hardware_id for device in after] == before
    assert {device.verdict for device in after} == {Verdict.UNKNOWN}


@pytest.mark.parametrize("words", ["No devices were found", "no supported GPUs detected", "No device found"])
def test_a_tool_that_surely_found_none_has_none(tmp_path: Path, words: str) -> None:
    install_script(tmp_path, "nvidia-smi", f'echo "{words}"; exit 6\n')
    assert build_driver(tmp_path, "nvidia-smi").read_devices(NODE) == ()


@pytest.mark.parametrize(
    "body",
    [
        'echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver."; exit 9\n',
        'echo "Unable to determine the device handle for GPU0000:3B:00.0: Unknown Error"; exit 255\n',
        "exit 0\n",
        "kill -SEGV $$\n",
    ],
)
def test_a_tool_that_fails_is_not_an_empty_host(tmp_path: Path, body: str) -> None:
    install_script(tmp_path, "nvidia-smi", body)
    with pytest.raises(DevicesUnreadable, match="nvidia-smi failed"):
        build_driver(tmp_path, "nvidia-smi").read_devices(NODE)


def test_a_tool_that_is_gone_since_is_not_an_empty_host(tmp_path: Path) -> None:
    path = install_tool(tmp_path, "efsmi")
    driver = build_driver(tmp_path, "efsmi")
    driver.read_devices(NODE)
    path.unlink()
    with pytest.raises(DevicesUnreadable, match="no longer"):
        driver.read_devices(NODE)
    with pytest.raises(DevicesUnreadable, match="no longer"):
        driver.read_samples(is_dear=False)


def test_samples_of_a_tool_that_fails_are_unreadable(tmp_path: Path) -> None:
    install_tool(tmp_path, "efsmi")
    driver = build_driver(tmp_path, "efsmi")
    driver.read_devices(NODE)
    install_script(tmp_path, "efsmi", "exit 1\n")
    with pytest.raises(DevicesUnreadable):
        driver.read_samples(is_dear=False)
    install_script(tmp_path, "efsmi", "echo strange\n")
    with pytest.raises(DevicesUnreadable, match="told nothing"):
        driver.read_samples(is_dear=False)


def test_intels_tool_of_the_same_name_gives_unknown_devices(tmp_path: Path) -> None:
    install_tool(tmp_path, "xpu-smi", (("discovery -j", "intel/discovery.json"),))
    driver = build_driver(tmp_path, "xpu-smi")
    (device,) = driver.read_devices(NODE)
    assert (device.chip, device.verdict) == (UNKNOWN_CHIP, Verdict.UNKNOWN)
    assert device.name == "Intel(R) Graphics [0x020a]"
    assert device.facts["vendor_name"] == "Intel(R) Corporation"
    assert device.facts["vendor"] == "unknown"
    assert read_values(driver) == {device.hardware_id: {SampleName.HEALTH: 1}}


def test_a_product_that_nobody_knows_is_unknown_with_its_facts_and_not_dropped(tmp_path: Path) -> None:
    install_tool(tmp_path, "ppu-smi")
    first, second = build_driver(tmp_path, "ppu-smi").read_devices(NODE)
    assert first.chip == second.chip == UNKNOWN_CHIP
    assert (first.name, first.verdict) == ("PPU-ZW810E", Verdict.OK)
    assert first.facts["serial"] == "02A8B95253C002B8"


def test_facts_of_an_unknown_device_stand_still(tmp_path: Path) -> None:
    install_script(
        tmp_path, "ppu-smi", 'printf "UUID: X1234\\nTemp: $(cat count)\\n"\n'.replace("count", str(tmp_path / "n"))
    )
    driver = build_driver(tmp_path, "ppu-smi")
    (tmp_path / "n").write_text("41")
    before = driver.read_devices(NODE)
    (tmp_path / "n").write_text("42")
    assert driver.read_devices(NODE) == before
    assert before[0].facts["Temp"] == "41"


def test_a_text_that_tells_no_device_from_another_is_reported_as_its_tool(tmp_path: Path) -> None:
    install_script(tmp_path, "brsmi", "echo 'Welcome to a new release'; echo 'temp 41'\n")
    (device,) = build_driver(tmp_path, "brsmi").read_devices(NODE)
    assert (device.hardware_id, device.chip, device.verdict) == ("tool-brsmi-n1", UNKNOWN_CHIP, Verdict.UNKNOWN)
    assert device.facts == {"tool": "brsmi", "output": "Welcome to a new release\ntemp 41"}


def test_devices_without_any_identity_are_reported_together(tmp_path: Path) -> None:
    install_script(
        tmp_path, "cnmon", "printf 'Card 0\\n  Product Name : MLU290\\nCard 1\\n  Product Name : MLU290\\n'\n"
    )
    (device,) = build_driver(tmp_path, "cnmon").read_devices(NODE)
    assert device.hardware_id == "tool-cnmon-n1"
    assert device.facts["output"] == "devices without an identity: MLU290, MLU290"


def test_facts_are_bounded(tmp_path: Path) -> None:
    lines = "".join(f"fact{n}: {'x' * 900}\\n" for n in range(60))
    install_script(tmp_path, "brsmi", f'printf "UUID: X1\\n{lines}"\n')
    (device,) = build_driver(tmp_path, "brsmi").read_devices(NODE)
    assert len(device.facts) <= DEVICE_FACTS_MAX
    assert max(len(text) for text in device.facts.values()) == 512


def test_a_second_way_is_tried_where_the_first_is_refused(tmp_path: Path) -> None:
    install_tool(
        tmp_path, "brsmi", (("gpu --query-gpu=index,name,uuid,memory.total,memory.used *", "biren/query.csv"),)
    )
    driver = build_driver(tmp_path, "brsmi")
    assert len(driver.read_devices(NODE)) == 2
    assert len(driver.read_samples(is_dear=False)) == 2


def test_a_slow_tool_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_driver, "READ_S_MAX", 0.2)
    install_script(tmp_path, "efsmi", "sleep 30\n")
    with pytest.raises(DevicesUnreadable, match="did not answer"):
        build_driver(tmp_path, "efsmi").read_devices(NODE)


@pytest.mark.parametrize("command", MAKERS.values(), ids=MAKERS)
def test_devices_of_every_maker_are_found_and_measured(tmp_path: Path, command: str) -> None:
    install_tool(tmp_path, command)
    driver = build_driver(tmp_path, command)
    devices = driver.read_devices(NODE)
    assert len(devices) == 2
    assert {device.facts["vendor"] for device in devices} == {
        vendor for vendor, tool in MAKERS.items() if tool == command
    }
    values = read_values(driver, is_dear=True)
    assert values.keys() <= {device.hardware_id for device in devices}
    healthy = next(device for device in devices if device.verdict is Verdict.OK)
    assert {SampleName.HEALTH, SampleName.UTILIZATION_PERMILLE, SampleName.MEMORY_USED_MIB} <= values[
        healthy.hardware_id
    ].keys()
    assert SampleName.TEMPERATURE_MILLICELSIUS in values[healthy.hardware_id]


def test_a_form_that_goes_on_otherwise_than_known_leaves_open_which_devices_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_tool(tmp_path, "nvidia-smi")

    def stumble(text: str) -> tuple[DeviceReading, ...]:
        raise IndexError(text[:9])

    monkeypatch.setattr(tool_driver, "recognize", lambda _text: Parser("nvidia", bool, stumble))
    with pytest.raises(DevicesUnreadable):
        build_driver(tmp_path, "nvidia-smi").read_devices(NODE)
