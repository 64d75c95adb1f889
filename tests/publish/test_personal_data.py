"""No name of a person, and nothing else that people write, leaves the warehouse unless the user says so."""

import re
import zipfile

import duckdb
import pytest
from landed_canaries import CANARIES, WRITTEN

from pipelines.model.sql_models import load_models
from pipelines.publish.analytics import load_views
from pipelines.publish.parquet import publish_parquet
from pipelines.publish.releases import report_path
from pipelines.publish.snapshot import open_snapshot
from pipelines.publish.spreadsheets import export
from pipelines.settings import utc_now
from pipelines.show.report import write_report

SECRETS = {*CANARIES, *(secret for secret, _ in WRITTEN.values())}
PERSONAL = {
    ("invoices", "coworker_full_name"),
    ("invoices", "bill_to_name"),
    ("history_entries", "updated_by"),
    ("history_entries", "name"),
    ("history_entries", "description"),
    ("recorded_entries", "name"),
    ("unrecognised_entries", "name"),
}


def everything(connection, tables):
    rows = [row for table in tables for row in connection.execute(f"from {table}").fetchall()]
    return "\n".join(str(value) for row in rows for value in row)


def secrets_in(text):
    return sorted(secret for secret in SECRETS if secret.lower() in text.lower())


def contents(file):
    """The text of a file, of a workbook's parts too."""
    if file.suffix == ".xlsx":
        with zipfile.ZipFile(file) as workbook:
            return "".join(workbook.read(name).decode() for name in workbook.namelist())
    return file.read_bytes().decode("utf-8", errors="ignore")


def written_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def publish_all(publish_once, target, *, personal_data):
    """A release with all that is made of it."""
    published = publish_once(personal_data=personal_data)
    publish_parquet(target)
    with open_snapshot(target, writes_to=target.parent) as snapshot:
        for kind in ("csv", "xlsx"):
            export(snapshot, target.parent / "export", kind)
        export(snapshot, target.parent / "all" / "export", "xlsx", snapshot.tables)
        write_report(snapshot, report_path(target), utc_now())
    return published


def test_nothing_that_people_write_is_in_any_published_value_or_file(publish_once, target):
    publish_all(publish_once, target, personal_data=False)

    with duckdb.connect(str(target), read_only=True) as connection:
        tables = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        files = [f"'{target.parent}/analytics_parquet/current/{table}/*.parquet'" for table in tables]
        assert secrets_in(everything(connection, [*tables, *files])) == []
    assert len(written_below(target.parent)) > 50
    assert [(path.name, found) for path in written_below(target.parent) if (found := secrets_in(contents(path)))] == []


def test_with_personal_data_each_of_these_is_found_there(publish_once, target):
    """So that the search above cannot succeed by not finding anything ever."""
    publish_all(publish_once, target, personal_data=True)

    with duckdb.connect(str(target), read_only=True) as connection:
        assert set(secrets_in(everything(connection, ["invoices", "history_entries"]))) == SECRETS
        assert connection.execute("select has_personal_data from about").fetchall() == [(True,)]
    (workbook,) = (target.parent / "all" / "export").glob("*.xlsx")
    assert set(secrets_in(contents(workbook))) >= {"Vandersloot", "王小明"}


KNOWN = {
    "FAILED: Insufficient funds. Zanthippe Quillfeather, card 4711.": "FAILED: Insufficient funds. … #.",
    "FAILED: Insufficient funds. Mu\u0308llerova\u0301 called.": "FAILED: Insufficient funds. ….",
    "SUCCESS: The payment was collected.": "SUCCESS: The payment was collected.",
    "Lives at 12 Larkspur Crescent, NW1 6XE": "…, # #",
    "付款失败：王小明": "…",  # noqa: RUF001 - as people write it
}


@pytest.mark.parametrize(("text", "shown"), KNOWN.items())
def test_what_the_rules_know_is_shown_and_the_rest_is_left_out(warehouse, text, shown):
    found = warehouse.execute(
        "select distinct public_description from model.history_entries where description = $text", {"text": text}
    )

    assert found.fetchall() == [(shown,)]


def test_switching_personal_data_off_removes_what_was_published_before(publish_once, target):
    publish_all(publish_once, target, personal_data=True)
    assert publish_once(personal_data=True).withdraws_personal_data is False

    published = publish_all(publish_once, target, personal_data=False)

    assert published.withdraws_personal_data
    assert [path.name for path in (target.parent / "analytics.releases").iterdir()] == ["000003.duckdb"]
    kept = [path for path in written_below(target.parent) if path.parent.name != "export"]
    assert [(path.name, found) for path in kept if (found := secrets_in(contents(path)))] == []


def test_the_dictionary_says_which_columns_are_personal(publish_once, target):
    publish_once()
    with duckdb.connect(str(target), read_only=True) as connection:
        marked = connection.execute("select table_name, column_name from data_dictionary where is_personal").fetchall()
    assert set(marked) >= PERSONAL


def test_invoice_numbers_and_customers_may_be_tokens_that_stay_the_same(publish_once, target):
    def read(query):
        with duckdb.connect(str(target), read_only=True) as connection:
            return connection.execute(query).fetchall()

    by_invoice = "select invoice_id, invoice_number, coworker_id from invoices order by all"
    customers = "select coworker_id from customers where coworker_id is not null order by all"
    publish_once()
    plain, plain_customers = read(by_invoice), read(customers)
    marked = "select table_name, column_name from data_dictionary where is_pseudonymous order by all"
    assert read(marked) == [("customers", "coworker_id"), ("invoices", "coworker_id"), ("invoices", "invoice_number")]

    assert publish_once(tokens=True).withdraws_personal_data
    tokens, token_customers = read(by_invoice), read(customers)

    assert [path.name for path in (target.parent / "analytics.releases").iterdir()] == ["000002.duckdb"]
    for column in (1, 2):
        pairs = {(one[column], other[column]) for one, other in zip(plain, tokens, strict=True)}
        assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs}) > 1
        assert not {one for one, _ in pairs if one} & {other for _, other in pairs}
    assert {one for (one,) in token_customers} <= {row[2] for row in tokens}
    assert len(set(token_customers)) == len(set(plain_customers))
    publish_once(tokens=True)
    assert read(by_invoice) == tokens


def test_a_model_that_holds_titles_or_texts_says_that_they_are_personal():
    texts = re.compile(r"(.*_)?(name|description|pattern|text|detail|updated_by)")
    ours = {"rule_name", "business_name", "rule_name_pattern"}
    for model in (*load_models(), *load_views()):
        named = {column for column in model.columns if texts.fullmatch(column) and "public_" not in column}
        said = named - ours
        assert model.name == "entry_rules" or said <= set(model.personal), model.name
