"""Devices that are played: the same from the same seed, marked as played, and ill as they were told to be."""

from collections.abc import Mapping

from keisan.catalog.base import load_chips
from keisan.devices.base import DeviceSample
from keisan.devices.simulated import SimulatedDriver, SimulatedPlan, describe_play
from keisan.devices.simulated_fault import SimulatedFault
from keisan.devices.simulated_sampler import FaultRates
from keisan.domain.sample import HEALTH_CODES, SampleName
from keisan.domain.verdict import Verdict
from keisan.wire.node import NodeReport
from tests.api.stage import SteppedClock

CHIPS = {chip.id: chip for chip in load_chips()}
NODE = NodeReport(hardware_id="n1", hostname="h", boot_id="b", cpu_count=3, memory_bytes=7)
OTHER_NODE = NODE.model_copy(update={"hardware_id": "n2"})
HEAT, ECC, LINK, LOST = SimulatedFault.HEAT, SimulatedFault.ECC, SimulatedFault.LINK, SimulatedFault.LOST


def build_plan(faults: Mapping[int, SimulatedFault] | None = None, **changes: object) -> SimulatedPlan:
    values = {"chip": CHIPS["huawei-ascend-910c"], "count": 4, "faults": faults or {}}
    return SimulatedPlan(**(values | changes))  # type: ignore[arg-type]  # a test names the fields it cares for


def read(plan: SimulatedPlan, times: int, *, is_dear: bool) -> list[tuple[DeviceSample, ...]]:
    clock = SteppedClock()
    driver = SimulatedDriver(plan, clock)
    driver.read_devices(NODE)
    told = []
    for _ in range(times):
        clock.elapsed_s += 5
        told.append(driver.read_samples(is_dear=is_dear))
    return told


def test_one_seed_plays_one_course_and_another_another() -> None:
    assert read(build_plan(), 20, is_dear=True) == read(build_plan(), 20, is_dear=True)
    assert read(build_plan(), 20, is_dear=True) != read(build_plan(seed=1), 20, is_dear=True)


def test_ids_are_of_the_node_the_chip_and_the_seed() -> None:
    plans = (build_plan(), build_plan(seed=1), build_plan(chip=CHIPS["nvidia-h20"]))
    ids = [
        device.hardware_id
        for plan in plans
        for node in (NODE, OTHER_NODE)
        for device in SimulatedDriver(plan, SteppedClock()).read_devices(node)
    ]
    assert len(set(ids)) == len(ids) == 24
    assert len({SimulatedDriver(plan, SteppedClock()).name for plan in plans}) == 3


def test_memory_and_power_are_the_catalogues() -> None:
    assert describe_play(CHIPS["huawei-ascend-910c"]).memory_mib == 128 * 10**9 // 2**20
    assert describe_play(CHIPS["cpu-x86-64"]).link_count == 0


def test_each_fault_shows_when_it_is_due_and_not_before() -> None:
    clock = SteppedClock()
    plan = build_plan({0: HEAT, 1: ECC, 2: LINK, 3: LOST}, count=5, faults_after_s=60.0)
    driver = SimulatedDriver(plan, clock)
    known = driver.read_devices(NODE)
    assert {device.verdict for device in known} == {Verdict.OK}
    before = driver.read_samples(is_dear=True)
    assert len(before) == 5
    clock.elapsed_s += 60
    after = {sample.hardware_id: sample.values for sample in driver.read_samples(is_dear=True)}
    heat, ecc, link, lost, well = (device.hardware_id for device in known)
    assert after[heat][SampleName.TEMPERATURE_MILLICELSIUS] > 90_000
    assert after[heat][SampleName.THROTTLE_FLAGS] & 2
    assert after[ecc][SampleName.ECC_UNCORRECTED_COUNT] > 0
    assert after[ecc][SampleName.HEALTH] == HEALTH_CODES[Verdict.FAILED]
    assert after[link][SampleName.LINK_UP_COUNT] == after[well][SampleName.LINK_UP_COUNT] - 1
    assert after[link][SampleName.LINK_ERROR_COUNT] > 0
    assert lost not in after
    told = {device.hardware_id: device.verdict for device in driver.read_devices(NODE)}
    assert told == {heat: Verdict.OK, ecc: Verdict.FAILED, link: Verdict.OK, well: Verdict.OK}


def test_a_counter_of_errors_only_grows() -> None:
    counts = [
        samples[0].values[SampleName.ECC_UNCORRECTED_COUNT] for samples in read(build_plan({0: ECC}), 5, is_dear=True)
    ]
    assert counts == sorted(set(counts))


def test_a_chip_without_links_says_nothing_of_links() -> None:
    (samples,) = read(build_plan({0: LINK}, chip=CHIPS["cpu-x86-64"]), 1, is_dear=True)
    assert not [name for sample in samples for name in sample.values if name.value.startswith("link_")]


def test_trouble_by_chance_is_in_what_is_listed_too() -> None:
    clock = SteppedClock()
    driver = SimulatedDriver(
        build_plan(count=200, chances=FaultRates(failure=0.3, loss=0.3, link=0, corrected=0)), clock
    )
    assert len(driver.read_devices(NODE)) == 200
    samples = driver.read_samples(is_dear=False)
    listed = driver.read_devices(NODE)
    assert {sample.hardware_id for sample in samples} == {device.hardware_id for device in listed}
    assert 50 < len(listed) < 200
    failed = {device.hardware_id for device in listed if device.verdict is Verdict.FAILED}
    assert failed == {
        sample.hardware_id for sample in samples if sample.values[SampleName.HEALTH] == HEALTH_CODES[Verdict.FAILED]
    }
    assert failed


def test_nothing_is_measured_before_it_was_listed() -> None:
    assert SimulatedDriver(build_plan(), SteppedClock()).read_samples(is_dear=False) == ()
