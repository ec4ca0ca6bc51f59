"""When money that moves is told of: which thresholds spending has crossed, and whether a wallet has become low."""

from collections.abc import Container, Iterable

PPM = 1_000_000
# Half of a budget, four fifths, all of it.
BUDGET_THRESHOLDS_PPM = (500_000, 800_000, 1_000_000)


def find_crossed(
    before_nano: int,
    after_nano: int,
    limit_nano: int,
    thresholds_ppm: Iterable[int] = BUDGET_THRESHOLDS_PPM,
    told_ppm: Container[int] = (),
) -> tuple[int, ...]:
    """Return the thresholds, in parts per million of a limit, that spending has reached and had not before, in order.

    `told_ppm` are those that were told of in this period: none is told twice, though spending may fall and rise again.
    """
    crossed = []
    for threshold_ppm in sorted(set(thresholds_ppm)):
        # The least whole amount that is as much; of a limit of nothing the first nano-unit is all.
        reached_nano = max(1, -(-limit_nano * threshold_ppm // PPM))
        if before_nano < reached_nano <= after_nano and threshold_ppm not in told_ppm:
            crossed.append(threshold_ppm)
    return tuple(crossed)


def is_fallen(before_nano: int, after_nano: int, floor_nano: int) -> bool:
    """Tell whether a balance that was at a floor or above is below it: once, until it has been there again."""
    return before_nano >= floor_nano > after_nano
