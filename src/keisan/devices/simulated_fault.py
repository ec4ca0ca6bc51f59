"""The faults that played devices have; settings of every process name them, so this loads no arrays."""

from enum import StrEnum


class SimulatedFault(StrEnum):
    """What a device can be told to suffer: too hot, memory that lies, a link down, off the bus as if it were not there."""

    HEAT = "heat"
    ECC = "ecc"
    LINK = "link"
    LOST = "lost"
