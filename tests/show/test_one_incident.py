"""The incident that the demo holds is on the first screen, in the report, in the alert and in the spreadsheet."""

from html import escape

import openpyxl

from pipelines.orchestrate.incident_alerts import News, current, news, text
from pipelines.publish.spreadsheets import export
from pipelines.settings import Settings, utc_now
from pipelines.show.report import report


def test_it_is_told_in_the_same_words_wherever_finance_looks(opened, analytics, snapshot, tmp_path):
    (first, *_) = snapshot.rows("select finding from findings order by finding_number")
    said = first["finding"]
    assert said.startswith("Failures at Manchester Northern Quarter rose from ")
    assert "at risk, about " in said

    assert any(escape(said) in one.proto.body for one in opened(analytics).get("html"))
    assert escape(said) in report(snapshot, utc_now())
    told: News = news(None, current(snapshot), floor=5)
    assert f"New: {said}" in text(Settings(_env_file=None), snapshot, told)
    (file,) = export(snapshot, tmp_path, "xlsx").files
    assert openpyxl.load_workbook(file).worksheets[0]["A2"].value == said
