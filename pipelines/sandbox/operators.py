"""A believable coworking operator from a seed: the same arguments make the same tenant, byte for byte."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from pipelines.sandbox.billing import Biller
from pipelines.sandbox.entities import Business, Entry, Member, Operator
from pipelines.sandbox.invoice_states import settle
from pipelines.sandbox.no_collection import no_collection
from pipelines.sandbox.sandbox_clock import seconds
from pipelines.sandbox.wording import COMPANY_FORMS, COMPANY_WORDS, FIRST_NAMES, LAST_NAMES, PLACES

DEFAULT_UNTIL = datetime(2025, 6, 30, 12, tzinfo=UTC)
_DAY = 86_400
# Most operators bill on the first, so that most collections fall into one night.
_BILLED_ON_THE_FIRST = 0.6
_BILLED_TO_A_COMPANY = 0.6
_UPDATED_LATER = 0.06
_FIRST_BUSINESS_ID = 1_414_970
_FIRST_MEMBER_ID = 8_201_332
_FIRST_INVOICE_ID = 61_870_044
# A little below 2**31, so that a tenant of the default size has Ids on both sides of it.
_FIRST_ENTRY_ID = 2_147_440_017


def make_operator(
    *,
    seed: int = 1,
    size: int = 40_000,
    months: int = 24,
    until: datetime | int = DEFAULT_UNTIL,
    dense_minute_entries: int = 0,
    reported_twice_share: float = 0,
) -> Operator:
    """A tenant of about `size` history entries in the `months` before `until`.

    `dense_minute_entries` puts that many of them into one minute of the last month's first night, in few seconds.
    `reported_twice_share` of the attempts that can be are reported by a second entry, in another form.
    """
    end = seconds(until)
    random = Random(seed)  # noqa: S311 - an emulated tenant must come out the same from the same seed
    with no_collection():
        businesses = [
            Business(_FIRST_BUSINESS_ID + 7 * position, *place) for position, (*place, _) in enumerate(PLACES)
        ]
        biller = Biller(random, end, reported_twice_share)
        first_month = _month_of(end) - months
        members = _members(random, businesses)
        while len(biller.entries) < size - dense_minute_entries:
            member, joined, left = next(members)
            stay = range(first_month + int(joined * months), first_month + 1 + int(left * months))
            _bill(random, biller, member, stay, start=end - int(months * 30.4375 * _DAY), end=end)
        _dense_minute(biller, end, dense_minute_entries)
        _stamp(random, biller.entries, end)
        credit_notes = settle(seed, biller.invoices, end)
        return Operator(businesses, [*biller.invoices, *credit_notes], biller.entries, end)


def _members(random: Random, businesses: list[Business]) -> Iterator[tuple[Member, float, float]]:
    """Members without end, each with the share of the span at which it joined and left."""
    weights = [share for *_, share in PLACES]
    member_id = _FIRST_MEMBER_ID
    while True:
        member_id += random.randrange(1, 60)
        business = random.choices(businesses, weights)[0]
        first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
        name = f"{first} {last}"
        company = f"{last} {random.choice(COMPANY_WORDS)} {COMPANY_FORMS[business.country]}"
        bill_to = company if random.random() < _BILLED_TO_A_COMPANY else name
        joined = max(0.0, random.uniform(-0.4, 0.95))
        email = f"{first}.{last}@example.org".lower()
        yield Member(member_id, name, bill_to, email, business), joined, min(1.0, joined + random.expovariate(1.6))


def _bill(random: Random, biller: Biller, member: Member, stay: range, *, start: int, end: int) -> None:
    """An invoice a month of the member's stay, and all that happens to it until `end`."""
    day = 1 if random.random() < _BILLED_ON_THE_FIRST else random.randrange(2, 29)
    terms = biller.terms(member)
    for month in stay:
        year, month_of_year = divmod(month, 12)
        midnight = datetime(year, month_of_year + 1, min(day, monthrange(year, month_of_year + 1)[1]), tzinfo=UTC)
        issued = int(midnight.timestamp()) + 5 * 3600 + random.randrange(1800)
        if start <= issued < end:
            number = len(biller.invoices) + 1
            biller.issue(_FIRST_INVOICE_ID + 3 * number, f"INV-{number:06d}", terms, issued)


def _month_of(second: int) -> int:
    at = datetime.fromtimestamp(second, UTC)
    return at.year * 12 + at.month - 1


def _dense_minute(biller: Biller, end: int, count: int) -> None:
    """A collection batch of `count` entries within one minute, six or so to the second."""
    first_of_month = datetime.fromtimestamp(end, UTC).replace(day=1, hour=23, minute=17, second=0)
    minute = int((first_of_month - timedelta(days=1)).timestamp())
    for position in range(count):
        biller.note(biller.invoices[position * 7919 % len(biller.invoices)], minute + position * 60 // count)


def _stamp(random: Random, entries: list[Entry], end: int) -> None:
    """Ids in order of creation, with the gaps that other tenants leave; and the later updates of some rows."""
    entries.sort(key=lambda entry: entry.created_on)
    entry_id = _FIRST_ENTRY_ID
    for entry in entries:
        entry_id += random.randrange(1, 5)
        entry.id = entry_id
        entry.updated_on = entry.created_on
        if random.random() < _UPDATED_LATER:
            entry.updated_on = min(end, entry.created_on + int(random.expovariate(1 / (3 * _DAY))))
            entry.updated_by = "admin@example.com"
