"""Headers, what SQL reads, promises and data tests: each broken thing is found and named."""

from pathlib import Path

import pytest
from given import IN_FLIGHT, NO_FUNDS, SUCCESS, entry, land, model, row, rows

from pipelines.errors import WrongUseError
from pipelines.model.building import build, check
from pipelines.model.headers import Promise, parse_header
from pipelines.model.sql_models import load_models, tables_read

HEADER = """\
-- One row per coin.
-- It may be foreign.
--
-- columns
--   coin_id    Id of
--              the coin
--   side       Up or down
--   thrower    Who threw it
-- promises
--   unique: coin_id, side
--   not null: side
--   accepted: side in (up, down)
--   holds: coin_id > 0
--   holds coins_are_few: coin_id < 9
-- personal
--   thrower
--   side: coin_id
-- published
select 1 as coin_id, 'up' as side, 'Ada' as thrower
"""
PUBLISHED = {
    "history_entries",
    "invoices",
    "payment_attempts",
    "daily_payment_failure_rates",
    "monthly_payment_failure_rates",
    "daily_problem_entries",
    "problem_entry_trends",
    "incidents",
    "failed_invoice_recoveries",
    "recovery_cohorts",
    "unrecognised_entries",
    "wording_coverage",
}


def models_of(folder: Path, **files):
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    (folder / "checks").mkdir(exist_ok=True)
    return load_models(folder, folder / "checks")


def test_a_header_is_read_whole():
    header = parse_header(HEADER)
    assert header.description == "One row per coin. It may be foreign."
    assert header.columns == {"coin_id": "Id of the coin", "side": "Up or down", "thrower": "Who threw it"}
    assert header.promises == (
        Promise("unique", "coin_id, side"),
        Promise("not null", "side"),
        Promise("accepted", "side in (up, down)"),
        Promise("holds", "coin_id > 0"),
        Promise("holds", "coin_id < 9", "coins_are_few"),
    )
    assert [promise.name for promise in header.promises] == [
        "unique_coin_id_side",
        "not_null_side",
        "accepted_side",
        "holds_coin_id_0",
        "coins_are_few",
    ]
    assert header.personal == {"thrower": None, "side": "coin_id"}
    assert header.published


def test_a_model_is_published_by_opting_in():
    assert not parse_header(HEADER.replace("-- published\n", "")).published


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-- promises\n--   distinct: a", "3: a promise begins with one of"),
        ("-- columns\n--   lonely", "3: a column needs its name"),
        ("-- columns\n-- oops", "3: 'oops' belongs to no block"),
        ("-- promises\n--   accepted: a", "3: write `accepted: column in"),
        ("-- promises\n--   holds Too Odd: a", "3: a promise begins with one of"),
        ("-- promises\n--   holds: a > 0\n--   holds: a < 0", "4: another promise is called 'holds_a_0'"),
        (f"-- promises\n--   holds: {'a' * 60}", "3: a promise's name has at most 60 characters"),
    ],
)
def test_a_malformed_header_is_refused_by_file_line_and_reason(tmp_path, line, reason):
    with pytest.raises(WrongUseError) as refused:
        models_of(tmp_path, coins=f"-- One row.\n{line}\nselect 1")
    assert str(refused.value).startswith(f"{tmp_path / 'coins.sql'}:{reason}")


def test_sql_that_does_not_parse_is_refused(tmp_path):
    with pytest.raises(WrongUseError, match=r"coins.sql: .*syntax error"):
        models_of(tmp_path, coins="selec 1")


def test_models_in_a_circle_are_refused(tmp_path):
    with pytest.raises(WrongUseError, match="circle"):
        models_of(tmp_path, one="select * from model.two", two="select * from model.one")


def test_what_a_query_reads_is_found_by_the_parser_not_by_the_words():
    sql = """
    with here as (select 'from land.in_a_string' as text from land.one) -- from land.in_a_comment
    select *, (select max(x) from land.three) from here join model.two using (x) join bare using (x)
    where exists (with deep as (from land.four) select * from deep) union all select * from here
    """
    assert tables_read(sql) == ({"land.one", "model.two", "land.three", "land.four"}, {"bare"})


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("select 1 as coin_id, 'up' as side, 'Ada' as thrower", set()),
        ("select 1 as coin_id, 'up' as side, 'Ada' as thrower from range(2)", {"unique_coin_id_side"}),
        ("select 1 as coin_id, null as side, 'Ada' as thrower", {"not_null_side"}),
        ("select null as coin_id, 'up' as side, 'Ada' as thrower from range(2)", {"unique_coin_id_side"}),
        ("select 1 as coin_id, 'edge' as side, 'Ada' as thrower", {"accepted_side"}),
        ("select 9 as coin_id, 'up' as side, 'Ada' as thrower", {"coins_are_few"}),
        ("select 0 as coin_id, 'up' as side, 'Ada' as thrower", {"holds_coin_id_0"}),
        ("select 1 as coin_id, 'up' as side, 'Ada' as thrower, 3 as more", {"documented_columns_equal_real_ones"}),
    ],
)
def test_each_broken_promise_is_found(warehouse, tmp_path, sql, broken):
    warehouse.execute("create schema if not exists model")
    (coins,) = models_of(tmp_path, coins=HEADER.rpartition("select")[0] + sql)
    build(warehouse, coins)
    assert {result.name for result in check(warehouse, coins) if not result.passed} == broken


