"""How the model stage grows: 1 and 10 million landed rows, made inside DuckDB, on two threads and 4 GiB in all.

    uv run python tests/bench/model_growth.py [ROWS ...]

Each size runs in a process of its own, so that its peak of memory is its own. The texts are the hard, honest kind: each
invoice's 'Invoice sent' names its number and the customer's address, each card payment its amount.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from pipelines.land.layout import create_tables
from pipelines.model.building import build, check, prepare
from pipelines.model.rules import load_rules, store_rules
from pipelines.model.sql_models import load_models

GOAL_SECONDS = 30
GOAL_GROWTH = 12

SYNTHESIS = """
insert into land.coworker_invoice_histories by name
with
numbers as (
    select
        i as id,
        i // 4 as invoice_id,
        i % 4 as step,
        (hash(i) // 4)::bigint as dice,
        (hash(i // 4, 'invoice') // 4)::bigint as invoice_dice,
    from range({rows}) as numbers (i)
),

invoices as (
    select
        *,
        timestamptz '2019-01-01 00:00:00+00' + to_seconds(invoice_dice % 220000000) as issued_at,
        invoice_dice % 50000 as member,
        invoice_dice % 97 as outcome,
        invoice_dice % 40 as business,
    from numbers
),

people as (
    select
        *,
        ['Amelia', 'Noor', 'Lucía', 'Jürgen', 'Yuki', 'Grace', 'Mateo', 'Zoë'][1 + member % 8] as first_name,
        ['Smith', 'García', 'Müller', 'Tanaka', 'Patel', 'Okafor', 'Weiß'][1 + member % 7] || member // 56 as last_name,
    from invoices
)

select
    id,
    issued_at + to_hours(step * 30) as created_on,
    issued_at + to_hours(step * 30) as updated_on,
    'system@nexudus.com' as updated_by,
    invoice_id as coworker_invoice_id,
    member as coworker_invoice_coworker_id,
    business as coworker_invoice_business_id,
    ['GBP', 'EUR', 'USD', 'JPY', 'KWD'][1 + business % 5] as coworker_invoice_business_currency_code,
    first_name || ' ' || last_name as coworker_invoice_coworker_full_name,
    if(member % 3 = 0, last_name || ' Studio Ltd', first_name || ' ' || last_name) as coworker_invoice_bill_to_name,
    (invoice_dice % 90000 + 100)::decimal(18, 4) / 100 as coworker_invoice_total_amount,
    'INV-' || invoice_id as coworker_invoice_invoice_number,
    outcome < 85 as coworker_invoice_paid,
    if(outcome < 85, issued_at + interval 4 days, null) as coworker_invoice_paid_on,
    outcome = 90 as coworker_invoice_refunded,
    outcome = 96 as coworker_invoice_draft,
    case
        when step = 0 then 'Invoice sent'
        when step = 3 and outcome < 20 then 'Payment received'
        when step = 3 and outcome = 50 then 'E-invoice'
        else 'Payment Result'
    end as name,
    case
        when step = 0 then 'Invoice INV-' || invoice_id || ' sent to ' || lower(first_name) || '@example.com'
        when step = 3 and outcome < 20 then coworker_invoice_total_amount || ' by card ending ' || member % 10000
        when step = 3 and outcome = 50 then 'Verifactu: NIF del destinatario no identificado.'
        when step = 3 and outcome < 85 then 'SUCCESS: The payment was collected.'
        when step = 1 then 'AWAITING: Waiting for the money to clear from the customer''s account.'
        when outcome = 70 then 'AWAITING: ' || first_name || ' ' || last_name || ' requested funds from customer.'
        when dice % 8 = 0 then 'FAILED: Insufficient funds.'
        when dice % 8 = 1 then 'FAILED: Your card was declined.'
        when dice % 64 = 2
            then
                'AWAITING: Exception of type '
                || '''Nexudus.Coworking.CoworkerPaymentProcessing.Exceptions.NotPreAuthFoundException'' was thrown.'
        when dice % 512 = 3 then 'Something odd ' || dice % 900
        else 'AWAITING: GoCardless payment submitted to the banks.'
    end as description,
    starts_with(description, 'FAILED') or outcome = 50 as is_problem,
    issued_at + to_hours(step * 30) as seen_at,
from people
"""


def measure(rows: int, folder: Path) -> float:
    """Build and check every model over so many landed rows; print seconds and memory, and return the seconds."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("set threads = 2; set memory_limit = '3GiB'")
        create_tables(connection)
        connection.execute(SYNTHESIS.format(rows=rows))
        connection.execute("checkpoint")
        begun, cpu_begun = time.perf_counter(), time.process_time()
        prepare(connection, "Europe/Madrid")
        store_rules(connection, load_rules())
        for model in load_models():
            started = time.perf_counter()
            row_count = build(connection, model)
            built = time.perf_counter()
            broken = [result.name for result in check(connection, model) if not result.passed]
            checked = time.perf_counter()
            print(
                f"  {model.name:<32}{row_count:>10,} rows {built - started:6.2f} s, checks {checked - built:5.2f} s",
                *broken,
            )
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{rows:,} landed rows: {seconds:.1f} s ({cpu_seconds:.1f} s of CPU), {memory:.2f} GiB at most")
    return seconds


def main() -> None:
    """Measure each size in a fresh process and compare the first with the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[1_000_000, 10_000_000])
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        (options.folder / "seconds").write_text(str(measure(options.rows[0], options.folder)))
        return
    seconds = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, str(rows), "--in", folder]
            subprocess.run(command, check=True)
            seconds.append(float((Path(folder) / "seconds").read_text()))
    growth = seconds[-1] / seconds[0]
    print(f"growth from {options.rows[0]:,} to {options.rows[-1]:,} rows: {growth:.1f} x (goal: at most {GOAL_GROWTH})")
    print(f"largest: {seconds[-1]:.1f} s (goal: under {GOAL_SECONDS})")


if __name__ == "__main__":
    main()
