"""What the contract of history says of a frame."""

import numpy as np

from keisan.domain.history import WINDOW_MS, Window
from tests.storage.history_world import DAY_START_MS, REGION, create_frame, create_head


def test_a_frame_knows_its_window_and_its_size() -> None:
    frame = create_frame(np.random.default_rng(1), create_head(0, DAY_START_MS + WINDOW_MS + 5))
    assert frame.window == Window(REGION, DAY_START_MS + WINDOW_MS)
    assert frame.size_bytes == len(frame.numbers) * 4 * (1 + len(frame.values))
