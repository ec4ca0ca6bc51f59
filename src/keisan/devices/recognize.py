"""Whose text is it? Tools are told apart by what they print, never by what they are called."""

from typing import Final

from keisan.devices.tool import Parser, Tool
from keisan.devices.vendors import (
    amd,
    ascend,
    biren,
    cambricon,
    enflame,
    gpustack,
    hygon,
    iluvatar,
    kunlunxin,
    metax,
    mthreads,
    nvidia,
    thead,
)

# No two claim the same text: a test tries each sample on all of them.
PARSERS: Final[tuple[Parser, ...]] = (
    nvidia.PARSER,
    amd.PARSER,
    ascend.PARSER,
    cambricon.PARSER,
    metax.PARSER,
    hygon.PARSER,
    iluvatar.PARSER,
    mthreads.PARSER,
    thead.PARSER,
    kunlunxin.PARSER,
    enflame.PARSER,
    biren.PARSER,
    gpustack.PARSER,
)
TOOLS: Final[tuple[Tool, ...]] = (
    nvidia.TOOL,
    amd.TOOL,
    amd.ROCM_TOOL,
    ascend.TOOL,
    cambricon.TOOL,
    metax.TOOL,
    hygon.TOOL,
    iluvatar.TOOL,
    mthreads.TOOL,
    thead.TOOL,
    kunlunxin.TOOL,
    enflame.TOOL,
    biren.TOOL,
)


def recognize(text: str) -> Parser | None:
    """Return the parser that a text belongs to, None for a text that nobody knows."""
    return next((parser for parser in PARSERS if parser.is_own(text)), None)