def test_a_failed_assert_of_a_shared_module_says_what_failed(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS), entry(1, 2, NO_FUNDS))
    with pytest.raises(AssertionError, match="Left contains"):
        model(warehouse)


def test_a_broken_promise_shows_the_first_rows_without_personal_columns_and_counts_all(warehouse, tmp_path):
    warehouse.execute("create schema if not exists model")
    (coins,) = models_of(
        tmp_path,
        coins=HEADER.replace("select 1", "select -i").replace("as thrower\n", "as thrower from range(9) t (i)"),
    )
    build(warehouse, coins)
    (broken,) = [result for result in check(warehouse, coins) if not result.passed]
    assert (broken.count, len(broken.rows), set(broken.rows[0])) == (9, 5, {"coin_id"})


def test_every_published_table_is_there_and_says_what_each_column_means():
    models = load_models()
    assert {each.name for each in models if each.published} >= PUBLISHED
    assert [each.name for each in models if not (each.description and each.columns and each.promises)] == []
    assert [(each.name, column) for each in models for column in each.personal if column not in each.columns] == []


def test_units_are_in_the_names(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS))
    model(warehouse)
    types = {
        "_at": "TIMESTAMP WITH TIME ZONE",
        "_date": "DATE",
        "_ratio": "DOUBLE",
        "_count": "BIGINT|DOUBLE",
        "_days": "BIGINT",
    }
    columns = rows(
        warehouse, "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'model'"
    )
    wrong = [
        each
        for each in columns
        for ending, kinds in types.items()
        if each["column_name"].endswith(ending) and each["data_type"] not in kinds.split("|")
    ]
    assert wrong == []
    assert [
        each for each in columns if each["column_name"].startswith(("is_", "has_")) and each["data_type"] != "BOOLEAN"
    ] == []
    assert [
        each
        for each in columns
        if each["column_name"].endswith("_amount") and not each["data_type"].startswith("DECIMAL")
    ] == []


@pytest.mark.parametrize(
    "name", [each.name for each in load_models() if each.published and any(c.endswith("_amount") for c in each.columns)]
)
def test_a_table_of_sums_has_its_currency_in_its_key(name):
    (each,) = [each for each in load_models() if each.name == name]
    assert "currency_code" in each.columns
    keys = [promise.columns for promise in each.promises if promise.kind == "unique"]
    assert any("currency_code" in key for key in keys) or {"invoice_id"} <= set(each.columns)


BREAKAGES = {
    "drivers_sum_to_the_change": "update model.period_payment_failure_rates"
    " set first_attempt_failure_change_ratio = 0.1",
    "money_at_risk_ends_with_what_is_open": "update model.daily_amounts_at_risk set at_risk_amount = 0",
    "every_live_entry_is_published_once": "delete from model.history_entries where entry_id = 1",
    "attempts_equal_failed_plus_succeeded": "update model.monthly_payment_failure_rates set failed_attempt_count = 2",
    "daily_sums_equal_monthly": "update model.daily_payment_failure_rates set failed_amount = failed_amount + 0.0001",
    "month_rates_so_far_end_with_the_month": "update model.month_rates_so_far set failed_first_attempt_count = 0",
    "routes_add_up_to_the_month": "update model.route_failure_rates set first_attempt_count = 9",
    "landed_attempts_are_counted_or_left_out_by_rule": "delete from model.excluded_attempts",
    "every_payment_in_flight_is_counted_once": "update model.monthly_payment_failure_rates set pending_count = 0",
    "every_failed_invoice_is_followed_up_once": "delete from model.failed_invoice_recoveries",
    "cohorts_count_every_failed_invoice_once": "update model.recovery_cohorts set failed_amount = 0",
    "trends_have_no_gap": "delete from model.problem_entry_trends where day_date = '2025-03-04'",
    "trends_count_every_problem_entry": "update model.problem_entry_trends set problem_entry_count = 9",
    "no_amount_without_currency": "alter table model.recovery_cohorts drop column currency_code",
}


def test_each_data_test_finds_what_its_name_rules_out(warehouse):
    land(
        warehouse,
        entry(1, 1, NO_FUNDS),
        entry(2, 2, SUCCESS, 3),
        entry(3, 3, IN_FLIGHT),
        entry(4, 4, NO_FUNDS, draft=True),
    )
    model(warehouse)
    tests = {test.name: test for each in load_models() for test in each.tests}
    assert set(tests) == set(BREAKAGES)
    for name, breakage in BREAKAGES.items():
        warehouse.execute("begin")
        assert rows(warehouse, tests[name].sql) == []
        warehouse.execute(breakage)
        assert rows(warehouse, tests[name].sql) != [], name
        warehouse.execute("rollback")


def test_building_twice_changes_nothing(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS), entry(2, 1, SUCCESS, 1))
    tables = [built.model.table for built in model(warehouse)]
    before = {table: rows(warehouse, f"select * from {table} order by all") for table in tables}
    model(warehouse)
    assert {table: rows(warehouse, f"select * from {table} order by all") for table in tables} == before


def test_a_table_that_became_empty_is_empty(warehouse):
    land(warehouse, entry(1, 1, NO_FUNDS))
    model(warehouse)
    warehouse.execute("delete from land.coworker_invoice_histories")
    model(warehouse)
    assert row(warehouse, "select count(*) as count from model.monthly_payment_failure_rates") == {"count": 0}
