"""Values formatted for people. Pure: the current time is passed in."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from pipelines.foundation.currencies import amount_digits

NOTHING = "–"  # noqa: RUF001 - the dash that a reader sees
_NO_CURRENCY = "no currency"
STALE_AFTER = timedelta(hours=36)


def money(amount: Decimal | None, currency_code: str | None) -> str:
    """An amount in its currency's own digits, for instance JPY 1,200 or KWD 1.250."""
    if amount is None:
        return NOTHING
    digits = amount_digits(currency_code)
    rounded = amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{currency(currency_code)} {rounded:,}"


def currency(currency_code: str | None) -> str:
    """The currency's code."""
    return currency_code or _NO_CURRENCY


def count(number: int | None) -> str:
    """A whole number with thousands separators."""
    return NOTHING if number is None else f"{number:,}"


def percent(ratio: float | None, digits: int = 1) -> str:
    """A ratio as percent."""
    return NOTHING if ratio is None else f"{ratio:.{digits}%}"


def interval(low: float | None, high: float | None) -> str:
    """The 95 % interval of a ratio."""
    return "" if low is None or high is None else f"95 % interval {percent(low)} to {percent(high)}"


def points(change: float | None) -> str:
    """A difference of two ratios in percentage points, with its sign."""
    return NOTHING if change is None else f"{100 * change:+.1f} points".replace("-", "\u2212")


def words(code: str | None) -> str:
    """A code as words: insufficient_funds is "insufficient funds"."""
    return NOTHING if code is None else code.replace("_", " ")


def day(value: date | None) -> str:
    """A calendar day."""
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


def month(value: date) -> str:
    """A calendar month."""
    return f"{value:%B %Y}"


def moment(value: datetime | None, zone: str) -> str:
    """An instant in a zone."""
    return NOTHING if value is None else f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def ago(then: datetime | None, now: datetime) -> str:
    """How long ago something was, for instance "3 hours ago"."""
    if then is None:
        return "never"
    seconds = max(0, (now - then).total_seconds())
    if seconds < 90:  # noqa: PLR2004 - a minute and a half is still "just now"
        return "just now"
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = round(seconds / size)
            return f"{number} {name}{'s' if number > 1 else ''} ago"
    raise AssertionError


def is_stale(data_as_of_at: datetime | None, now: datetime) -> bool:
    """Whether the data is older than a missed daily sync."""
    return data_as_of_at is None or now - data_as_of_at > STALE_AFTER


def period(period_code: str, period_kind: str, start: date, end: date) -> str:
    """What a period is called: October 2026, Q4 2026, 2026, Last 28 days."""
    match period_kind:
        case "month":
            return month(start)
        case "quarter":
            return f"Q{(start.month + 2) // 3} {start.year}"
        case "year":
            return str(start.year)
        case _:
            return f"Last {(end - start).days + 1} days" if start <= end else period_code
