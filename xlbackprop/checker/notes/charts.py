"""Charts: which cells they plot, whether those are all rows of the loss, and whether pasted curves still hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from xlbackprop.checker.file.book import Book, relationships
from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.container import Container, Element
from xlbackprop.checker.judgement.row_values import half_unit
from xlbackprop.checker.judgement.table_judge import Verdict
from xlbackprop.checker.notes.effect import trained
from xlbackprop.checker.report.findings import Note, shortened
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates, column_number, ranges

_FEWEST_POINTS = 5
_MOST_POINTS = 5000
_SAME_CURVE = 1e-3
"""Relative; a curve that was pasted from a sheet with the usual slip is nearer than this to the right one."""
_RANGE = re.compile(r"('(?:[^']|'')+'|[^!'(),]+)!\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?")
_RATE = re.compile(r"(?<![\d.,])(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?$")
_LARGEST_RATE = 1e6
_CALLED_LOSS = re.compile(r"loss|error|cost", re.IGNORECASE)
_PLOTTED_NUMBER = re.compile(rb'<((?:\w+:)?)pt idx="[1-9]\d*"><\1v>[-+.\dEe]*</\1v></\1pt>')


class Series(Struct, frozen=True):
    """One line of a chart: the cells it plots, and where its name stands."""

    sheet: str
    cells: tuple[Coordinates, ...]
    name: str
    name_place: Coordinates | None


class Chart(Struct, frozen=True):
    """One chart: its title and its lines."""

    title: str
    series: tuple[Series, ...]


Loss = list[Coordinates]
"""The cells of a loss, one an iteration."""


def chart_notes(book: Book, verdicts: Sequence[Verdict]) -> Iterator[Note]:
    """Notes on the charts of a workbook."""
    losses = [_loss(verdict) for verdict in verdicts]
    for sheet in book.sheets:
        charts = list(_charts(book.container, sheet.part))
        for chart in charts:
            yield from _rows(sheet, chart, verdicts, losses)
            for series in chart.series:
                yield from _pasted(book, sheet, series, verdicts, losses)
        yield from _quantities(sheet, charts, verdicts, losses)


def _charts(container: Container, part: str) -> Iterator[Chart]:
    for kind, drawing in relationships(container, part).values():
        if kind == "drawing" and drawing in container.names:
            for inner, target in relationships(container, drawing).values():
                if inner == "chart" and target in container.names:
                    yield _chart(container.tree(target, _without_numbers))


def _without_numbers(content: bytes) -> bytes:
    """A chart's part without the copies of the numbers that it plots, but for the first of each series."""
    return _PLOTTED_NUMBER.sub(b"", content)


def _chart(tree: Element) -> Chart:
    title = tree.first("title")
    series = []
    for element in tree.all("ser"):
        for tag in ("val", "yVal"):
            values = element.first(tag)
            formula = values.first("f") if values is not None else None
            if formula is not None:
                series.append(_series(formula.text, element.first("tx")))
    return Chart(
        "".join(run.text for run in title.all("t")) if title is not None else "",
        tuple(one for one in series if one is not None),
    )


def _series(formula: str, name: Element | None) -> Series | None:
    cells: list[Coordinates] = []
    sheet = ""
    for match in _RANGE.finditer(formula):
        sheet = match[1].strip("'").replace("''", "'")
        left, top = column_number(match[2]), int(match[3])
        right, bottom = column_number(match[4] or match[2]), int(match[5] or match[3])
        if (right - left + 1) * (bottom - top + 1) > _MOST_POINTS:
            return None
        cells += [(row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)]
    label = name.first("v") if name is not None else None
    reference = _RANGE.match(name.content()) if name is not None and label is None else None
    place = (int(reference[3]), column_number(reference[2])) if reference else None
    return Series(sheet, tuple(cells), label.text if label is not None else "", place) if cells else None


def _loss(verdict: Verdict) -> Loss:
    """The cells of E_total, one an iteration, that hold something."""
    table = verdict.table
    if "E_total" not in table.lines:
        return []
    line = table.lines["E_total"]
    filled = (stretch for stretch in table.stretches if table.on(line, stretch.start) is not None)
    return [table.coordinates(line, step) for stretch in filled for step in stretch]


def _rows(sheet: Sheet, chart: Chart, verdicts: Sequence[Verdict], losses: Sequence[Loss]) -> Iterator[Note]:
    """The iterations of a loss that a chart leaves out, all its lines together; every fifth row is all of it."""
    for verdict, loss in zip(verdicts, losses, strict=True):
        here = [series for series in chart.series if series.sheet == verdict.table.sheet.name]
        plotted = {place for series in here for place in series.cells} & set(loss)
        shown = [index for index, place in enumerate(loss) if place in plotted]
        if not shown:
            continue
        every = shown[1] - shown[0] if len(shown) > 1 else 1
        first, last = shown[0], len(loss) - 1 - shown[-1]
        which = []
        if first >= every:
            which.append("the first iteration" if first == 1 else f"the first {first} iterations")
        if last >= every:
            which.append("the last iteration" if last == 1 else f"the last {last} iterations")
        if not which and any(later - one != every for one, later in pairwise(shown)):
            which.append("some iterations")
        if which:
            missing = [place for place in loss if place not in plotted]
            name = f"the chart “{chart.title}”" if chart.title else "a chart"
            cells = shortened(ranges(sorted({place for series in here for place in series.cells})))
            message = f"{name} plots {cells} of E_total and leaves out {' and '.join(which)}"
            yield Note(sheet.name, ranges(missing), "chart_rows", message)


