"""Published files as they come about: a sync of the sandbox, and entries recorded on its invoices in between."""

import warnings
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from sandbox_settings import unpaced_settings

from pipelines.command.sync import run_sync
from pipelines.errors import PipelineError
from pipelines.land.landed_assets import PullConfig
from pipelines.record.delivery import Delivery, record_entries
from pipelines.record.entries import Entry
from pipelines.record.outbox import Outbox
from pipelines.record.states import Claimed
from pipelines.sandbox.emulator import Sandbox
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import Settings, utc_now

EVIL = "<img src=x onerror=document.title=1><script>document.title=2</script>'; drop table about;--"
UNSEEN_INVOICE = 5


def sync(settings: Settings) -> None:
    """Pull, model, check and publish."""
    with pytest.MonkeyPatch.context() as on, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a beta feature of Dagster that the program uses knowingly
        on.setattr("dagster.DagsterInstance.get", staticmethod(dg.DagsterInstance.ephemeral))
        on.setenv("DAGSTER_HOME", str(settings.data_dir.parent / "dagster"))
        run_sync(settings, lambda _: None, PullConfig())


def publish_year(folder: Path) -> None:
    """Publish a year and a bit of a believable operator."""
    with running_sandbox(make_operator(size=9000, months=14, until=utc_now())) as sandbox:
        sync(unpaced_settings(sandbox, folder))


def publish_followed_up(folder: Path) -> None:
    """Publish three months of an operator on whose invoices entries in every state were recorded, texts and all."""
    with running_sandbox(make_operator(size=1500, months=3, until=utc_now())) as sandbox:
        settings = unpaced_settings(sandbox, folder, publish_personal_data=True)
        sync(settings)
        sandbox.clock.advance(-1800)  # so that what is made now has settled when the next sync looks
        _record(sandbox, settings, _invoices(settings.analytics_path))
        sandbox.clock.advance(1800)
        sync(settings)


def _invoices(analytics: Path) -> list[int]:
    """Two invoices a currency with a failure in the newest whole month; the last one had its own in another month."""
    with duckdb.connect(str(analytics), read_only=True) as published:
        found = published.execute(
            """
            with failures as (
                select invoice_id, currency_code, month_start_date, newest
                from history_entries
                cross join (
                    select max(period_start_date) as newest
                    from reporting_periods
                    where period_kind = 'month' and is_complete
                )
                where kind = 'payment_failed' and excluded_because is null
            ),

            months as (
                select
                    invoice_id,
                    any_value(currency_code) as currency_code,
                    bool_or(month_start_date = newest) as is_recent,
                    bool_and(month_start_date = newest - interval 1 month) as is_earlier,
                from failures
                group by invoice_id
            )

            (
                select invoice_id from months where is_recent
                qualify row_number() over (partition by currency_code order by invoice_id) <= 2
                order by invoice_id
            )
            union all
            (select invoice_id from months where is_earlier order by invoice_id limit 1)
            """
        ).fetchall()
    return [invoice for (invoice,) in found]


def _record(sandbox: Sandbox, settings: Settings, invoices: list[int]) -> None:
    """Entries on these invoices, by the outbox and over HTTP; each state comes about as it does in life."""
    calls = [Entry(invoice_id=one, name="Called", description="No answer.", notify=True) for one in invoices]
    _expect(record_entries(settings, calls), "confirmed")

    gone = record_entries(settings, [Entry(invoice_id=invoices[0], name="Letter", description="Sent by mistake.")])
    sandbox.store.delete(gone.entries[0].entry_id)

    evil = Entry(invoice_id=invoices[1], name=EVIL, description=EVIL)
    _expect(record_entries(settings, [evil]), "confirmed")

    unknown = Entry(invoice_id=UNSEEN_INVOICE, name="Called", description="No answer.")
    _expect(record_entries(settings, [unknown]), "refused")

    sandbox.faults.inject("write_reset_before")
    doubtful = Entry(invoice_id=invoices[2], name="Second call", description="Will pay.", is_problem=True)
    _expect(record_entries(settings, [doubtful]), "unsure")

    outbox = Outbox(settings, lambda: datetime.now(UTC))
    (row,) = outbox.plan([Entry(invoice_id=invoices[2], name="Third call", description="Will pay.")])
    outbox.change(row, Claimed())

    limited = settings.model_copy(update={"writes_per_day": 1})
    waiting = Entry(invoice_id=invoices[3], name="Second call", description="Asked for a copy.")
    delivery = record_entries(limited, [waiting])
    assert isinstance(delivery.problem, PipelineError)
    _expect(delivery, "planned")


def _expect(delivery: Delivery, state: str) -> None:
    assert {row.state.value for row in delivery.entries} == {state}, delivery
