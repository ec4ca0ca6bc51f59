"""stage: what the relay's benches share: a mock engine, a stand-in platform, load, the gateways measured, and the measuring.

Here: processes pinned to two cores, their CPU time and memory, rounds and ratios. The three C programs are in native/.
Not here: what is asked and printed (bench/relay_*.py); the engine that tests script (tests/ and crates/relay/tests/).
"""

import sys
from pathlib import Path

# The tests' builders make valid nouns, and their servers start as the tests' do.
sys.path.insert(0, str(Path(__file__).parents[2]))
