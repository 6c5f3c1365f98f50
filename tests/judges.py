"""The judges: spreadsheet programs that we did not write, each made to recalculate a workbook of ours.

A program that merely shows the values stored in a file judges nothing, so every judge is given the file without them.
"""

from __future__ import annotations

import csv
import html
import math
import re
import subprocess
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Protocol

import formualizer
import ironcalc
from openpyxl.formula.translate import Translator
from openpyxl.utils.cell import coordinate_to_tuple, get_column_letter

from tests import installed
from xlbackprop.workbook.sheets.gradient_check import Layout

TITLE = "Gradient check"

Value = float | str | bool | None
Changes = Mapping[tuple[str, str], float | str | bool | None]
"""What is typed into cells, by sheet and address; None empties a cell."""
Cells = dict[tuple[str, str], Value]
"""Values of cells, by sheet and address."""

RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-12
"""The one place that says how closely a judge has to agree with the engine, and why not to the last digit.

All sides compute with the same doubles, but sum in another order and take `exp` from another library, so that each
step may differ by a few units in the last place (1e-16). Training repeats the step: at η = 100 or 1000 an update
multiplies such a difference. The largest seen over all changes of the tests is below 1e-11; a wrong formula is off
by 1e-6 at the least (the slip of the original sheet, with the class's nearly equal a_h1 and a_h2).
"""


FAR_FROM_LEARNING = 1e-6
"""Relative, for the sheet Learning rates, which trains at η = 1000 too.

There an update throws a weight a thousand times as far as its gradient is large, and with activations that have no
bound every row multiplies a difference in the last digit again. The same formulas are judged closely elsewhere.
"""

UNBOUNDED = 100.0
"""How many times more roundings the allowances grant networks with activations that have no bound: their numbers are
tens where those of a sigmoid are 1, and every layer multiplies them again."""


def allowances(weights: Sequence[str], expected: Cells, factor: float = 1.0) -> dict[tuple[str, str], float]:
    """How far the cells of the sheet Gradient check that hold a measured gradient may differ from the engine's.

    (E(w + ε) − E(w − ε)) / 2ε subtracts two nearly equal numbers. All sides agree on each loss within the tolerance
    above, but each rounds its last digits in its own way: an output that is off by r = 4e-15 (some twenty roundings:
    sums, `exp`, a quotient) makes its loss E = ½(t − a)² off by |t − a|·r, which is at most √(2E)·r, with E·r for the
    loss's own rounding and |w·∂E/∂w|·r for that of w + ε. Divided by 2ε that is about 1e-15·√E/ε, which no program
    can better. The sheet shows this limit in a cell of its own, a smooth number that has to agree like any other;
    `test_gradient_check.py` checks it against this reasoning. A verdict in words gets no allowance.
    """
    places, title = Layout(tuple(weights)), TITLE
    allowed = {}
    for row in places.rows:
        limit, gradient = (_number(expected[title, f"{column}{row}"]) for column in "HC")
        allowed[title, f"F{row}"] = limit
        allowed[title, f"G{row}"] = limit / max(abs(gradient), 1e-12)
    for row in places.epsilon_rows:
        allowed[title, f"B{row}"] = allowed[title, f"C{row}"] = _number(expected[title, f"D{row}"])
    return {cell: factor * number for cell, number in allowed.items()}


def _number(value: Value) -> float:
    assert isinstance(value, int | float)
    return value


_MOST_READ = 12
"""Workbooks of which it is remembered what stands in them: as many as there are templates, about."""


def formula_cells(path: Path) -> dict[tuple[str, str], str]:
    """Every formula of a workbook of ours, shared ones written out by openpyxl, in a fifth of the time of all of it."""
    return dict(_formula_cells(path.read_bytes()))


@lru_cache(maxsize=_MOST_READ)
def _formula_cells(book: bytes) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for title, xml in _sheet_parts(book):
        shared: dict[str, Translator] = {}
        for address, attributes, content in _WITH_FORMULA.findall(xml):
            formula, number = f"={html.unescape(content)}", _SHARED_FORMULA.search(attributes)
            if number and content:
                shared[number[1]] = Translator(formula, address)
            elif number:
                formula = shared[number[1]].translate_formula(address)
            found[title, address] = formula
    return found


_WITH_FORMULA = re.compile(r'<c r="([A-Z]+\d+)" [^>]*><f([^>]*?)(?:/>|>([^<]*)</f>)')
_SHARED_FORMULA = re.compile(r'\bsi="(\d+)"')


