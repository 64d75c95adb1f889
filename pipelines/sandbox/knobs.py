"""Every setting of the sandbox's behaviour, with the one line that explains it to `--help`, the docs and readers."""

from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

FieldType = Literal["plain", "text", "mixed"]
ThrottleForm = Literal["409", "date", "429", "503", "bare"]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Events = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


def _about(explanation: str) -> Meta:
    return Meta(description=explanation)


class Knobs(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The sandbox's behaviour; change a value at any time, the next request obeys it."""

    seed: Annotated[int, _about("Seed of everything that happens by chance; each fault has a stream of its own.")] = 1

    # login
    token_expires_in_seconds: Annotated[Count, _about("Life of an access token, as told in expires_in.")] = 604_799
    token_dies_after_requests: Annotated[
        Count, _about("An access token is refused after this many requests; 0 is never.")
    ] = 0
    bad_login_status: Annotated[Literal[400, 401], _about("Status of invalid_grant.")] = 400
    roles: Annotated[str, _about("Roles of the user, by comma; * is a full unrestricted administrator.")] = "*"
    missing_role_status: Annotated[Literal[401, 403], _about("Status when the role is missing.")] = 401

    # paging, order and filters
    max_page_size: Annotated[Count, _about("Largest honoured size; a larger one is cut to it.")] = 1000
    dir_convention: Annotated[Literal["0/1", "1/-1"], _about("What dir means: 0 is ascending, or 1 is.")] = "0/1"
    range_end: Annotated[
        Literal["second", "minute", "whole_minute", "exclusive"],
        _about(
            "How to_ compares: by the second; cut to its minute; taking in that whole minute; or leaving the end out."
        ),
    ] = "second"
    filter_time_zone: Annotated[str, _about("The time zone in which filter values are read.")] = "UTC"
    shuffle_ties: Annotated[bool, _about("Rows with equal sort values come in another order at each request.")] = False
    most_ids_at_once: Annotated[Count, _about("Invoices found by one id=[1,2,3]; 0 is all that it names.")] = 0
    deep_page_403_after: Annotated[Count, _about("Pages beyond this number answer 403; 0 is never.")] = 0
    required_filter: Annotated[str, _about("Answer 400 'Missing required filter' unless this parameter is given.")] = ""

    # how fields are written
    total_amount_type: Annotated[FieldType, _about("Amounts as number (plain), text, or mixed.")] = "plain"
    flag_type: Annotated[FieldType, _about("Paid and Draft as boolean (plain), text, or mixed.")] = "plain"
    time_form: Annotated[
        Literal["z", "fraction", "no_zone", "mixed"],
        _about("Times end in Z, carry fractions, have no zone, or are mixed."),
    ] = "z"
    unknown_field_rate: Annotated[Share, _about("Share of records with a field that nobody documented.")] = 0.0
    missing_field_rate: Annotated[Share, _about("Share of records without one of their fields.")] = 0.0
    missing_field: Annotated[
        str, _about("The field they lack; empty is any that is not Id, CreatedOn or UpdatedOn.")
    ] = ""
    wrong_type_rate: Annotated[
        Share, _about("Share of records whose CoworkerInvoiceId is a text that is no number.")
    ] = 0.0
    null_updated_on_rate: Annotated[Share, _about("Share of records shown with UpdatedOn null.")] = 0.0

    # the clock
    date_header: Annotated[bool, _about("Answers carry a Date header.")] = True
    date_header_skew_seconds: Annotated[
        int, _about("How far the Date header is ahead of the clock that stamps rows.")
    ] = 0
    clock_step_seconds: Annotated[Seconds, _about("The clock jumps ahead so far after each answered search.")] = 0.0

    # pace
    enforce_limits: Annotated[bool, _about("Enforce the limits below for real, by the sandbox's clock.")] = False
    requests_per_100_ms: Annotated[Count, _about("Requests in any 100 ms; 0 is no limit.")] = 1
    requests_per_minute: Annotated[Count, _about("Requests in any minute; 0 is no limit.")] = 120
    requests_per_hour: Annotated[Count, _about("Requests in any hour; 0 is no limit.")] = 5000
    requests_per_day: Annotated[Count, _about("Requests in any day; 0 is no limit.")] = 200_000
    writes_per_minute: Annotated[Count, _about("Writes in any minute; 0 is no limit.")] = 60
    writes_per_day: Annotated[Count, _about("Writes in any day; 0 is no limit.")] = 5000
    limit_form: Annotated[ThrottleForm, _about("The form in which a broken limit is answered.")] = "409"

    # throttling by chance
    throttle_409_rate: Annotated[Share, _about("409, Retry-After in seconds, no body.")] = 0.0
    throttle_date_rate: Annotated[Share, _about("409, Retry-After as an HTTP date.")] = 0.0
    throttle_429_rate: Annotated[Share, _about("429, 'Wait N seconds' with a fraction in the body, no header.")] = 0.0
    throttle_503_rate: Annotated[Share, _about("503, Retry-After in seconds.")] = 0.0
    throttle_bare_rate: Annotated[Share, _about("409 with neither header nor body.")] = 0.0
    throttle_wait_seconds: Annotated[Seconds, _about("The wait that throttle answers ask for.")] = 1.0

    # broken answers
    error_500_rate: Annotated[Share, _about("500 with an HTML page.")] = 0.0
    error_502_rate: Annotated[Share, _about("502 with an HTML page.")] = 0.0
    error_503_rate: Annotated[Share, _about("503 with an HTML page and no Retry-After.")] = 0.0
    reset_rate: Annotated[Share, _about("The connection is reset before any answer.")] = 0.0
    reset_mid_body_rate: Annotated[Share, _about("The connection is reset in the middle of the body.")] = 0.0
    truncated_json_rate: Annotated[Share, _about("200 with a JSON body cut short.")] = 0.0
    login_page_rate: Annotated[Share, _about("200 with an HTML login page.")] = 0.0
    null_records_rate: Annotated[Share, _about("Records is null.")] = 0.0
    slow_rate: Annotated[Share, _about("The answer comes late.")] = 0.0
    slow_seconds: Annotated[Seconds, _about("How late slow answers and timed-out writes come.")] = 2.0

    # questions misunderstood
    ignored_filter_rate: Annotated[Share, _about("All filters are ignored.")] = 0.0
    ignored_page_rate: Annotated[Share, _about("Page 1 is answered, and echoed, whatever was asked.")] = 0.0
    other_page_size_rate: Annotated[Share, _about("Half the page size is used, and echoed.")] = 0.0
    reversed_order_rate: Annotated[Share, _about("Rows come in the opposite order.")] = 0.0
    empty_rate: Annotated[Share, _about("A question with a range is answered with no rows, and a count of none.")] = 0.0
    claims_all_rate: Annotated[Share, _about("A page says that it is the last, and counts what it holds.")] = 0.0
    unordered_rate: Annotated[Share, _about("Rows come in no order.")] = 0.0

    # life between two answers
    update_rate: Annotated[Events, _about("An entry is updated now.")] = 0.0
    delete_rate: Annotated[Events, _about("An entry is deleted.")] = 0.0
    insert_rate: Annotated[Events, _about("An entry is inserted now.")] = 0.0
    late_insert_rate: Annotated[Events, _about("An entry with an old CreatedOn is inserted now.")] = 0.0
    past_stamp_rate: Annotated[Events, _about("An entry is committed with both stamps in the past.")] = 0.0
    past_stamp_seconds: Annotated[Count, _about("How far in the past such entries are stamped.")] = 120
    pay_rate: Annotated[Events, _about("An open invoice is paid; no entry's UpdatedOn moves.")] = 0.0
    refund_rate: Annotated[Events, _about("A paid invoice is refunded; no entry's UpdatedOn moves.")] = 0.0
    part_pay_rate: Annotated[Events, _about("Half of an open invoice is paid; its UpdatedOn does not move.")] = 0.0
    void_rate: Annotated[Events, _about("An open invoice is voided.")] = 0.0
    credit_rate: Annotated[Events, _about("An open invoice is credited by a credit note.")] = 0.0

    # writes
    write_500_before_rate: Annotated[Share, _about("POST answers 500 and makes no row.")] = 0.0
    write_500_after_rate: Annotated[Share, _about("POST makes the row, then answers 500.")] = 0.0
    write_refused_rate: Annotated[Share, _about("POST answers 200 with WasSuccessful false and makes no row.")] = 0.0
    write_reset_before_rate: Annotated[Share, _about("POST is reset and makes no row.")] = 0.0
    write_reset_after_rate: Annotated[Share, _about("POST makes the row, then is reset.")] = 0.0
    write_late_before_rate: Annotated[Share, _about("POST hangs for slow_seconds, then is reset; no row.")] = 0.0
    write_late_after_rate: Annotated[Share, _about("POST makes the row at once, answers after slow_seconds.")] = 0.0
    write_cut_after_rate: Annotated[Share, _about("POST makes the row, its answer is cut short.")] = 0.0
    write_made_late_rate: Annotated[Share, _about("POST hangs for slow_seconds, makes the row then, is reset.")] = 0.0


# Where each group of knobs begins, for headings in --help and the docs.
_GROUPS = {
    "seed": "Chance",
    "token_expires_in_seconds": "Login and roles",
    "max_page_size": "Paging, order and filters",
    "total_amount_type": "How fields are written",
    "date_header": "Clock",
    "enforce_limits": "Pace",
    "throttle_409_rate": "Throttling by chance",
    "error_500_rate": "Broken answers",
    "ignored_filter_rate": "Questions misunderstood",
    "update_rate": "Life between two answers",
    "write_500_before_rate": "Writes",
}

# A few that stand for a tenant on a good, an ordinary and a bad day. An honest client can read all three exactly: what
# no client can (an ignored filter, a login page) is for tests to set one by one.
PROFILES: dict[str, dict[str, Any]] = {
    "calm": {},
    "busy": {
        "shuffle_ties": True,
        "throttle_409_rate": 0.01,
        "update_rate": 0.5,
        "insert_rate": 0.5,
        "late_insert_rate": 0.05,
        "delete_rate": 0.1,
        "pay_rate": 0.5,
        "refund_rate": 0.05,
        "part_pay_rate": 0.1,
        "void_rate": 0.05,
        "credit_rate": 0.05,
        "clock_step_seconds": 1.0,
    },
    "hostile": {
        "shuffle_ties": True,
        "max_page_size": 500,
        "token_dies_after_requests": 40,
        "dir_convention": "1/-1",
        "range_end": "whole_minute",
        "total_amount_type": "mixed",
        "flag_type": "mixed",
        "time_form": "mixed",
        "unknown_field_rate": 0.2,
        **dict.fromkeys(
            ("throttle_409_rate", "throttle_date_rate", "throttle_429_rate", "throttle_503_rate", "throttle_bare_rate"),
            0.004,
        ),
        **dict.fromkeys(
            ("error_500_rate", "error_502_rate", "error_503_rate", "reset_rate", "reset_mid_body_rate", "slow_rate"),
            0.006,
        ),
        "slow_seconds": 0.3,
        "update_rate": 2.0,
        "insert_rate": 1.0,
        "late_insert_rate": 0.3,
        "past_stamp_rate": 0.1,
        "delete_rate": 0.3,
        "pay_rate": 1.0,
        "refund_rate": 0.2,
        "part_pay_rate": 0.3,
        "void_rate": 0.1,
        "credit_rate": 0.1,
        "most_ids_at_once": 40,
        "clock_step_seconds": 1.0,
    },
}


class KnobHelp(NamedTuple):
    """A knob as `--help` and the docs show it."""

    name: str
    type: Any
    default: Any
    explanation: str
    group: str


def knob_table() -> list[KnobHelp]:
    """Every knob in the order of its declaration."""
    hints, table, group = get_type_hints(Knobs, include_extras=True), [], ""
    for one in msgspec.structs.fields(Knobs):
        group = _GROUPS.get(one.name, group)
        plain, *metas = get_args(hints[one.name])
        explanation = next(meta.description for meta in metas if meta.description)
        table.append(KnobHelp(one.name, plain, one.default, explanation, group))
    return table


def make_knobs(profile: str = "calm", **changes: Any) -> Knobs:  # noqa: ANN401 - of each knob's type, checked here
    """Knobs of a profile with changes; None leaves a knob as it is, text is read as the knob's type.

    Raises ValueError that names the knob whose value does not fit, or the profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"there is no profile {profile!r}: take one of {', '.join(PROFILES)}")
    chosen = PROFILES[profile] | {name: value for name, value in changes.items() if value is not None}
    try:
        knobs = msgspec.convert(chosen, Knobs, strict=False)
        ZoneInfo(knobs.filter_time_zone)
    except msgspec.ValidationError as error:
        raise ValueError(f"the sandbox's knobs: {error}") from None
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"filter_time_zone: {error}") from None
    return knobs


def knobs_as_markdown() -> str:
    """A table a group: each knob, its value in every profile, what it does. `docs/sandbox.md` holds it."""
    lines: list[str] = []
    group = ""
    for knob in knob_table():
        if knob.group != group:
            group = knob.group
            lines += [
                "",
                f"### {group}",
                "",
                "| knob | calm | busy | hostile | what it does |",
                "|---|---|---|---|---|",
            ]
        values = [PROFILES[name].get(knob.name, knob.default) for name in PROFILES]
        shown = [f"`{msgspec.json.encode(value).decode()}`" for value in values]
        shown = shown[:1] + ["" if one == shown[0] else one for one in shown[1:]]
        lines.append(f"| `{knob.name}` | {' | '.join(shown)} | {knob.explanation} |")
    return "\n".join(lines[1:]) + "\n"
