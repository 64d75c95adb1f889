"""Each misbehaviour that the sandbox can be set to is found, by fewer than 25 requests that change nothing."""

from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
import pytest

from pipelines.errors import WrongUseError
from pipelines.extract.doctor import NAMES, examine, exit_code
from pipelines.extract.doctor_readings import size_finding, ties_finding
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.sandbox.knobs import PROFILES, make_knobs
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox


@pytest.fixture
def tenant(closing):
    """A year of about 3,000 entries, its clock set to ours."""
    with ExitStack() as stack:
        until = datetime.now(UTC)
        yield stack.enter_context(running_sandbox(make_operator(size=3000, months=12, until=until)))
        closing.submit(stack.pop_all().close)


@pytest.fixture
def examined(tenant, settings_for, fake_time):
    """What the doctor finds, by name, once knobs are set; checks what is true of every examination."""

    def run(knobs=None, **changes):
        for name, value in (knobs or {}).items():
            setattr(tenant.knobs, name, value)
        before = (len(tenant.store), dict(tenant.store.changes), tenant.store.truth())
        settings = settings_for(tenant.base_url, **({"page_size": 500} | changes))
        findings = examine(settings, clock=lambda: datetime.now(UTC), sleep=fake_time.sleep)
        assert [finding.name for finding in findings] == list(NAMES)
        assert len(tenant.requests) < 25
        assert {one.method for one in tenant.requests.seen if one.path != "/api/token"} <= {"GET"}
        assert (len(tenant.store), dict(tenant.store.changes), tenant.store.truth()) == before
        return {finding.name: finding for finding in findings}

    return run


def test_a_tenant_that_behaves_leaves_nothing_to_change(examined):
    found = examined()
    assert {name: finding.verdict for name, finding in found.items()} == dict.fromkeys(NAMES, "ok")
    assert {name for name, finding in found.items() if finding.setting_to_change} <= {"page size"}
    assert exit_code(found.values()) == 0


def test_a_missing_role_for_invoices_is_named_with_what_is_missing_without_it(examined):
    found = examined({"roles": "CoworkerInvoiceHistory-List"})
    assert (found["invoices"].verdict, found["invoices by id"].verdict) == ("warn", "unknown")
    assert "`CoworkerInvoice-List`" in found["invoices"].explanation
    assert "part-paid invoices count as open" in found["invoices"].explanation
    assert exit_code(found.values()) == 0


@pytest.mark.parametrize(("setting", "verdict", "code"), [("on", "fail", 3), ("off", "ok", 0)])
def test_the_setting_decides_what_a_missing_role_for_invoices_means(examined, setting, verdict, code):
    found = examined({"roles": "CoworkerInvoiceHistory-List"}, invoices=setting)
    assert found["invoices"].verdict == verdict
    assert exit_code(found.values()) == code


@pytest.mark.parametrize("most", [100, 40])
def test_how_many_invoices_come_at_once_by_their_ids_is_found(examined, most):
    assert examined({"most_ids_at_once": most})["invoices by id"].value == f"{most} of 100 came at once"


SETTLING = {"part_pay_rate", "void_rate", "credit_rate"}
ZONE, SIZE, PACE = "NEXUDUS_FILTER_TIMEZONE", "NEXUDUS_PAGE_SIZE", "NEXUDUS_REQUESTS_PER_MINUTE"