def calculated(path: Path) -> list[tuple[str, str]]:
    """Where the formulas of a workbook of ours stand, in a tenth of the time of `formula_cells`."""
    return [(title, address) for title, xml in sheet_parts(path) for address in _CALCULATED.findall(xml)]


_CALCULATED = re.compile(r'<c r="([A-Z]+\d+)" [^>]*><f')


def carried(path: Path) -> Cells:
    """The value that a workbook of ours carries in every formula cell, in a tenth of the time of `stored`."""
    return dict(_carried(path.read_bytes()))


@lru_cache(maxsize=_MOST_READ)
def _carried(book: bytes) -> Cells:
    values: Cells = {}
    for title, xml in _sheet_parts(book):
        for address, kind, value in _CARRIED.findall(xml):
            match kind:
                case "str":
                    values[title, address] = html.unescape(value)
                case "b":
                    values[title, address] = value == "1"
                case _:
                    values[title, address] = float(value)
    return values


_FORMULA = r"<f(?:>[^<]*</f>| [^>]*?(?:/>|>[^<]*</f>))"
"""A formula of a cell: its own, or one that it shares with others, where it may be written out or only counted."""

_CARRIED = re.compile(rf'<c r="([A-Z]+\d+)" s="\d+"(?: t="(\w+)")?>{_FORMULA}<v>([^<]*)</v></c>')


def stored(path: Path) -> Cells:
    """The value that the file itself carries in every cell, whoever wrote it."""
    return dict(_stored(path.read_bytes()))


@lru_cache(maxsize=_MOST_READ)
def _stored(book: bytes) -> Cells:
    with zipfile.ZipFile(BytesIO(book)) as archive:
        shared = archive.read(_SHARED).decode() if _SHARED in archive.namelist() else ""
    texts = [_text(item) for item in _ITEM.findall(shared)]
    values: Cells = {}
    for title, xml in _sheet_parts(book):
        for address, attributes, content in _CELL.findall(xml):
            kind, value = _KIND.search(attributes), _VALUE.search(content)
            match kind[1] if kind else "n":
                case "inlineStr":
                    values[title, address] = _text(content)
                case _ if value is None:
                    continue
                case "s":
                    values[title, address] = texts[int(value[1])]
                case "b":
                    values[title, address] = value[1] == "1"
                case "n":
                    values[title, address] = float(value[1])
                case _:
                    values[title, address] = html.unescape(value[1])
    return values


_SHARED = "xl/sharedStrings.xml"
_CELL = re.compile(r'<c r="([A-Z]+\d+)"([^>]*?)(?:/>|>(.*?)</c>)', re.DOTALL)
_KIND, _VALUE = re.compile(r'\bt="(\w+)"'), re.compile(r"<v[^>]*>([^<]*)</v>")
_ITEM, _RUN = re.compile(r"<si>(.*?)</si>", re.DOTALL), re.compile(r"<t(?: [^>]*)?>([^<]*)</t>")


def _text(xml: str) -> str:
    return html.unescape("".join(_RUN.findall(xml)))


class Opened(Protocol):
    """A workbook that is open in a program, for typing into it again and again."""

    def read(self, sheet: str, address: str) -> Value: ...

    def type(self, sheet: str, address: str, value: Value) -> None: ...

    def evaluated(self) -> Cells:
        """The value of every formula."""


class OpenInIronCalc:
    """A workbook that is open in IronCalc."""

    def __init__(self, path: Path) -> None:
        self._model = ironcalc.load_from_xlsx(str(without_values(path)), "en", "UTC", "en")
        self._sheets = {each["name"]: index for index, each in enumerate(self._model.get_worksheets_properties())}
        self._formulas = {cell: self._place(*cell) for cell in calculated(path)}

    def _place(self, sheet: str, address: str) -> tuple[int, int, int]:
        return (self._sheets[sheet], *coordinate_to_tuple(address))

    def read(self, sheet: str, address: str) -> Value:
        value: Value = self._model.get_cell_value(*self._place(sheet, address))
        return value

    def type(self, sheet: str, address: str, value: Value) -> None:
        place = self._place(sheet, address)
        match value:
            case bool():
                self._model.update_cell_with_bool(*place, value)
            case str():
                self._model.update_cell_with_text(*place, value)
            case None:
                self._model.set_user_input(*place, "")
            case _:
                self._model.update_cell_with_number(*place, value)

    def evaluated(self) -> Cells:
        self._model.evaluate()
        value_of = self._model.get_cell_value
        return {cell: value_of(*place) for cell, place in self._formulas.items()}


