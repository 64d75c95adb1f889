"""The report: one HTML file with the month's figures, for e-mail. It opens offline: charts are SVG inside it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

import vl_convert

from pipelines.errors import WrongUseError
from pipelines.foundation.private_files import make_private_folder, replace_file, unwritable
from pipelines.publish.snapshot import Row, Snapshot
from pipelines.show import charts, figure_tables, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame, read_choices
from pipelines.show.charts import Chart
from pipelines.show.figure_tables import by_scope
from pipelines.show.url_filters import read_view

_MOST_CHARTS = 6
_MOST_INCIDENTS = 20
_COHORTS = 6
_TREND_SPAN = timedelta(days=91)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, "Segoe UI", Roboto, Arial, sans-serif; color: #1b2733; background: #fff;
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.7rem; margin: 0 0 0.25rem; }}
h2 {{ font-size: 1.25rem; margin: 2rem 0 0.5rem; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }}
.charts figure {{ margin: 0; }}
.charts svg {{ width: 100%; height: auto; }}
{style}
@media print {{
  body {{ margin: 0; max-width: none; font-size: 11pt; }}
  h2 {{ break-after: avoid; }}
  .nb-card, figure, tr {{ break-inside: avoid; }}
  .nb-scroll {{ overflow: visible; }}
  .nb-table.nb-wide, .nb-table.nb-wider {{ min-width: 0; }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
</style>
</head>
<body><main>
{body}
</main></body>
</html>
"""


def write_report(snapshot: Snapshot, file: Path, now: datetime, period_code: str | None = None) -> Path:
    """Write the report of a period (the newest whole month by default). Raises WrongUseError for an unknown period."""
    page = report(snapshot, now, period_code)
    make_private_folder(file.parent, is_published=True)
    try:
        replace_file(file, page.encode(), is_published=True)
    except OSError as error:
        raise unwritable(file, error, "check its permissions.") from None
    return file


def report(snapshot: Snapshot, now: datetime, period_code: str | None = None) -> str:
    """The whole page as HTML. Raises WrongUseError for an unknown period."""
    choices = read_choices(snapshot)
    if not choices.periods:
        body = "<h1>Payment failures</h1>" + markup.notice("The published file holds no entries yet.")
        return _PAGE.format(title="Payment failures", style=markup.style(), body=body)
    view, said = read_view({"period": [period_code or choices.whole_month.code]}, choices)
    if said:
        raise WrongUseError(f"There is no period {period_code!r}: write it as 2026-10, 2026-Q4, 2026 or last-28-days.")
    frame = Frame(snapshot, choices, view, now)
    title = f"Payment failures, {view.period.label}"
    return _PAGE.format(title=escape(title), style=markup.style(), body="\n".join(_sections(frame, title)))


def _sections(frame: Frame, title: str) -> Iterator[str]:
    about = frame.snapshot.about
    yield f"<h1>{escape(title)}</h1>"
    yield markup.paragraph(
        f"Data up to {as_text.moment(about.data_as_of_at, frame.zone)} {frame.zone}; published "
        f"{as_text.moment(about.published_at, frame.zone)} as release {about.release_number}; rules "
        f"{about.rules_version}."
    )
    yield figure_tables.findings(frame, linked=False)
    scopes = frame.ask("scope_rates")
    if not scopes:
        yield markup.notice("No payment was attempted in this period.")
    yield figure_tables.rate_cards(frame, scopes, linked=False)
    yield from _running(frame)
    yield from _changes(frame)
    yield "<h2>By business</h2>"
    yield markup.table(
        f"By business and currency, {frame.view.period.label}, highest rate first",
        figure_tables.RATE_COLUMNS,
        [figure_tables.rate_row(frame, row, linked=False) for row in frame.ask("business_rates")],
        css="nb-wide",
    )
    yield from _months(frame)
    yield from _incidents(frame)
    yield from _reasons(frame)
    yield from _recovery(frame)
    yield "<h2>What these figures mean</h2>"
    yield markup.definitions(figure_tables.DEFINITIONS)


def _running(frame: Frame) -> Iterator[str]:
    """The running month beside the last whole one: what goes wrong now is not in the figures above."""
    running = frame.choices.default_period
    if frame.view.period != frame.choices.whole_month or running == frame.view.period:
        return
    now = replace(frame, view=replace(frame.view, period=running))
    yield f"<h2>{escape(running.label)}, against {escape(running.previous_label)}</h2>"
    yield figure_tables.rate_cards(now, now.ask("scope_rates"), linked=False)


