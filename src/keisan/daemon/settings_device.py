"""Settings about devices: when the platform takes one for suspect, which a site plays, and which are supernodes."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from keisan.daemon.settings_section import Section
from keisan.devices.simulated_fault import SimulatedFault
from keisan.domain.device import DeviceTerms
from keisan.domain.inventory import INVENTORY_TEXT_CHARACTERS_MAX, is_inventory_text
from keisan.domain.supernode import LINKS_MAX
from keisan.domain.supernode_plan import SupernodePlan

_DEVICES_MAX = 4096


def _check_text(text: str) -> str:
    if not text or not is_inventory_text(text):
        raise ValueError(f"a text of 1 to {INVENTORY_TEXT_CHARACTERS_MAX} characters that can be shown")
    return text


_Text = Annotated[str, AfterValidator(_check_text)]
_Count = Annotated[int, Field(ge=1, le=_DEVICES_MAX)]
_Number = Annotated[int, Field(ge=0, lt=_DEVICES_MAX)]


class DeviceSettings(Section):
    """A device is suspect when it fails, or counts more errors than these that could not be corrected, or of its links.

    With `cordon_suspects` it gets no more work then; without, the audit log tells of it and people decide.
    """

    uncorrected_max: Annotated[int, Field(ge=0)] = 0
    link_errors_max: Annotated[int, Field(ge=0)] = 1000
    cordon_suspects: bool = False

    @property
    def terms(self) -> DeviceTerms:
        """Return the terms on which devices are suspect."""
        return DeviceTerms(self.uncorrected_max, self.cordon_suspects, self.link_errors_max)


class SupernodeSettings(Section):
    """A supernode of this site: `members` by hardware id in the order of the cabinet, or `nodes` by hostname or hardware id.

    `template` is an id of the catalogue. `links_per_member` is of how many scale-up links a device's tool tells which are up.
    """

    name: _Text
    template: _Text | None = None
    members: tuple[_Text, ...] = ()
    nodes: tuple[_Text, ...] = ()
    links_per_member: Annotated[int, Field(ge=1, le=LINKS_MAX)] | None = None

    @property
    def plan(self) -> SupernodePlan:
        """Return it as a value."""
        return SupernodePlan(self.name, self.template or "", self.members, self.nodes, self.links_per_member or 0)


class SimulatedSettings(Section):
    """Devices that a site plays: `chip` is an id of the catalogue. One site plays a chip twice only with two seeds.

    `heat`, `ecc`, `link` and `lost` are the numbers of those that suffer it from `faults_after_s` on.
    """

    chip: Annotated[str, Field(min_length=1, max_length=64)]
    count: _Count = 1
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    heat: tuple[_Number, ...] = ()
    ecc: tuple[_Number, ...] = ()
    link: tuple[_Number, ...] = ()
    lost: tuple[_Number, ...] = ()
    faults_after_s: Annotated[float, Field(ge=0, le=30 * 86_400)] = 60.0

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        numbers = (*self.heat, *self.ecc, *self.link, *self.lost)
        if any(number >= self.count for number in numbers):
            raise ValueError(f"numbers of faulty devices below count, which is {self.count}")
        if len(set(numbers)) != len(numbers):
            raise ValueError("each faulty device in one list")
        return self

    @property
    def faults(self) -> dict[int, SimulatedFault]:
        """Return what each faulty device suffers, by its number."""
        lists = {
            SimulatedFault.HEAT: self.heat,
            SimulatedFault.ECC: self.ecc,
            SimulatedFault.LINK: self.link,
            SimulatedFault.LOST: self.lost,
        }
        return {number: fault for fault, numbers in lists.items() for number in numbers}
