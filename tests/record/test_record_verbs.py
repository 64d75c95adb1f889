"""`record` and `escalate` as a person meets them: what they print, the result file, and with which code they end."""

import csv
import json
import stat

import pytest
from command_line import run_here
from given_collection import sync
from on_the_server import keeps_failing, writes_of

from pipelines.land.warehouse import open_warehouse

HEADER = "invoice_id,name,description,is_problem,notify\n"


@pytest.fixture
def at_sandbox(sandbox, settings_for, monkeypatch):
    """The environment of a command that finds the sandbox; its folder for files."""
    settings = settings_for(sandbox)
    for name, value in settings.model_dump(exclude_none=True).items():
        plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        monkeypatch.setenv(f"NEXUDUS_{name.upper()}", str(plain))
    monkeypatch.chdir(settings.data_dir.parent)
    return settings.data_dir.parent


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """The environment of a command that would find nobody there if it asked; its empty folder."""
    settings = {"BASE_URL": "http://127.0.0.1:9", "USERNAME": "x", "PASSWORD": "x", "DATA_DIR": tmp_path / "data"}
    for name, value in settings.items():
        monkeypatch.setenv(f"NEXUDUS_{name}", str(value))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def invoice(sandbox):
    return next(iter(sandbox.store.invoices))


def test_one_entry_prints_its_id_and_a_second_time_that_it_is_there(at_sandbox, sandbox, invoice):
    command = ("record", "--invoice-id", str(invoice), "--name", "Called", "--description", "No answer.", "--problem")

    first, second = run_here(*command), run_here(*command)

    (row,) = [row for row in sandbox.store.invoices[invoice].entries if row.name == "Called"]
    assert (first.code, first.out) == (0, f"Created entry {row.id} on invoice {invoice} {row.description[-18:]}.\n")
    assert row.is_problem
    assert not sandbox.store.notified_ids
    assert second.code == 0
    assert f"Entry {row.id} on invoice {invoice} was recorded before" in second.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--invoice-id, --name and --description"),
        (("--invoice-id", "5", "--name", "x"), "--invoice-id, --name and --description"),
        (("--invoice-id", "5", "--name", " ", "--description", "\n"), "name is blank; description is blank"),
        (("--invoice-id", "0", "--name", "x", "--description", "y"), "invoice_id is not the Id"),
        (("--invoice-id", "5", "--name", "x" * 256, "--description", "y"), "name has 256 characters, more than 255"),
        (("--invoice-id", "5", "--name", "x", "--description", "y" * 2001), "more than 2000"),
        (("--invoice-id", "5", "--name", "x\ny", "--description", "y"), "name contains a line break"),
        (("--invoice-id", "5", "--name", "x", "--description", "y [REF 12]"), "uses for its own references"),
        (("--invoice-id", "five", "--name", "x", "--description", "y"), "--invoice-id"),
        (("--from", "a.csv", "--name", "x"), "not both"),
        (("--result", "a.csv"), "not both"),
        (("--from", "missing.csv"), "missing.csv cannot be read"),
        (("--from", "entries.xlsx"), "neither a .csv nor a .jsonl"),
        (("--from", "folder.csv"), "cannot be read"),
    ],
)
def test_wrong_use_is_told_before_anything_is_asked(nowhere, options, said):
    (nowhere / "folder.csv").mkdir()

    ran = run_here("record", *options)

    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_an_unknown_invoice_ends_with_2_and_a_missing_role_with_3(at_sandbox, sandbox, invoice):
    ran = run_here("record", "--invoice-id", "5", "--name", "Called", "--description", "No answer.")
    assert (ran.code, ran.out) == (2, "")
    assert "CoworkerInvoiceId: was not found" in ran.err

    sandbox.knobs.roles = "CoworkerInvoiceHistory-List"
    ran = run_here("record", "--invoice-id", str(invoice), "--name", "Called", "--description", "No answer.")
    assert ran.code == 3
    assert "CoworkerInvoiceHistory-Create" in ran.err