class OpenInFormualizer:
    """A workbook that is open in formualizer, which has no MMULT: the sheet Matrices is left out."""

    def __init__(self, path: Path) -> None:
        self._workbook = formualizer.load_workbook(str(without_values(path)))
        formulas = calculated(path)
        self._formulas = {
            cell: (cell[0], *coordinate_to_tuple(cell[1])) for cell in set(formulas) - of_matrices(formulas)
        }

    def read(self, sheet: str, address: str) -> Value:
        value: Value = self._workbook.get_value(sheet, *coordinate_to_tuple(address))
        return value

    def type(self, sheet: str, address: str, value: Value) -> None:
        row, column = coordinate_to_tuple(address)
        self._workbook.set_value(sheet, row, column, float(value) if type(value) is int else value)

    def evaluated(self) -> Cells:
        self._workbook.evaluate_all()
        value_of = self._workbook.get_value
        return {cell: value_of(*place) for cell, place in self._formulas.items()}


def ironcalc_judge(path: Path, changes: Changes) -> Cells:
    """Recalculate with IronCalc (Rust)."""
    return _judged(_opened(OpenInIronCalc, path), changes)


def formualizer_judge(path: Path, changes: Changes) -> Cells:
    """Recalculate with formualizer (another engine in Rust)."""
    return _judged(_opened(OpenInFormualizer, path), changes)


_MOST_OPEN = 12
"""As many as there are templates, about."""
_open: dict[tuple[Callable[[Path], Opened], bytes], Opened] = {}
"""The workbooks that were opened last, by what they are, wherever they stand."""


def _opened(program: Callable[[Path], Opened], path: Path) -> Opened:
    key = program, sha256(path.read_bytes()).digest()
    found = _open.pop(key, None) or program(path)
    _open[key] = found
    if len(_open) > _MOST_OPEN:
        del _open[next(iter(_open))]
    return found


def _judged(opened: Opened, changes: Changes) -> Cells:
    """What comes out of some changes, which are taken back afterwards."""
    before = {cell: opened.read(*cell) for cell in changes}
    for cell, value in changes.items():
        opened.type(*cell, value)
    found = opened.evaluated()
    for cell, value in before.items():
        opened.type(*cell, value)
    return found


def read_by_others(path: Path) -> set[str]:
    """The titles of the sheets that formulas on other sheets refer to."""
    return {
        name
        for title, xml in sheet_parts(path)
        for quoted, plain in set(_OTHER_SHEET.findall("\n".join(_FORMULA_TEXT.findall(xml))))
        if (name := html.unescape(quoted or plain)) != title
    }


_FORMULA_TEXT, _OTHER_SHEET = re.compile(r"<f[^>]*>([^<]*)</f>"), re.compile(r"(?:'([^']+)'|(\w+))!")


