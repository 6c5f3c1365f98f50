"""Rows of a sheet's part that differ in nothing but their numbers, read together: long trainings consist of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from msgspec import Struct

FEWEST_ROWS = 16
"""Fewer are read as fast one by one."""
_MOST_AT_ONCE = 1_000
"""Rows whose texts are held apart before they are put into an array."""
_LONGEST_NUMBER = 24

_START = re.compile(rb'<row r="')
_NUMBER = rb"([-+.\deE]{1,%d})" % _LONGEST_NUMBER
_CELL = rb'<c r="([A-Z]{1,3})([1-9]\d{0,6})"(?: s="\d+")?>(<f(?: [a-zA-Z:]+="[^<>"&]*")+(?:/>|></f>))?<v>%s</v></c>'
_EVERY_CELL = re.compile(_CELL % _NUMBER)
_EMPTY_CELLS = rb'(?:<c r="[^<>]*/>)*'
_ROW = re.compile(
    rb'<row r="([1-9]\d{0,6})"[^<>]*>(?:%s%s)+%s</row>'
    % (_EMPTY_CELLS, re.sub(rb"\((?!\?)", b"(?:", _CELL % _NUMBER), _EMPTY_CELLS)
)


class AlikeRows(Struct, frozen=True, eq=False):
    """Rows one below the other, each with the same cells: a number, and perhaps a formula shared with other cells."""

    start: int
    end: int
    """Where in the part they stand."""
    first: int
    """The number of the first row."""
    letters: tuple[bytes, ...]
    """The column of each cell."""
    followers: tuple[bytes, ...]
    """The element that says which formula each cell shares; empty where it has none."""
    texts: npt.NDArray[np.bytes_]
    """The numbers as they are written, of shape (rows, columns)."""


def alike_rows(content: bytes) -> Iterator[AlikeRows]:
    """All such rows of a part, as far as many stand together, from the first to the last."""
    position = 0
    while (match := _START.search(content, position)) is not None:
        found = _from(content, match.start())
        if found is None:
            position = match.end()
        else:
            position = found.end
            if len(found.texts) >= FEWEST_ROWS:
                yield found


def _from(content: bytes, start: int) -> AlikeRows | None:
    """The rows that are like the one that begins here; None where that is no such row."""
    first = end = 0
    kind: tuple[tuple[bytes, ...], tuple[bytes, ...]] = ((), ())
    whole: list[npt.NDArray[np.bytes_]] = []
    rows: list[tuple[bytes, ...]] = []
    position = start
    while (row := _ROW.match(content, position)) is not None:
        letters, numbers, followers, texts = zip(*_EVERY_CELL.findall(content, position, row.end()), strict=True)
        number = int(row[1])
        if not end:
            first, kind = number, (letters, followers)
            if len(set(letters)) < len(letters):
                return None
        elif (letters, followers) != kind or number != first + sum(map(len, whole)) + len(rows):
            break
        if numbers.count(row[1]) < len(numbers):
            break
        rows.append(texts)
        if len(rows) == _MOST_AT_ONCE:
            whole.append(np.array(rows, dtype=f"S{_LONGEST_NUMBER}"))
            rows = []
        position = end = row.end()
    if not end:
        return None
    if rows:
        whole.append(np.array(rows, dtype=f"S{_LONGEST_NUMBER}"))
    return AlikeRows(start, end, first, *kind, np.concatenate(whole))
