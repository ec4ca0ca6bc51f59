"""Hygon's hy-smi: JSON by card, in the words of AMD's rocm-smi; DTK ships it under that name too."""

from typing import Final

from keisan.devices.tool import DeviceReading, Parser, Query, Tool, Way
from keisan.devices.vendors.card_text import build_card_reading, is_hygon_card, read_cards

VENDOR: Final = "hygon"
_CARD: Final = Query(
    (
        *("--showid", "--showuniqueid", "--showserial", "--showproductname", "--showbus", "--showdriverversion"),
        *(
            "--showmeminfo",
            "vram",
            "--showuse",
            "--showmemuse",
            "--showtemp",
            "--showpower",
            "--showmaxpower",
            "--json",
        ),
    )
)
TOOL: Final = Tool("hy-smi", (Way(inventory=(_CARD,), samples=(_CARD,)),))


def is_hygon(text: str) -> bool:
    """Tell whether it is JSON by card about Hygon's devices."""
    cards = read_cards(text)
    return bool(cards) and any(is_hygon_card(card) for card in cards.values())


def parse_hygon(text: str) -> tuple[DeviceReading, ...]:
    """Return a reading per device."""
    return tuple(build_card_reading(number, card, VENDOR) for number, card in read_cards(text).items())


PARSER: Final = Parser(VENDOR, is_hygon, parse_hygon)