def of_matrices(cells: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of some cells that stand on the sheet Matrices; `test_matrices.py` has judges for them that know MMULT."""
    return {cell for cell in cells if cell[0] == "Matrices"}


class WrittenNumber(float):
    """What reads as a number where LibreOffice writes values as texts; it may be a text too, which `str` gives."""

    _text: str

    def __new__(cls, text: str) -> WrittenNumber:
        number = super().__new__(cls, text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text


def libreoffice(paths: Sequence[Path], folder: Path) -> list[Cells]:
    """Recalculate files with LibreOffice, all in one start of the program.

    It writes its values as texts, to fifteen digits, in two thirds of the time of a workbook.
    """
    return [
        {
            (title, f"{get_column_letter(column)}{row}"): _read(text)
            for title, rows in sheets.items()
            for row, texts in enumerate(rows, 1)
            for column, text in enumerate(texts, 1)
            if text
        }
        for sheets in _sheets_by_libreoffice([without_values(path) for path in paths], folder)
    ]


def _read(text: str) -> Value:
    if text in ("TRUE", "FALSE"):
        return text == "TRUE"
    try:
        return WrittenNumber(text)
    except ValueError:
        return text


def shown_by_libreoffice(paths: Sequence[Path], folder: Path) -> list[dict[str, set[str]]]:
    """The texts on each sheet of each file, as LibreOffice recalculates it, with all errors."""
    return [
        {title: {text for row in rows for text in row} for title, rows in sheets.items()}
        for sheets in _sheets_by_libreoffice(paths, folder)
    ]


def _sheets_by_libreoffice(paths: Sequence[Path], folder: Path) -> list[dict[str, list[list[str]]]]:
    """What stands in the rows of each sheet of each file."""
    installed.convert(paths, folder, f"csv:Text - txt - csv (StarCalc):{_EVERY_SHEET}")
    found = []
    for path in paths:
        sheets = {}
        for title, _ in sheet_parts(path):
            with (folder / f"{path.stem}-{title}.csv").open(encoding="utf-8", newline="") as stream:
                sheets[title] = list(csv.reader(stream))
        found.append(sheets)
    return found


_EVERY_SHEET = "44,34,76,1,,0,false,false,false,false,false,-1"
"""Comma, quotation mark, UTF-8, from line 1; numbers not as shown, no formulas; a file a sheet."""


def gnumeric(paths: Sequence[Path], folder: Path) -> list[Cells]:
    """Recalculate files with Gnumeric."""
    program = installed.program("ssconvert")
    results = []
    for path in map(without_values, paths):
        target = folder / path.name
        command = [program, "--recalc", "--export-type=Gnumeric_Excel:xlsx2", str(path), str(target)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        results.append(stored(target))
    return results


def without_values(path: Path) -> Path:
    """A copy of a workbook, in a folder beside it, in which no formula carries a value."""
    return rewritten(path, "stripped", lambda _, xml: re.sub(rf"({_FORMULA})<v>[^<]*</v>", r"\1", xml))


def without_cells(path: Path) -> Path:
    """A copy of a workbook, in a folder beside it, with all that stands around the cells, which is read at once."""
    return rewritten(path, "empty", lambda _, xml: re.sub("<sheetData>.*</sheetData>", "<sheetData/>", xml, flags=re.S))


def changed(path: Path, changes: Changes, name: str) -> Path:
    """A copy of a workbook, named `name`, with other contents in some cells that hold no formula."""

    def change(title: str, xml: str) -> str:
        own = {address: value for (sheet, address), value in changes.items() if sheet == title}
        if not own:
            return xml
        cell = rf'(<c r="({"|".join(own)})" s="\d+")[^>]*?(?:/>|>(?:<v>[^<]*</v>|<is>.*?</is>)</c>)'
        found = re.findall(cell, xml)
        assert len(found) == len(own), (
            f"no cells without a formula at {title}!{own.keys() - {each[1] for each in found}}"
        )
        return re.sub(cell, lambda match: f"{match[1]}{_content(own[match[2]])}", xml)

    return rewritten(path, "changed", change).rename(path.parent / "changed" / f"{name}.xlsx")


def _content(value: float | str | bool | None) -> str:
    """The rest of a cell's tag, and its content."""
    match value:
        case None:
            return "/>"
        case bool():
            return f' t="b"><v>{value:d}</v></c>'
        case str():
            return f' t="inlineStr"><is><t>{value}</t></is></c>'
        case _:
            return f"><v>{value!r}</v></c>"


def planted(path: Path, sheet: str, address: str, value: float) -> Path:
    """A copy of a workbook in which the formula of one cell carries a value that is not its own."""

    def change(title: str, xml: str) -> str:
        if sheet == title:
            xml, count = re.subn(rf'(<c r="{address}"[^>]*>{_FORMULA})<v>[^<]*</v>', rf"\1<v>{value!r}</v>", xml)
            assert count == 1, f"no formula in {sheet}!{address}"
        return xml

    return rewritten(path, "planted", change)


def rewritten(path: Path, folder: str, change: Callable[[str, str], str]) -> Path:
    """A copy of a workbook with the XML of its sheets changed; openpyxl numbers their parts in their order."""
    target = path.parent / folder / path.name
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        parts = _parts(source)
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename in parts:
                data = change(parts[entry.filename], data.decode()).encode()
            copy.writestr(entry.filename, data)  # not compressed, which takes longer than all else here
    return target


def _parts(book: zipfile.ZipFile) -> dict[str, str]:
    """The parts of a workbook that are sheets, with their titles."""
    titles = re.findall(r'<sheet [^>]*?name="([^"]*)"', book.read("xl/workbook.xml").decode())
    return {f"xl/worksheets/sheet{index}.xml": title for index, title in enumerate(titles, 1)}


def sheet_parts(path: Path) -> list[tuple[str, str]]:
    """The title and the XML of every sheet."""
    return _sheet_parts(path.read_bytes())


def _sheet_parts(book: bytes) -> list[tuple[str, str]]:
    with zipfile.ZipFile(BytesIO(book)) as archive:
        return [(title, archive.read(part).decode()) for part, title in _parts(archive).items()]


def errors(cells: Cells) -> Cells:
    """The cells that show an error value, as every judge gives it, or a number that is none."""
    return {cell: value for cell, value in cells.items() if is_error(value)}


def is_error(value: object) -> bool:
    match value:
        case float() | int():  # most are
            return not math.isfinite(value)
        case None:
            return False
        case str():
            return (value.startswith("#") and value.endswith(("!", "?", "/A"))) or value.startswith("Err:")
        case _:
            return True  # formualizer's own kind of error
