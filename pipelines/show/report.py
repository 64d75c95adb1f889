"""The report: the finding, the money and what drives it, as HTML for e-mail and as PDF of at most three pages.

It opens offline: charts are SVG inside it.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

import vl_convert

from pipelines.errors import WrongUseError
from pipelines.foundation.private_files import make_private_folder, replace_file, unwritable
from pipelines.publish.snapshot import Row, Snapshot
from pipelines.show import charts, columns, figure_tables, markup
from pipelines.show import readable_values as as_text
from pipelines.show.asking import Frame, read_choices
from pipelines.show.charts import Chart
from pipelines.show.columns import Column
from pipelines.show.url_filters import read_view

# What fits on three pages of A4; the workbook and the dashboard have the rest.
_MOST_FINDINGS, _MOST_CURRENCIES, _MOST_CHARTS = 5, 8, 3
_MOST_BUSINESSES, _MOST_INCIDENTS, _MOST_REASONS, _MOST_COHORTS = 18, 8, 12, 12
_TREND_SPAN = timedelta(days=91)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body><main>
{body}
</main></body>
</html>
"""


def write_report(
    snapshot: Snapshot, file: Path, now: datetime, period_code: str | None = None, business_id: int | None = None
) -> Path:
    """Write the report of a period (the newest whole month by default), as PDF where the file's name ends so.

    `business_id`: of this business alone. Raises WrongUseError for a period or business that is not there, and where
    the part of the program that makes PDF is not installed.
    """
    page = report(snapshot, now, period_code, business_id)
    content = as_pdf(page) if file.suffix.lower() == ".pdf" else page.encode()
    make_private_folder(file.parent, is_published=True)
    try:
        replace_file(file, content, is_published=True)
    except OSError as error:
        raise unwritable(file, error, "check its permissions.") from None
    return file


def as_pdf(page: str) -> bytes:
    """The report as PDF. Raises WrongUseError where what makes it is not installed."""
    try:
        import weasyprint  # noqa: PLC0415 - an extra, and it takes a second to import
    except (ImportError, OSError):  # the latter where Pango is missing
        raise WrongUseError(
            "The part of the program that makes PDF is not installed: run `pip install 'nexudus-billing[pdf]'`, and "
            "install Pango (Debian: libpangoft2-1.0-0). Or print the HTML report from a browser."
        ) from None
    made: bytes = weasyprint.HTML(string=page, url_fetcher=_refuse).write_pdf()
    return made


def _refuse(url: str, *_: object, **__: object) -> None:
    raise ValueError(f"the report fetches nothing, not even {url}")


def report(snapshot: Snapshot, now: datetime, period_code: str | None = None, business_id: int | None = None) -> str:
    """The whole page as HTML. Raises WrongUseError for a period or business that is not there."""
    choices = read_choices(snapshot)
    if not choices.periods:
        body = "<h1>Payment failures</h1>" + markup.notice("The published file holds no entries yet.")
        return _PAGE.format(title="Payment failures", style=markup.style("report.css"), body=body)
    view, said = read_view({"period": [period_code or choices.whole_month.code]}, choices)
    if said:
        raise WrongUseError(f"There is no period {period_code!r}: write it as 2026-10, 2026-Q4, 2026 or last-28-days.")
    title = f"Payment failures, {view.period.label}"
    if business_id is not None:
        if business_id not in choices.businesses:
            raise WrongUseError(f"There is no business {business_id} in the published file.")
        view = replace(view, businesses=(business_id,))
        title = f"{title}: {choices.businesses[business_id]}"
    frame = Frame(snapshot, choices, view, now)
    body = "\n".join(_sections(frame, title))
    return _PAGE.format(title=escape(title), style=markup.style("report.css"), body=body)


def findings_as_text(snapshot: Snapshot, now: datetime, business_id: int | None = None) -> str:
    """The findings, a line each, for the mail that carries the report."""
    choices = read_choices(snapshot)
    view = read_view({} if business_id is None else {"business": [str(business_id)]}, choices)[0]
    found = Frame(snapshot, choices, view, now).ask("findings", limit=_MOST_FINDINGS)
    return "\n".join(row["finding"] for row in found) or figure_tables.CALM


