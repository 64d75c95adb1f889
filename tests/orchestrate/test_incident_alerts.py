"""An incident that opens or is over is told once, to the webhook and by mail, whatever fails on the way."""

import json
import threading
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import duckdb
import pytest
from mail_server import Inbox, mail_server
from pydantic import SecretStr

from pipelines.orchestrate.incident_alerts import Incident, news, tell_incidents
from pipelines.settings import Settings

START = date(2026, 10, 29)
LEEDS = Incident(
    7, "GBP", "rate_shift", START, "Failures at Leeds rose from 8 % to 41 %; GBP 12,400 at risk.", True, 40
)
YORK = Incident(8, "GBP", "silence", START, "No entry at York since 29 October 2026.", True)
# Columns that `Snapshot` asks `about` for, as any published file has them.
ABOUT = """
    create or replace table about as select
        1 as release_number, now() as published_at, timestamptz '2026-11-02 06:00:00+00' as data_as_of_at,
        'UTC' as reporting_timezone, now() as covered_from_at, now() as covered_until_at, 0 as gap_count,
        1 as entry_count, 0 as deleted_entry_count, 0 as rejected_record_count, now() as first_entry_at,
        now() as last_entry_at, 'r' as rules_version, '1' as program_version, false as has_personal_data,
        2 as business_count, 2 as named_business_count, 0 as invoice_count, now() as invoices_read_until_at
"""


@contextmanager
def web_server(posts):
    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_): ...

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/canary"
        server.shutdown()
        thread.join()


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def posts():
    return []


@pytest.fixture
def settings(inbox, posts, tmp_path):
    with mail_server(inbox) as smtp, web_server(posts) as hook:
        yield Settings(
            _env_file=None,
            data_dir=tmp_path,
            alert_webhook_url=hook,
            smtp_host=smtp,
            mail_from="billing@example.com",
            mail_to="cfo@example.com, ada@example.com",
            dashboard_url="https://figures.example.com/",
        )


