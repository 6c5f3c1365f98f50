"""Delimited text (.csv, .tsv): a sheet of pasted numbers and labels; what looks like a formula stays text."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

from xlbackprop.checker.file.cells import Cell, Content, number_of
from xlbackprop.checker.file.container import LONGEST_TEXT, MOST_CELLS, UnreadableError
from xlbackprop.ground.grid import MOST_COLUMNS, MOST_ROWS, Coordinates

_LOOKED_AT = 50
"""Lines that tell what separates the columns."""
_WITH_COMMA = re.compile(r"[-+]?(?:\d+,\d+|,\d+|\d+)(?:[eE][-+]?\d+)?")


def content_of(data: bytes) -> Content:
    """What stands in a text file.

    Raises:
        UnreadableError: it is no text, or larger than what is read.
    """
    text = _decoded(data)
    delimiter = _delimiter(text)
    is_continental = delimiter != "," and not re.search(r"\d\.\d", text) and re.search(r"\d,\d", text) is not None
    cells: dict[Coordinates, Cell] = {}
    try:
        for row, fields in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1):
            for column, field in enumerate(fields, 1):
                if field.strip():
                    cells[row, column] = _cell(field.strip(), is_continental)
            if len(cells) > MOST_CELLS or row > MOST_ROWS or len(fields) > MOST_COLUMNS:
                raise UnreadableError("the file is larger than a sheet can be")
    except csv.Error:
        raise UnreadableError(
            "the file is damaged: a quotation mark in it is never closed, or a line never ends"
        ) from None
    if not cells:
        raise UnreadableError("the file has no cells")
    return Content(cells)


def _decoded(data: bytes) -> str:
    encodings = ["utf-16"] if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableError("the file is no text that can be read; save it as CSV in UTF-8")


def _delimiter(text: str) -> str:
    """The sign that stands equally often in most of the first lines, where that is more than once a line."""
    lines = [line for line in text.splitlines()[:_LOOKED_AT] if line.strip()]
    best, best_score = ",", (0, 0)
    for sign in ";\t,|":
        counts = Counter(line.count(sign) for line in lines)
        counts.pop(0, None)
        if counts:
            (often, agreeing), *_ = counts.most_common(1)
            if (agreeing, often) > best_score:
                best, best_score = sign, (agreeing, often)
    return best


def _cell(field: str, is_continental: bool) -> Cell:
    plain = field.replace("−", "-")
    if is_continental and _WITH_COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    number = number_of(plain)
    if number is None:
        return Cell(field[:LONGEST_TEXT])
    return Cell(number, "" if plain == repr(number) else plain)