def _sections(frame: Frame, title: str) -> Iterator[str]:
    about = frame.snapshot.about
    yield f"<h1>{escape(title)}</h1>"
    yield markup.paragraph(
        f"Data up to {as_text.moment(about.data_as_of_at, frame.zone)} {frame.zone}; published "
        f"{as_text.moment(about.published_at, frame.zone)}."
    )
    yield figure_tables.findings(frame, _MOST_FINDINGS, linked=False)
    at_risk = "At risk now, and how much of it should come in by the 90th day after the failure"
    yield _table(at_risk, columns.OPEN, frame.ask("expected"), _MOST_CURRENCIES)
    running, whole = frame.choices.default_period, frame.view.period
    if whole == frame.choices.whole_month != running:
        # What goes wrong now is in no figure of the month before.
        yield _rates(replace(frame, view=replace(frame.view, period=running)))
    yield _rates(frame)
    yield _figures(
        (charts.rate_by_month(rows, name, None, incidents), f"Failure rate by month, {name}")
        for (business_id, code), rows, incidents in figure_tables.charted(
            frame, "monthly_rates", _MOST_CHARTS, until=frame.data_until_date
        )
        for name in [figure_tables.scope_name(frame, business_id, code)]
    )
    yield markup.paragraph(
        "Failure rate by month with its 95 % range; a hollow point: the month is incomplete; shaded: months with an "
        "incident."
    )
    yield "<h2>What drives it</h2>"
    listed = figure_tables.rate_rows(frame.ask("business_rates"))
    yield _table(f"By business, {whole.label}, highest rate first", columns.RATES[:8], listed, _MOST_BUSINESSES)
    # What lasts has to be seen in the report of the month before it began, too: the findings above speak of it.
    start = min(whole.start_date, frame.data_until_date - _TREND_SPAN)
    incidents = frame.ask("incidents", **{"from": start}, until=frame.data_until_date, limit=_MOST_INCIDENTS)
    shown = [one for one in columns.INCIDENTS if one.heading not in {"Failures", "Of"}]
    yield _table(f"Incidents since {as_text.day(start)}", shown, figure_tables.incident_rows(incidents))
    reasons = [row for row in frame.ask("reasons") if row["failed_attempt_count"]]
    reasons.sort(key=lambda row: -row["failed_attempt_count"])
    yield _table(
        f"Why payments failed, {whole.label}", columns.REASONS[:1] + columns.REASONS[2:7], reasons, _MOST_REASONS
    )
    yield "<h2>Recovered</h2>"
    name = "business_cohorts" if frame.view.businesses else "cohorts"
    cohorts = sorted(frame.ask(name, until=whole.end_date), key=lambda row: row["month_start_date"], reverse=True)
    yield _table("Invoices by month of their first failure", columns.COHORTS, cohorts, _MOST_COHORTS)
    yield "<h2>What these figures mean</h2>"
    yield markup.definitions(figure_tables.DEFINITIONS)


def _rates(frame: Frame) -> str:
    period = frame.view.period
    like_days = "" if period.is_complete else ", like days"
    said = f"{period.label}, against {period.previous_label}{like_days}" if period.has_previous else period.label
    return _table(said, columns.SUMMARY, figure_tables.scope_rows(frame), _MOST_CURRENCIES)


def _table(caption: str, shown: tuple[Column, ...] | list[Column], rows: list[Row], most: int | None = None) -> str:
    if not rows:
        return markup.notice(f"{caption}: nothing.", "good")
    more = f" ({len(rows) - most} more in the dashboard and the workbook)" if most and len(rows) > most else ""
    return markup.table(caption + more, shown, rows[:most])


def _figures(drawn: Iterator[tuple[Chart, str]]) -> str:
    made = "".join(
        f'<figure role="img" aria-label="{escape(said, quote=True)}">{drawing(chart)}</figure>' for chart, said in drawn
    )
    return f'<div class="charts">{made}</div>'


def drawing(chart: Chart) -> str:
    """A chart as SVG. It holds no address, and the converter may fetch none."""
    config = {"font": "Arial", "view": {"stroke": None}, "background": None}
    svg = vl_convert.vegalite_to_svg(chart | {"width": 300, "height": 120, "config": config}, allowed_base_urls=[])
    return svg[svg.index("<svg") :]