@pytest.mark.parametrize(
    ("knobs", "name", "verdict", "value", "setting"),
    [
        ({"roles": ""}, "role", "fail", "missing", None),
        ({"roles": "", "missing_role_status": 403}, "role", "fail", "missing", None),
        ({"required_filter": "CoworkerInvoiceHistory_CoworkerInvoice"}, "date-only list", "fail", "required", None),
        ({"required_filter": "from_CoworkerInvoiceHistory_UpdatedOn"}, "date-only list", "ok", "allowed", None),
        ({"date_header_skew_seconds": 90}, "clock", "warn", "+", None),
        ({"date_header": False}, "clock", "warn", "no Date", "NEXUDUS_SETTLE_MINUTES"),
        ({"date_header_skew_seconds": -86400 * 9}, "row stamps", "warn", "after the Date", "NEXUDUS_SETTLE_MINUTES"),
        ({"dir_convention": "1/-1"}, "ascending order", "ok", "dir=0: descending, dir=1: ascending", None),
        ({"reversed_order_rate": 1}, "ascending order", "ok", "dir=0: descending, dir=1: ascending", None),
        ({"unordered_rate": 1}, "ascending order", "warn", "none", None),
        ({"unordered_rate": 1}, "order by Id", "warn", "none", None),
        ({"max_page_size": 100}, "page size", "warn", "100", f"{SIZE}=100"),
        ({"max_page_size": 9000}, "page size", "ok", "5000, by its own word", None),
        ({"other_page_size_rate": 1}, "page size", "warn", "250", f"{SIZE}=250"),
        ({"ignored_page_rate": 1}, "page number", "warn", "page 1 came", None),
        ({"deep_page_403_after": 58}, "deep pages", "ok", "refused", None),
        ({"ignored_filter_rate": 1}, "range filter", "fail", "ignored", None),
        ({"filter_time_zone": "Europe/London"}, "filter time zone", "fail", "London", f"{ZONE}=Europe/London"),
        ({"filter_time_zone": "America/Chicago"}, "filter time zone", "fail", "Chicago", f"{ZONE}=America/Chicago"),
        ({"filter_time_zone": "Asia/Kolkata"}, "filter time zone", "fail", "Kolkata", f"{ZONE}=Asia/Kolkata"),
        ({"filter_time_zone": "Australia/Sydney"}, "filter time zone", "fail", "Sydney", f"{ZONE}=Australia/Sydney"),
        ({"range_end": "second"}, "range end", "ok", "is in the range, compared by the second", None),
        ({"range_end": "minute"}, "range end", "ok", "is in the range, compared by the minute", None),
        ({"range_end": "whole_minute"}, "range end", "ok", "whole end minute", None),
        ({"range_end": "exclusive"}, "range end", "ok", "is not in the range", None),
        ({"shuffle_ties": True}, "ties", "ok", "another order each time", None),
        ({"total_amount_type": "text"}, "amount", "ok", "text", None),
        ({"total_amount_type": "mixed"}, "amount", "ok", "number and text", None),
        ({"flag_type": "mixed"}, "flags", "ok", "boolean and text", None),
        ({"time_form": "no_zone"}, "times", "ok", "no zone", None),
        ({"time_form": "fraction"}, "times", "ok", "fraction, Z", None),
        ({"time_form": "mixed"}, "ascending order", "ok", "dir=0: ascending", None),
        ({"null_updated_on_rate": 0.1}, "UpdatedOn", "warn", "null in", None),
        ({"unknown_field_rate": 0.1}, "undocumented fields", "warn", "CoworkerInvoiceTaxRateName", None),
        ({"missing_field_rate": 0.1, "missing_field": "Notify"}, "missing fields", "warn", "Notify", None),
        ({"wrong_type_rate": 0.1}, "broken records", "warn", "CoworkerInvoiceId", None),
        ({"throttle_409_rate": 0.2}, "throttling", "warn", "409 with Retry-After in seconds", PACE),
        ({"throttle_date_rate": 0.2}, "throttling", "warn", "409 with Retry-After as a date", PACE),
        ({"throttle_429_rate": 0.2}, "throttling", "warn", "429 with the wait in the text", PACE),
        ({"throttle_503_rate": 0.2}, "throttling", "warn", "503 with Retry-After in seconds", PACE),
        ({"throttle_bare_rate": 0.2}, "throttling", "warn", "409 bare", PACE),
        ({"error_500_rate": 0.2}, "broken answers", "warn", "status 500", None),
        ({"error_502_rate": 0.2}, "broken answers", "warn", "status 502", None),
        ({"error_503_rate": 0.2}, "broken answers", "warn", "status 503", None),
        ({"reset_rate": 0.2}, "broken answers", "warn", "the connection broke", None),
        ({"reset_mid_body_rate": 0.2}, "broken answers", "warn", "the connection broke", None),
        ({"truncated_json_rate": 0.2}, "broken answers", "warn", "cut short", None),
        ({"login_page_rate": 1}, "broken answers", "fail", "no answer", None),
        ({"null_records_rate": 1}, "broken answers", "fail", "no answer", None),
        ({"error_500_rate": 1}, "broken answers", "fail", "no answer", None),
        ({"token_dies_after_requests": 6}, "broken answers", "warn", "401, token renewed", None),
    ],
    ids=str,
)
def test_each_misbehaviour_is_found(examined, knobs, name, verdict, value, setting):  # noqa: PLR0917 - columns
    finding = examined(knobs)[name]
    assert (finding.verdict, value in finding.value) == (verdict, True), finding
    assert setting is None or (finding.setting_to_change or "").startswith(setting)


