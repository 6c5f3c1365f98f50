"""The worksheet and its answers: every answer against the engine, every printed line against its own numbers."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from tests import installed
from tests.cases import thorough_but
from xlbackprop import UserError, load, train
from xlbackprop.ground.grid import column_number, coordinates
from xlbackprop.ground.progress import nobody
from xlbackprop.network.templates import names
from xlbackprop.symbols import short
from xlbackprop.walkthrough import Lesson, fit, updated_name
from xlbackprop.workbook.build import empty_workbook, opening_iteration
from xlbackprop.workbook.sheets.worksheet import put_worksheet, tasks
from xlbackprop.workbook.worksheet_printing import handout
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.rows import SheetContent
from xlbackprop.workbook.xlsx.writer import save


def lesson_of(template: str) -> Lesson:
    definition = load(template)
    return Lesson(
        definition, fit(definition, "compact"), train(definition), iteration=opening_iteration(definition, None)
    )


def written(content: SheetContent) -> dict[str, str]:
    """The texts of a page by their cells."""
    texts = {}
    for cell in content.cells.values():
        match cell.content:
            case str():
                texts[cell.address] = cell.content
            case tuple():
                texts[cell.address] = "".join(piece.text for piece in cell.content)
    return texts


@pytest.mark.parametrize("template", thorough_but(names(), "classic", "xor"))
def test_every_answer_is_the_engines(template: str) -> None:
    lesson = lesson_of(template)
    now, learned = lesson.trace.at(lesson.iteration), {updated_name(name): name for name in lesson.derivation.learned}
    listed = [task for _, each in tasks(lesson) for task in each]
    assert {updated_name(name) for name in lesson.derivation.learned} <= {task.name for task in listed}
    for task in listed:
        right = lesson.trace.after(learned[task.name], lesson.iteration) if task.name in learned else now[task.name]
        assert task.value == pytest.approx(right, rel=1e-12), task.name
        if said := re.search(r"[=≈] (−?[\d.]+(?:E[-+]?\d+)?)$", task.solution):
            digits = len(re.sub(r"E.*|\D", "", said[1]).lstrip("0")) or 1
            assert float(said[1].replace("−", "-")) == pytest.approx(right, rel=10.0 ** (1 - digits)), task.name


def test_the_answers_belong_to_the_worksheet() -> None:
    lesson = lesson_of("classic")
    (blank_network, worksheet), (network, answers) = (
        [written(page.content()) for page in put_worksheet(empty(lesson), lesson, solved=solved)]
        for solved in (False, True)
    )
    asked = {place: text for place, text in answers.items() if place[0] in "CD" and worksheet.get(place) != text}
    assert sum(place[0] == "D" for place in asked) == sum(task.is_asked for _, each in tasks(lesson) for task in each)
    for place in asked:
        assert worksheet.get(place, "room to calculate") in ("", "room to calculate")
    given = {short(lesson.trace[name][0]) for name in lesson.derivation.given}
    results = {text for place, text in asked.items() if place[0] == "D"}
    assert not (results - given) & set(worksheet.values())
    assert "h1 = 0.0275" in network.values()
    assert "h1 = " in blank_network.values()
    assert "w1 = 0.15" in blank_network.values()


@pytest.mark.parametrize("template", names())
def test_no_number_that_is_asked_stands_further_down(template: str) -> None:
    lesson = lesson_of(template)
    listed = [task for _, each in tasks(lesson) for task in each]
    asked = {short(task.value) for task in listed if task.is_asked} - {"0", "1"}
    content = put_worksheet(empty(lesson), lesson, solved=False)[1].content()
    first = next(row for (row, column), cell in content.cells.items() if column == 1 and cell.content == "Forward pass")
    below = {text for place, text in written(content).items() if place[0] == "D" and int(place[1:]) > first}
    assert not below & asked


@pytest.mark.parametrize("solved", [False, True])
def test_its_parts_are_xml_and_its_network_has_arrows(solved: bool, tmp_path: Path) -> None:
    lesson = lesson_of("classic")
    workbook = empty(lesson)
    pages = put_worksheet(workbook, lesson, solved=solved)
    save(workbook, [page.content() for page in pages], tmp_path / "book.xlsx", nobody)
    with zipfile.ZipFile(tmp_path / "book.xlsx") as archive:
        parts = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}
    (drawing,) = (part for name, part in parts.items() if name.startswith("xl/drawings/drawing"))
    assert len(drawing) == len(lesson.arrangement.diagram.arrows)


@pytest.mark.parametrize("template", ["classic", "xor", "iris-mini"])
def test_every_symbol_has_the_room_that_it_takes(template: str) -> None:
    lesson = lesson_of(template)
    _, page = put_worksheet(empty(lesson), lesson, solved=False)
    content = page.content()
    for cell in content.cells.values():
        if isinstance(cell.content, tuple) and cell.address[0] == "A":
            symbol = "".join(piece.text for piece in cell.content)
            assert content.columns[1].width >= 1.05 * len(symbol), symbol
    assert sum(column.width for column in content.columns.values()) == pytest.approx(99)


@pytest.mark.parametrize("template", thorough_but(names(), "xor"))
@pytest.mark.parametrize("solved", [False, True])
def test_no_page_ends_with_a_heading_or_speaks_of_another_sheet(template: str, solved: bool) -> None:
    lesson = lesson_of(template)
    content = put_worksheet(empty(lesson), lesson, solved=solved)[1].content()
    texts, frame = written(content), content.frame
    assert not [text for text in texts.values() if "sheet" in text.lower()]
    assert frame.paper
    rows = {coordinates(place)[0] for place in texts}
    heights = {row: content.heights.get(row, frame.row_height) for row in rows | {3}}
    headings = {row for row in rows - {1, 2} if not texts.get(f"B{row}")}
    pages = list(pairwise([1, *frame.breaks, max(rows) + 1]))
    lengths = [sum(heights.get(row, frame.row_height) for row in range(start, end)) for start, end in pages]
    assert min(lengths) >= 0.6 * max(lengths), "a page with a few lines"
    for start, end in pages:
        assert end - 1 not in headings
        taken = sum(heights[row] for row in range(start, end)) + (start > 1) * heights[4]
        for across, down in ((595.3, 841.9), (612.0, 792.0)):
            assert taken * frame.paper.scale / 100 <= down - 2 * 0.6 * 72
            assert 99 * 7.0 * frame.paper.scale / 100 <= across - 2 * 0.25 * 72
    assert frame.paper.scale >= 73


def empty(lesson: Lesson) -> Workbook:
    return empty_workbook(lesson.definition)


@pytest.mark.slow
def test_it_is_printed(tmp_path: Path) -> None:
    installed.program("soffice")
    worksheet, answers = handout(load(), "classic", tmp_path)
    assert (worksheet.name, answers.name) == ("classic-worksheet.pdf", "classic-answers.pdf")
    blank, solved = (
        subprocess.run(["pdftotext", "-layout", path, "-"], check=True, capture_output=True, text=True).stdout
        for path in (worksheet, answers)
    )
    for task in (task for _, each in tasks(lesson_of("classic")) for task in each):
        assert short(task.value) in solved, task.name
    for number in ("0.50687", "0.43253", "0.014181", "0.14968"):
        assert number not in blank


def test_without_libreoffice_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="LibreOffice is needed to print a worksheet"):
        handout(load(), "classic", tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_iteration_that_is_not_there() -> None:
    command = [sys.executable, "-m", "xlbackprop", "handout", "classic", "--iteration", "68"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--iteration: found 68, expected a whole number from 0 to 67" in done.stderr


@pytest.mark.parametrize("title", ["Short", "A title of many words " * 9], ids=["short", "long"])
@pytest.mark.parametrize("solved", [False, True])
def test_a_title_leaves_room_for_the_iteration(title: str, solved: bool) -> None:
    lesson = lesson_of("classic")
    lesson = replace(lesson, definition=replace(lesson.definition, title=title.strip()))
    for page in put_worksheet(empty(lesson), lesson, solved=solved):
        content = page.content()
        found = written(content)
        assert found["A1"] == title.strip() or found["A1"].endswith("…")
        assert found["A2"].startswith("Iteration 0")
        first, last = (content.frame.paper.area if content.frame.paper else "").split(":")
        columns = range(1, column_number(last.rstrip("0123456789")) + 1)
        assert 0.8 * len(found["A1"]) <= sum(content.columns[column].width for column in columns), first