def test_unsure_ends_with_1_and_says_when_to_come_again(at_sandbox, sandbox, invoice, monkeypatch):
    monkeypatch.setenv("NEXUDUS_SETTLE_MINUTES", "5")
    sandbox.faults.inject("write_reset_before")

    ran = run_here("record", "--invoice-id", str(invoice), "--name", "Called", "--description", "No answer.")

    assert ran.code == 1
    assert "run the same command again after 20" in ran.err


def test_a_dry_run_shows_the_bodies_and_touches_nothing(at_sandbox, sandbox, invoice):
    options = ("--invoice-id", str(invoice), "--name", "Called", "--description", "No answer.", "--notify")

    ran = run_here("record", *options, "--dry-run")

    state, _, body = ran.out.partition(": ")
    assert (ran.code, state) == (0, "new")
    assert json.loads(body) == {
        "CoworkerInvoiceId": invoice,
        "Name": "Called",
        "Description": json.loads(body)["Description"],
        "IsProblem": False,
        "Notify": True,
    }
    assert len(sandbox.requests) == 0
    assert not (at_sandbox / "data").exists()
    run_here("record", *options)
    assert "recorded before as entry" in run_here("record", *options, "--dry-run").out


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_of_entries_gets_a_result_file(at_sandbox, sandbox, suffix):
    first, second = list(sandbox.store.invoices)[:2]
    if suffix == "csv":
        text = f'\ufeff{HEADER}{first},Called,"No answer, ""yet"".",true,\n\n5,Called,No answer.,,yes\n'
        text += f"{second},Called,Ok,0,1\n"
    else:
        rows = [
            {"invoice_id": first, "name": "Called", "description": 'No answer, "yet".', "is_problem": True},
            {"invoice_id": 5, "name": "Called", "description": "No answer.", "notify": True},
            {"invoice_id": second, "name": "Called", "description": "Ok", "notify": True},
        ]
        text = "\n".join(json.dumps(row) for row in rows)
    (at_sandbox / f"entries.{suffix}").write_text(text, encoding="utf-8")

    ran = run_here("record", "--from", f"entries.{suffix}")

    assert ran.code == 2
    assert ran.out == f"2 created, 1 refused; see entries.result.{suffix}.\n"
    assert "CoworkerInvoiceId: was not found" in ran.err
    path = at_sandbox / f"entries.result.{suffix}"
    lines = path.read_text().splitlines()
    results = list(csv.DictReader(lines)) if suffix == "csv" else [json.loads(line) for line in lines]
    assert [one["state"] for one in results] == ["confirmed", "refused", "confirmed"]
    assert [int(one["line"]) for one in results] == ([2, 4, 5] if suffix == "csv" else [1, 2, 3])
    (made,) = [row for row in sandbox.store.invoices[first].entries if row.name == "Called"]
    assert (made.is_problem, made.description.startswith('No answer, "yet". [ref ')) == (True, True)
    assert int(results[0]["entry_id"]) == made.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "first line of a.csv must be invoice_id,name"),
        ("a.csv", "invoice,name,description\n", "first line"),
        ("a.csv", HEADER.replace("notify", "name"), "first line"),
        ("a.csv", HEADER.replace(",", ";"), "first line"),
        ("a.csv", HEADER, "contains no entries"),
        ("a.csv", HEADER + "1,x,y\n", "line 2: 3 fields instead of 5"),
        ("a.csv", HEADER + "1,x,y,,\n-2,x,y,,\n", "line 3: invoice_id '-2' is not a number"),
        ("a.csv", HEADER + "9999999999999999999,x,y,,\n", "line 2: invoice_id is not the Id"),
        ("a.csv", HEADER + "1,x,y,maybe,\n", "is_problem 'maybe' is neither true nor false"),
        ("a.csv", HEADER + "1,,y,,\n2,x, ,,\n", "line 2: name is blank; line 3: description is blank"),
        ("a.csv", HEADER + "1,x,y,,\n2,x,y,,\n1,x,y,,\n", "line 4: the same entry as line 2"),
        ("a.csv", HEADER + '1,x,"y,,\n', "unexpected end of data"),
        ("a.csv", HEADER + "1,x,y\x00,,\n", "control character"),
        ("a.csv", HEADER + "1,,,,\n" * 9, "and 21 more"),
        ("a.jsonl", "", "contains no entries"),
        ("a.jsonl", "[]", "line 1: Expected `object`"),
        ("a.jsonl", '{"invoice_id": 1, "name": "x"}', "missing required field `description`"),
        ("a.jsonl", '{"invoice_id": "1", "name": "x", "description": "y"}', "line 1: Expected `int`"),
        ("a.jsonl", '{"invoice_id": 1, "name": "x", "description": "y", "notfy": true}', "unknown field `notfy`"),
        ("a.jsonl", '{"invoice_id": 1, "name": "\\ud800", "description": "y"}', "line 1:"),
    ],
)
def test_every_line_is_checked_before_the_first_is_sent(nowhere, name, text, said):
    (nowhere / name).write_text(text, encoding="utf-8")

    ran = run_here("record", "--from", name)

    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert [path.name for path in nowhere.iterdir()] == [name]