def test_slow_answers_are_found(examined):
    finding = examined({"slow_rate": 0.2, "slow_seconds": 0.4}, timeout_seconds=1)["slowest answer"]
    assert finding.verdict == "warn"
    assert float(finding.value.removesuffix(" s")) >= 0.4
    assert finding.setting_to_change.startswith("NEXUDUS_TIMEOUT_SECONDS")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_be_examined(tenant, examined, profile):
    knobs = make_knobs(profile)
    still = {"update_rate", "insert_rate", "late_insert_rate", "delete_rate", "pay_rate", "refund_rate", *SETTLING}
    chosen = {name: value for name, value in PROFILES[profile].items() if name not in still | {"past_stamp_rate"}}
    found = examined(chosen)
    assert knobs is not tenant.knobs
    assert not [finding for finding in found.values() if finding.verdict == "fail"]


def test_a_moving_tenant_can_be_examined(tenant, settings_for, fake_time):
    for name, value in PROFILES["busy"].items():
        setattr(tenant.knobs, name, value)
    found = {finding.name: finding for finding in examine(settings_for(tenant.base_url), sleep=fake_time.sleep)}
    assert found["filter time zone"].verdict == "ok"
    assert found["ascending order"].verdict == "ok"


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Australia/Sydney"])
def test_the_right_zone_in_the_settings_is_confirmed(examined, zone):
    found = examined({"filter_time_zone": zone}, filter_timezone=zone)
    assert (found["filter time zone"].verdict, found["filter time zone"].value) == ("ok", zone)
    assert found["range end"].verdict == "ok"


def test_a_wrong_zone_in_the_settings_is_found_where_the_api_reads_utc(examined):
    finding = examined(filter_timezone="Europe/Madrid")["filter time zone"]
    assert (finding.verdict, finding.setting_to_change) == ("fail", "NEXUDUS_FILTER_TIMEZONE=UTC")


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_tenant_with_few_entries_is_no_puzzle(settings_for, fake_time, size):
    operator = make_operator(size=200, months=3)
    operator.entries[:] = operator.entries[:size]
    with running_sandbox(operator) as sandbox:
        found = {finding.name: finding for finding in examine(settings_for(sandbox.base_url), sleep=fake_time.sleep)}
    assert list(found) == list(NAMES)
    assert not [finding for finding in found.values() if finding.verdict == "fail"]
    assert found["role"].verdict == "ok"


def test_a_refused_login_is_a_finding(examined):
    found = examined(password="wrong")
    assert found["login"].verdict == "fail"
    assert "NEXUDUS_PASSWORD" in found["login"].setting_to_change
    assert found["role"].verdict == "unknown"
    assert exit_code(found.values()) == 3


def test_a_refused_fixed_token_is_a_finding(examined):
    found = examined(access_token="ended", username=None, password=None)
    assert found["role"].setting_to_change == "NEXUDUS_ACCESS_TOKEN"
    assert exit_code(found.values()) == 3


def test_an_unreachable_host_is_a_finding(settings_for, fake_time):
    findings = examine(settings_for("http://127.0.0.1:9"), sleep=fake_time.sleep)
    found = {finding.name: finding for finding in findings}
    assert found["connection"].verdict == "fail"
    assert "127.0.0.1:9 cannot be reached" in found["connection"].explanation
    assert exit_code(findings) == 1


def test_without_a_login_there_is_nothing_to_examine(settings_for):
    with pytest.raises(WrongUseError, match="NEXUDUS_USERNAME"):
        examine(settings_for("http://127.0.0.1:9", username=None))


@pytest.mark.parametrize(
    ("knobs", "code"),
    [
        ({"roles": ""}, 3),
        ({"login_page_rate": 1}, 1),
        ({"filter_time_zone": "Asia/Tokyo"}, 2),
        ({"ignored_filter_rate": 1}, 4),
    ],
)
def test_the_exit_code_is_that_of_a_command_that_meets_the_same(examined, knobs, code):
    assert exit_code(examined(knobs).values()) == code


def test_ties_without_ties_are_not_judged(tenant, client_for, settings_for):
    tenant.knobs.shuffle_ties = True
    histories = EntitySource(client_for(tenant), settings_for(tenant.base_url), HISTORIES)
    one = histories.search(size=1, order_by="UpdatedOn")
    assert ties_finding(one, one).verdict == "unknown"


def test_an_answer_that_holds_no_entry_and_says_a_size_of_0_is_no_advice(tenant, settings_for, client_for):
    one = EntitySource(client_for(tenant), settings_for(tenant.base_url), HISTORIES).search(size=1)
    empty = msgspec.structs.replace(one, records=[], page_size=0)
    found = size_finding(1000, empty, configured=1000)
    assert (found.verdict, found.setting_to_change) == ("unknown", None)
