"""The configuration of the llama.cpp server process."""

import subprocess
import sys

import pytest

from keisan.domain.errors import InvalidInput
from keisan.engines.llama_cpp_config import LlamaCppConfig, format_config, parse_config

CONFIG = LlamaCppConfig("m", "/w/m.gguf", "/r/a.sock", 4, 2048, 2, 20, 256, 16)


def test_configuration_comes_back() -> None:
    assert parse_config(format_config(CONFIG)) == CONFIG


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model_name": "m", "more": 1}'])
def test_wrong_configuration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="configuration of the llama_cpp engine"):
        parse_config(text)


def test_server_process_loads_no_pydantic() -> None:
    code = "import sys; import keisan.engines.llama_cpp_server; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
