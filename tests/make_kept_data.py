"""Makes a data directory as the program that is checked out leaves it, for `tests/kept`.

At each release, in a checkout of it: `python make_kept_data.py FOLDER`, then `xz -9e FOLDER/data/*.duckdb`. The account
is small, and what can happen to a row has happened: changed, deleted, rejected, with unknown fields, without UpdatedOn,
written by the program.
"""

import os
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

folder = Path(sys.argv[1]).absolute()
folder.mkdir(parents=True)
os.chdir(folder)

from pipelines.cli import main  # noqa: E402
from pipelines.sandbox.knobs import Knobs  # noqa: E402
from pipelines.sandbox.operators import make_operator  # noqa: E402
from pipelines.sandbox.server import running_sandbox  # noqa: E402


def run(*words: str) -> None:
    """One verb, as a person would run it."""
    sys.argv = ["nexudus-billing", *words]
    with suppress(SystemExit):
        main()


with running_sandbox(make_operator(seed=3, size=150, months=4), Knobs(unknown_field_rate=0.2)) as sandbox:
    store = sandbox.store
    sandbox.clock.freeze(store.until)
    os.environ |= {
        "NEXUDUS_BASE_URL": sandbox.base_url,
        "NEXUDUS_USERNAME": sandbox.username,
        "NEXUDUS_PASSWORD": sandbox.password,
        "NEXUDUS_DATA_DIR": str(folder / "data"),
        "NEXUDUS_REQUEST_SPACING_MS": "0",
        "NEXUDUS_HISTORY_START": "2025-01-01",
    }
    run("sync")
    entries = list(store.by_id.items)
    store.clock.freeze(store.until + 7200)
    for entry in entries[10:15]:
        store.update(entry.id, description="FAILED: Insufficient funds.", is_problem=True)
    for entry in entries[20:24]:
        store.delete(entry.id)
    invoices = list(store.invoices)
    store.pay(invoices[-1])
    store.set_amount(invoices[-2], Decimal(10) ** 17)
    store.insert(invoices[-2], "Payment Result", "FAILED: Your card was declined.", is_problem=True)
    store.forget_updated_on(entries[30].id)
    run("reconcile")
    store.clock.freeze(store.until + 9000)
    run("record", "--invoice-id", str(invoices[0]), "--name", "Called", "--description", "Promised to pay.")
    run("sync")
