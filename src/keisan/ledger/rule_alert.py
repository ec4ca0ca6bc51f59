"""When money that moves is told of: which thresholds spending has crossed, and whether a wallet has become low."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime

from keisan.domain.alert import AlertDraft, AlertKind
from keisan.ledger.rule_budget import BudgetBook

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


def describe_crossed(before: Sequence[BudgetBook], after: Sequence[BudgetBook], now: datetime) -> list[AlertDraft]:
    """Return what is told of budgets of which more was spent: one alert for each threshold that was crossed.

    Within a month, or for ever, each is crossed once. A rolling window lets go of what is old, and what is crossed again is
    told again.
    """
    return [
        AlertDraft(
            organization_id=new.budget.organization_id,
            kind=AlertKind.BUDGET_THRESHOLD,
            subject_id=new.budget.id,
            detail={
                "threshold_ppm": str(threshold_ppm),
                "spent_nano": str(new.sum_present(now)),
                "amount_nano": str(new.budget.amount_nano),
                "currency": new.budget.currency,
                "period": str(new.budget.period),
            },
        )
        for old, new in zip(before, after, strict=True)
        for threshold_ppm in find_crossed(old.sum_present(now), new.sum_present(now), new.budget.amount_nano)
    ]


def is_fallen(before_nano: int, after_nano: int, floor_nano: int) -> bool:
    """Tell whether a balance that was at a floor or above is below it: once, until it has been there again."""
    return before_nano >= floor_nano > after_nano
