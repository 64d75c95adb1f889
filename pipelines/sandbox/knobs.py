"""Every setting of the sandbox's behaviour, with the one line that explains it to `--help`, the docs and readers."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

FieldType = Literal["plain", "text", "mixed"]
ThrottleForm = Literal["409", "date", "429", "503", "bare"]


def _knob(default: Any, explanation: str) -> Any:  # noqa: ANN401 - stands for a field of any type, as dataclasses.field does
    return field(default=default, metadata={"help": explanation})


def _rate(explanation: str) -> Any:  # noqa: ANN401 - the same
    return _knob(0.0, f"{explanation} Share of requests, 0 to 1.")


def _events(explanation: str) -> Any:  # noqa: ANN401 - the same
    return _knob(0.0, f"{explanation} Events per answered search.")


@dataclass(kw_only=True)
class Knobs:
    """The sandbox's behaviour; change a value at any time, the next request obeys it."""

    seed: int = _knob(1, "Seed of everything that happens by chance; each fault has a stream of its own.")

    # login
    token_expires_in_seconds: int = _knob(604_799, "Life of an access token, as told in expires_in.")
    token_dies_after_requests: int = _knob(0, "An access token is refused after so many requests; 0 is never.")
    bad_login_status: Literal[400, 401] = _knob(400, "Status of invalid_grant.")
    roles: str = _knob("*", "Roles of the user, by comma; * is a full unrestricted administrator.")
    missing_role_status: Literal[401, 403] = _knob(401, "Status when the role is missing.")

    # paging, order and filters
    max_page_size: int = _knob(1000, "Largest honoured size; a larger one is cut to it.")
    dir_convention: Literal["0/1", "1/-1"] = _knob("0/1", "What dir means: 0 is ascending, or 1 is.")
    range_end: Literal["second", "minute", "whole_minute", "exclusive"] = _knob(
        "second",
        "How to_ compares: by the second; cut to its minute; taking in that whole minute; or leaving the end out.",
    )
    filter_time_zone: str = _knob("UTC", "The time zone in which filter values are read.")
    shuffle_ties: bool = _knob(False, "Rows with equal sort values come in another order at each request.")
    deep_page_403_after: int = _knob(0, "Pages beyond this number answer 403; 0 is never.")
    required_filter: str = _knob("", "Answer 400 'Missing required filter' unless this parameter is given.")

    # how fields are written
    total_amount_type: FieldType = _knob("plain", "CoworkerInvoiceTotalAmount as number (plain), text, or mixed.")
    flag_type: FieldType = _knob("plain", "CoworkerInvoicePaid and ...Draft as boolean (plain), text, or mixed.")
    time_form: Literal["z", "fraction", "no_zone", "mixed"] = _knob(
        "z", "Times end in Z, carry fractions, have no zone, or are mixed."
    )
    unknown_field_rate: float = _knob(0.0, "Share of records with a field that nobody documented.")
    missing_field_rate: float = _knob(0.0, "Share of records without one of their fields.")
    missing_field: str = _knob("", "The field they lack; empty is any that is not Id, CreatedOn or UpdatedOn.")
    wrong_type_rate: float = _knob(0.0, "Share of records whose CoworkerInvoiceId is a text that is no number.")
    null_updated_on_rate: float = _knob(0.0, "Share of records shown with UpdatedOn null.")

    # the clock
    date_header: bool = _knob(True, "Answers carry a Date header.")
    date_header_skew_seconds: int = _knob(0, "How far the Date header is ahead of the clock that stamps rows.")
    clock_step_seconds: float = _knob(0.0, "The clock jumps ahead so far after each answered search.")

    # pace
    enforce_limits: bool = _knob(False, "Enforce the limits below for real, by the sandbox's clock.")
    requests_per_100_ms: int = _knob(1, "Requests in any 100 ms; 0 is no limit.")
    requests_per_minute: int = _knob(120, "Requests in any minute; 0 is no limit.")
    requests_per_hour: int = _knob(5000, "Requests in any hour; 0 is no limit.")
    requests_per_day: int = _knob(200_000, "Requests in any day; 0 is no limit.")
    writes_per_minute: int = _knob(60, "Writes in any minute; 0 is no limit.")
    writes_per_day: int = _knob(5000, "Writes in any day; 0 is no limit.")
    limit_form: ThrottleForm = _knob("409", "The form in which a broken limit is answered.")

    # throttling by chance
    throttle_409_rate: float = _rate("409, Retry-After in seconds, no body.")
    throttle_date_rate: float = _rate("409, Retry-After as an HTTP date.")
    throttle_429_rate: float = _rate("429, 'Wait N seconds' with a fraction in the body, no header.")
    throttle_503_rate: float = _rate("503, Retry-After in seconds.")
    throttle_bare_rate: float = _rate("409 with neither header nor body.")
    throttle_wait_seconds: float = _knob(1.0, "The wait that throttle answers ask for.")

    # broken answers
    error_500_rate: float = _rate("500 with an HTML page.")
    error_502_rate: float = _rate("502 with an HTML page.")
    error_503_rate: float = _rate("503 with an HTML page and no Retry-After.")
    reset_rate: float = _rate("The connection is reset before any answer.")
    reset_mid_body_rate: float = _rate("The connection is reset in the middle of the body.")
    truncated_json_rate: float = _rate("200 with a JSON body cut short.")
    login_page_rate: float = _rate("200 with an HTML login page.")
    null_records_rate: float = _rate("Records is null.")
    slow_rate: float = _rate("The answer comes late.")
    slow_seconds: float = _knob(2.0, "How late slow answers and timed-out writes come.")

    # questions misunderstood
    ignored_filter_rate: float = _rate("All filters are ignored.")
    ignored_page_rate: float = _rate("Page 1 is answered, and echoed, whatever was asked.")
    other_page_size_rate: float = _rate("Half the page size is used, and echoed.")
    reversed_order_rate: float = _rate("Rows come in the opposite order.")
    unordered_rate: float = _rate("Rows come in no order.")

    # life between two answers
    update_rate: float = _events("An entry is updated now.")
    delete_rate: float = _events("An entry is deleted.")
    insert_rate: float = _events("An entry is inserted now.")
    late_insert_rate: float = _events("An entry with an old CreatedOn is inserted now.")
    past_stamp_rate: float = _events("An entry is committed with both stamps in the past.")
    past_stamp_seconds: int = _knob(120, "How far in the past such entries are stamped.")
    pay_rate: float = _events("An open invoice is paid; no entry's UpdatedOn moves.")
    refund_rate: float = _events("A paid invoice is refunded; no entry's UpdatedOn moves.")

    # writes
    write_500_before_rate: float = _rate("POST answers 500 and makes no row.")
    write_500_after_rate: float = _rate("POST makes the row, then answers 500.")
    write_refused_rate: float = _rate("POST answers 200 with WasSuccessful false and makes no row.")
    write_reset_before_rate: float = _rate("POST is reset and makes no row.")
    write_reset_after_rate: float = _rate("POST makes the row, then is reset.")
    write_late_before_rate: float = _rate("POST hangs for slow_seconds, then is reset; no row.")
    write_late_after_rate: float = _rate("POST makes the row at once, answers after slow_seconds.")

    def __post_init__(self) -> None:
        """Refuse values that no request could obey. Raises ValueError."""
        self.check()

    def check(self) -> None:
        """Raises ValueError naming the first knob whose value is not one of its choices or not a share."""
        hints = get_type_hints(Knobs)
        for one in fields(self):
            value, choices = getattr(self, one.name), get_args(hints[one.name])
            if choices and value not in choices:
                raise ValueError(f"{one.name} must be one of {', '.join(map(str, choices))}")
            if one.name.endswith("_rate") and (value < 0 or (value > 1 and "Events" not in one.metadata["help"])):
                raise ValueError(f"{one.name} must be between 0 and 1")


def knob_help() -> dict[str, str]:
    """Name of each knob and its one-line explanation."""
    return {one.name: one.metadata["help"] for one in fields(Knobs)}


def knob_defaults() -> dict[str, Any]:
    """Name of each knob and its default."""
    return {one.name: one.default for one in fields(Knobs)}