def test_a_file_that_is_not_text_is_refused(nowhere):
    (nowhere / "a.csv").write_bytes(HEADER.encode() + b"1,caf\xe9,y,,\n")

    assert "is not UTF-8" in run_here("record", "--from", "a.csv").err


def test_a_result_that_cannot_be_written_is_told_before_the_first_is_sent(nowhere):
    (nowhere / "a.csv").write_text(f"{HEADER}5,x,y,,\n")

    ran = run_here("record", "--from", "a.csv", "--result", "nowhere/result.csv")

    assert ran.code == 2
    assert "--result" in ran.err


def test_cut_short_the_result_tells_what_is_left_and_the_same_command_goes_on(at_sandbox, sandbox, monkeypatch):
    invoices = list(sandbox.store.invoices)[:3]
    (at_sandbox / "a.csv").write_text(HEADER + "".join(f"{one},x,y,,true\n" for one in invoices))
    monkeypatch.setenv("NEXUDUS_WRITES_PER_DAY", "2")

    ran = run_here("record", "--from", "a.csv")
    assert (ran.code, ran.out) == (1, "2 created, 1 not sent yet; see a.result.csv.\n")
    assert "NEXUDUS_WRITES_PER_DAY is used up" in ran.err
    assert (at_sandbox / "a.result.csv").read_text().count("planned") == 1

    monkeypatch.setenv("NEXUDUS_WRITES_PER_DAY", "0")
    ran = run_here("record", "--from", "a.csv")
    assert (ran.code, ran.out) == (0, "1 created, 2 recorded before; see a.result.csv.\n")
    assert len(sandbox.store.notified_ids) == 3


def test_escalate_lists_unless_told_to_send(at_sandbox, sandbox, settings_for):
    invoice_id = keeps_failing(sandbox)
    assert "nexudus-billing sync" in run_here("escalate").err
    sync(settings_for(sandbox))

    listed = run_here("escalate")
    assert listed.code == 0
    assert f"invoice {invoice_id} (" in listed.out
    assert writes_of(sandbox) == 0
    nothing = run_here("escalate", "--send", "--limit", "0")
    assert (nothing.code, nothing.out) == (0, "Nothing to do.\n")

    sent = run_here("escalate", "--send")
    assert sent.code == 0
    assert f"invoice {invoice_id}: confirmed, entry " in sent.out
    assert "0 follow-ups are due" in run_here("escalate").out
    assert run_here("escalate", "--limit", "-1").code == 2
    with open_warehouse(settings_for(sandbox)) as connection:
        assert connection.execute("select distinct source from record.outbox").fetchall() == [("escalate",)]
