"""The cells of a workbook that a reader may fill in, and what may be typed there, as the file itself says it."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from msgspec import Struct
from openpyxl.utils.cell import rows_from_range

from tests import judges
from tests.judges import Cells

Typed = float | str | None


class Input(Struct, frozen=True):
    """One cell, and the extremes of what may be typed into it; None empties it."""

    sheet: str
    cell: str
    extremes: tuple[Typed, ...]


def inputs(path: Path) -> tuple[Input, ...]:
    """All cells of a workbook that have a validation."""
    return _inputs(path, sha256(path.read_bytes()).digest())


@lru_cache(maxsize=64)
def _inputs(path: Path, _: bytes) -> tuple[Input, ...]:
    values = judges.stored(path)
    return tuple(
        Input(title, cell, _extremes(values, title, rule))
        for title, xml in judges.sheet_parts(path)
        for rules in re.findall("<dataValidations .*</dataValidations>", xml)
        for rule in ElementTree.fromstring(rules)
        for block in rule.attrib["sqref"].split()
        for cell in _some(block)
    )


def _some(block: str) -> list[str]:
    """The corners of a range, whose cells are all alike."""
    rows = list(rows_from_range(block))
    return list(dict.fromkeys((rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1])))


def _extremes(values: Cells, sheet: str, rule: Element) -> tuple[Typed, ...]:
    nothing = (None,) if rule.get("allowBlank") else ()
    first, second = rule.findtext("formula1", ""), rule.findtext("formula2", "")
    if rule.attrib["type"] == "list":
        choices = _choices(values, sheet, first)
        return (choices[0], choices[-1], *nothing)
    assert rule.attrib["type"] in ("whole", "decimal"), rule.attrib
    assert rule.get("operator", "between") == "between", rule.attrib
    low, high = float(first), float(second)
    zero = (0.0,) if low < 0 < high else ()
    return (low, high, *zero, *nothing)


def _choices(values: Cells, sheet: str, source: str) -> list[str]:
    if source.startswith('"'):
        return source.strip('"').split(",")
    title, _, block = source.rpartition("!")
    home = title.strip("'") or sheet
    cells = [(home, cell) for row in rows_from_range(block.replace("$", "")) for cell in row]
    return [str(values[cell]) for cell in cells if cell in values]
