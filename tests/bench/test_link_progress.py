"""What the benches of links tell of a course: rates by quarter from looks at a disk, and bytes a second by channel."""

import pytest

from stage.link_progress import LOOK_S, Progress
from stage.region_channel import compute_rates


def test_quarters_are_reckoned_from_when_the_first_letters_were_under_way() -> None:
    progress = Progress(0.0, [(0.0, 0), (2.0, 0), (3.0, 25), (5.0, 50), (5.5, 75), (6.5, 100)], state_s=2.5)
    course = progress.describe(100)
    assert course == {"first_s": 3.0, "state_s": 2.5, "came_s": 6.5, "quarters_per_s": [25, 12, 50, 25]}


def test_what_came_between_two_looks_took_a_look() -> None:
    progress = Progress(0.0, [(0.0, 0), (1.0, 4)], state_s=0.5)
    assert progress.describe(4)["quarters_per_s"] == [1, *[round(1 / LOOK_S)] * 3]


def test_a_course_without_the_newest_state_is_none() -> None:
    with pytest.raises(AssertionError):
        Progress(0.0, [(0.0, 0), (1.0, 4)]).describe(4)


def test_rates_are_of_one_channel_between_each_two_looks() -> None:
    samples = [(0.0, [0, 7]), (1.0, [10, 7]), (3.0, [50, 9])]
    assert compute_rates(samples, 0) == [10.0, 20.0]
    assert compute_rates(samples, 1) == [0.0, 1.0]