def _changes(frame: Frame) -> Iterator[str]:
    yield "<h2>What changed</h2>"
    clear = [row for row in frame.ask("business_rates") if row["is_significant_change"]]
    if not clear:
        yield markup.notice(
            f"No business changed significantly against {frame.view.period.previous_label}."
            if frame.view.period.has_previous
            else "The data does not cover the period before, so there is nothing to compare with."
        )
        return
    yield "<ul>" + "".join(f"<li>{escape(_change(row))}</li>" for row in clear) + "</ul>"


def _change(row: Row) -> str:
    return (
        f"{row['business_name']}, {as_text.currency(row['currency_code'])}: "
        f"{as_text.percent(row['previous_first_attempt_failure_ratio'])} → "
        f"{as_text.percent(row['first_attempt_failure_ratio'])} "
        f"({as_text.points(row['first_attempt_failure_change_ratio'])}, significant)"
    )


def _months(frame: Frame) -> Iterator[str]:
    yield "<h2>By month</h2>"
    yield markup.paragraph(
        "The line is the rate, the band its 95 % interval. A hollow point: the month is incomplete. "
        "Shaded: months with an incident of the business."
    )
    yield _figures(
        (charts.rate_by_month(rows, title, None, incidents), f"Failure rate by month, {title}")
        for (business_id, code), rows, incidents in figure_tables.months(frame, frame.data_until_date, _MOST_CHARTS)
        for title in [", ".join([frame.business(business_id)] * (business_id is not None) + [as_text.currency(code)])]
    )


def _incidents(frame: Frame) -> Iterator[str]:
    # What lasts has to be seen in the report of the month before it began, too: the findings above speak of it.
    until = frame.data_until_date
    start = min(frame.view.period.start_date, until - _TREND_SPAN)
    incidents = frame.ask("incidents", **{"from": start}, until=until, limit=_MOST_INCIDENTS)
    yield f"<h2>Incidents since {as_text.day(start)}</h2>"
    if not incidents:
        yield markup.notice("No failure rate rose, no day was beyond chance, no business fell silent.", "good")
        return
    rows = figure_tables.incident_rows(incidents)
    yield markup.table("Incidents, those that last first", figure_tables.INCIDENT_COLUMNS, rows, css="nb-wide")


def _reasons(frame: Frame) -> Iterator[str]:
    rows = [row for row in frame.ask("reasons") if row["failed_attempt_count"]]
    yield "<h2>Why payments failed</h2>"
    listed = [figure_tables.reason_row(frame, row, linked=False) for row in rows]
    yield markup.table(f"Reasons, {frame.view.period.label}", figure_tables.REASON_COLUMNS, listed, css="nb-wide")


def _recovery(frame: Frame) -> Iterator[str]:
    yield "<h2>Recovered</h2>"
    yield markup.paragraph(
        "By month of the first failure: the share of invoices that were paid within 1, 3, 7, 14 and 28 days."
    )
    for (_, code), rows in by_scope(frame.ask("cohorts", until=frame.view.period.end_date)):
        yield markup.table(
            as_text.currency(code),
            figure_tables.COHORT_COLUMNS,
            [figure_tables.cohort_row(row) for row in rows[:_COHORTS]],
            css="nb-wide nb-heat",
        )
    listed = [figure_tables.ageing_row(frame, row) for row in frame.ask("open_amounts")]
    yield markup.table("Still open now, by age", figure_tables.AGEING_COLUMNS, listed)


def _figures(drawn: Iterator[tuple[Chart, str]]) -> str:
    made = "".join(
        f'<figure role="img" aria-label="{escape(said, quote=True)}">{drawing(chart)}</figure>' for chart, said in drawn
    )
    return f'<div class="charts">{made}</div>'


def drawing(chart: Chart) -> str:
    """A chart as SVG. It holds no address, and the converter may fetch none."""
    config = {"font": "Arial", "view": {"stroke": None}, "background": None}
    svg = vl_convert.vegalite_to_svg(chart | {"width": 320, "height": 140, "config": config}, allowed_base_urls=[])
    return svg[svg.index("<svg") :]