def publish(settings, *incidents):
    """A published file with these findings and the incidents behind them."""
    with duckdb.connect(str(settings.analytics_path)) as connection:
        connection.execute(ABOUT)
        columns = (
            "business_id bigint, currency_code varchar, incident_kind varchar, started_on_date date, finding varchar, "
            "is_open boolean, observed_count bigint, finding_number bigint"
        )
        for table in ("findings", "incidents"):
            connection.execute(f"create or replace table {table} ({columns})")
        for number, one in enumerate(incidents):
            row = [*(getattr(one, name) for name in one.__struct_fields__), number]
            connection.execute("insert into findings values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("insert into incidents from findings")
        connection.execute("alter table findings drop is_open; alter table findings drop observed_count")


def closed(one):
    return Incident(*one.scope, one.started_on_date, one.finding.replace("rose", "had risen"), False, 40)


def bodies(inbox):
    return [(mail["Subject"], mail.get_content().replace("\r", "").rstrip()) for mail in inbox.mails]


def test_incidents_that_open_are_told_once_together_with_figures_and_a_link(settings, inbox, posts):
    publish(settings, LEEDS, YORK)
    assert [*tell_incidents(settings), *tell_incidents(settings)] == []

    said = (
        f"New: {LEEDS.finding}\nNew: {YORK.finding}\nhttps://figures.example.com/?view=trends&business=7&business=8\n"
        "Data up to 2026-11-02 06:00 UTC."
    )
    assert bodies(inbox) == [("Payment failures: 2 new incidents", said)]
    assert inbox.mails[0]["To"] == "ada@example.com, cfo@example.com"
    escaped = said.replace("&", "&amp;")  # as Slack asks for
    assert posts == [f"Payment failures: 2 new incidents\n{escaped}"]


def test_one_that_is_over_is_told_once_also_where_it_is_no_finding_any_more(settings, posts):
    publish(settings, LEEDS, YORK)
    tell_incidents(settings)
    for _ in range(2):
        publish(settings, closed(LEEDS))
        tell_incidents(settings)

    headline, *lines = posts[1].splitlines()
    assert len(posts) == 2
    assert headline == "Payment failures: 2 over incidents"
    assert lines[:2] == [f"Over: {closed(LEEDS).finding}", f"Over: {YORK.finding}"]


@pytest.mark.fault("the mail server is not there, or refuses", "when an incident is told", "exact after the next run")
@pytest.mark.parametrize("trouble", ["nobody listens", "451 Try later", "554 No"])
def test_mail_that_does_not_arrive_is_said_and_sent_at_the_next_sync_and_the_webhook_hears_once(
    settings, inbox, posts, trouble
):
    publish(settings, LEEDS)
    inbox.refuses = trouble
    broken = settings.model_copy(update={"smtp_host": "127.0.0.1:9"}) if trouble == "nobody listens" else settings

    (said,) = tell_incidents(broken)
    assert "tried again at the next sync" in said
    assert "NEXUDUS_SMTP_HOST" in said
    assert "@" not in said
    inbox.refuses = None
    assert [*tell_incidents(settings), *tell_incidents(settings)] == []
    assert (len(inbox.mails), len(posts)) == (1, 1)


@pytest.mark.fault("the webhook is not there", "when an incident is told", "exact after the next run")
def test_a_webhook_that_is_not_there_is_said_and_tried_again_and_the_mail_is_sent_once(settings, inbox, posts):
    publish(settings, LEEDS)
    nobody = settings.model_copy(update={"alert_webhook_url": SecretStr("http://127.0.0.1:9/canary")})

    (said,) = tell_incidents(nobody)
    assert "NEXUDUS_ALERT_WEBHOOK_URL" in said
    assert "canary" not in said
    assert tell_incidents(settings) == []
    assert (len(inbox.mails), len(posts)) == (1, 1)


def test_what_may_have_arrived_is_not_sent_again(settings, posts, monkeypatch):
    publish(settings, LEEDS)
    monkeypatch.setattr("pipelines.orchestrate.channels._SECONDS", 0.3)
    listening = threading.Event()
    with web_server(posts) as hook:
        slow = settings.model_copy(update={"alert_webhook_url": SecretStr(hook)})
        with monkeypatch.context() as on:
            on.setattr(BaseHTTPRequestHandler, "send_response", lambda *_: listening.wait(1))
            (said,) = tell_incidents(slow)
    assert "not told again" in said
    assert tell_incidents(settings) == []
    assert len(posts) == 1


def test_without_a_channel_or_a_published_file_nothing_is_told_and_nothing_fails(settings, tmp_path):
    assert tell_incidents(Settings(_env_file=None, data_dir=tmp_path)) == []
    (said,) = tell_incidents(settings)
    assert "There is no published file" in said


@pytest.mark.parametrize(
    ("known", "now", "opened", "over"),
    [
        (None, [LEEDS, closed(YORK)], [LEEDS], []),  # who hears for the first time hears of what lasts
        ([], [closed(YORK)], [closed(YORK)], []),  # what came and went between two syncs
        ([LEEDS], [LEEDS], [], []),
        ([LEEDS], [Incident(7, "GBP", "rate_shift", START + timedelta(2), "moved", True, 50)], [], []),
        ([], [Incident(7, "GBP", "burst", START, "few", False, 4)], [], []),
        ([closed(LEEDS)], [], [], []),
        (
            [closed(LEEDS)],
            [closed(LEEDS), Incident(7, "GBP", "rate_shift", date(2026, 12, 1), "again", True, 9)],
            [Incident(7, "GBP", "rate_shift", date(2026, 12, 1), "again", True, 9)],
            [],
        ),
    ],
)
def test_what_is_new_to_a_channel(known, now, opened, over):
    found = news(known, now, 5)
    assert (found.opened, found.over) == (opened, over)
    again = news(found.known, now, 5)
    assert (again.opened, again.over) == ([], [])