def _plots(series: Series, verdict: Verdict, cells: Iterable[Coordinates]) -> bool:
    """Whether a line of a chart plots any of some cells of a table's sheet."""
    return series.sheet == verdict.table.sheet.name and not set(series.cells).isdisjoint(cells)


def _quantities(
    sheet: Sheet, charts: Sequence[Chart], verdicts: Sequence[Verdict], losses: Sequence[Loss]
) -> Iterator[Note]:
    """A chart that is called a loss chart, or is the only one, and plots another quantity of the table."""
    for chart in charts:
        if chart.title and not _CALLED_LOSS.search(chart.title):
            continue
        pairs = [
            (series, verdict, loss) for series in chart.series for verdict, loss in zip(verdicts, losses, strict=True)
        ]
        if any(_plots(*each) for each in pairs):
            continue
        plotted = {
            name
            for series, verdict, _ in pairs
            for name in verdict.table.lines
            if _plots(series, verdict, (verdict.table.place(name, step) for step in range(len(verdict.table.steps))))
        }
        if plotted and "E_total" not in plotted:
            words = f"“{chart.title}”" if chart.title else "without a title"
            message = f"the chart {words} plots {', '.join(sorted(plotted))}, not E_total"
            yield Note(sheet.name, (), "chart_quantity", message)


def _pasted(
    book: Book, sheet: Sheet, series: Series, verdicts: Sequence[Verdict], losses: Sequence[Loss]
) -> Iterator[Note]:
    """A curve of pasted numbers that training with its learning rate does not give any more."""
    source = book.by_name.get(series.sheet)
    if source is None or not source.is_read or len(series.cells) < _FEWEST_POINTS:
        return
    if any(_plots(series, verdict, loss) for verdict, loss in zip(verdicts, losses, strict=True)):
        return
    numbers, doubts = [], []
    for place in series.cells:
        cell = source.cells.get(place)
        if cell is None or cell.formula is not None or cell.number is None:
            return
        numbers.append(cell.number)
        doubts.append(half_unit(cell.digits, cell.number))
    rate = _rate(source, series)
    if rate is None:
        return
    curve = np.array(numbers)
    for exact in (True, False):
        for verdict, loss in zip(verdicts, losses, strict=True):
            own = verdict.found.learning_rate.value
            if exact != (own is not None and abs(own - rate) <= 1e-9 * rate):
                continue
            right = verdict.numbers.of("E_total") if exact and loss else trained(verdict, rate, len(curve) + 1)
            if right is None or not _begins_alike(curve, right):
                continue
            if not _agrees(curve, right, np.array(doubts)):
                message = (
                    f"the plotted numbers for η = {rate:g} are pasted, and they are not what the table"
                    f" {verdict.found.sheet}!{verdict.found.range} gives with this learning rate"
                )
                yield Note(source.name, ranges(list(series.cells)), "pasted_curve", message)
            return


def _rate(sheet: Sheet, series: Series) -> float | None:
    """The learning rate that a curve is labelled with: in its name, or above its first number."""
    row, column = series.cells[0]
    texts = [series.name]
    if series.name_place is not None:
        texts.append(sheet.text(*series.name_place))
    for above in (1, 2):
        cell = sheet.cells.get((row - above, column))
        if cell is not None:
            texts.append(cell.value if isinstance(cell.value, str) else str(cell.value))
    for text in texts:
        match = _RATE.search(text.strip().rstrip(")"))
        rate = float(match[0].replace(",", ".")) if match else 0.0
        if 0 < rate <= _LARGEST_RATE:
            return rate
    return None


def _begins_alike(curve: Array, right: Array) -> bool:
    """Whether a curve is one of this network's losses at all: it begins with the first or second of them."""
    with np.errstate(all="ignore"):
        return any(
            len(right) > start and bool(abs(curve[0] - right[start]) <= 5e-2 * abs(right[start])) for start in (0, 1)
        )


def _agrees(curve: Array, right: Array, doubts: Array) -> bool:
    for start in (0, 1):
        length = min(len(curve), len(right) - start)
        if length < _FEWEST_POINTS:
            continue
        other = right[start : start + length]
        with np.errstate(all="ignore"):
            near = np.abs(curve[:length] - other) <= 2 * doubts[:length] + _SAME_CURVE * np.abs(other)
        if bool((near | np.isnan(other)).all()):
            return True
    return False
