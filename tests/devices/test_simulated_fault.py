"""Faults of played devices are named without what plays them."""

import subprocess
import sys

QUESTION = "import sys; import keisan.devices.simulated_fault; print('numpy' in sys.modules, 'pyarrow' in sys.modules)"


def test_settings_name_faults_without_loading_arrays() -> None:
    done = subprocess.run([sys.executable, "-c", QUESTION], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]
