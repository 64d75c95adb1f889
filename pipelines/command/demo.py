"""The demo: a sandbox of the API, a sync of its two years, and the failure rates that come of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from rich.table import Table

from pipelines.command.sync import SyncReport, run_sync
from pipelines.command.terminal import program
from pipelines.foundation.telling import Tell
from pipelines.land.landed_assets import PullConfig
from pipelines.publish.snapshot import open_published
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.server import running_sandbox
from pipelines.settings import Settings, utc_now
from pipelines.show.asking import question

_USERNAME, _PASSWORD = "admin@example.com", "sandbox"
_EXAMPLE = (
    "select month_start_date, business_id, currency_code, first_attempt_count, first_attempt_failure_ratio "
    "from monthly_payment_failure_rates "
    "where month_start_date < (select max(month_start_date) from monthly_payment_failure_rates) "
    "order by month_start_date desc, first_attempt_failure_ratio desc limit 5"
)


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    report: SyncReport
    table: Table
    path: Path

    @property
    def example(self) -> str:
        """A command that asks the published file a question."""
        python = "uv run python" if program().startswith("uv ") else "python"
        return (
            f"""{python} -c "import duckdb; duckdb.connect('{self.path}', read_only=True).sql('{_EXAMPLE}').show()\""""
        )


def run_demo(folder: Path, show: Tell, *, verbose: bool = False) -> Demo:
    """Empty `folder`, fill it from a fresh sandbox, and tabulate the failure rates of the newest complete month."""
    shutil.rmtree(folder, ignore_errors=True)
    operator = make_operator(until=utc_now(), reported_twice_share=0.03)
    with running_sandbox(operator) as sandbox:
        settings = demo_settings(sandbox.base_url, folder)
        report = run_sync(settings, show, PullConfig(), verbose=verbose)
    return Demo(report, rates_table(settings.analytics_path), settings.analytics_path)


def demo_settings(base_url: str, folder: Path) -> Settings:
    """Settings for a sandbox: defaults, no limits, and nothing from the environment, which may name a real tenant."""
    unset = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings(
        _env_file=None,
        **unset
        | {
            "base_url": base_url,
            "username": _USERNAME,
            "password": SecretStr(_PASSWORD),
            "data_dir": folder,
            "requests_per_minute": 0,
            "requests_per_hour": 0,
            "request_spacing_ms": 0,
        },
    )


def rates_table(analytics: Path) -> Table:
    """The newest complete month's failure rate of each business and currency, highest first."""
    with open_published(analytics) as connection:
        rows = connection.execute(question("demo_rates")).fetchall()
    month = f" in {rows[0][0]:%B %Y}" if rows else ""
    table = Table(title=f"Payment failure rate of first attempts{month}")
    for heading in ("business", "currency"):
        table.add_column(heading)
    for heading in ("invoices", "failed", "rate", "95 % interval", "month before", "month to date", "all attempts"):
        table.add_column(heading, justify="right")
    for _, business, currency, count, failed, ratio, low, high, before, is_significant, to_date, attempts in rows:
        interval = "" if ratio is None else f"{low:.1%} to {high:.1%}"
        mark = " *" if is_significant else ""
        counts = (business, currency or "?", str(count), str(failed))
        table.add_row(
            *counts, _percent(ratio), interval, f"{_percent(before)}{mark}", _percent(to_date), _percent(attempts)
        )
    if any(row[9] for row in rows):
        table.caption = "* the change from the month before is more than chance"
    return table


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1%}"
