"""The figures of charts as a file for spreadsheets: a line a figure, so all charts of a page fit in."""

from collections.abc import Iterable

from hitl_project.pages.charts import Chart
from hitl_project.pages.spreadsheet import MARK, cell, written

HEADER = ("chart", "row", "figure", "value", "unit", "answers")


def as_csv(charts: Iterable[Chart]) -> bytes:
    """Return the file: numbers as they are, in the *unit* that is named; what is not known is empty."""
    lines = [
        (chart.title, str(label), str(word), "" if one.value is None else one.value, chart.unit, count)
        for chart in charts
        for label, cells, count in chart.table
        for one, (_name, word) in zip(cells, chart.series, strict=True)
    ]
    return MARK + written([HEADER, *([cell(value) for value in line] for line in lines)])
