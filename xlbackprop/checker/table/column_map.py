"""The map that a reader gives when the labels of a sheet say too little: which quantity stands in which column."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from xlbackprop.checker.table.labels import quantity
from xlbackprop.ground.errors import UserError
from xlbackprop.ground.given_files import UnfitFileError, toml_of
from xlbackprop.ground.grid import MOST_COLUMNS, column_number
from xlbackprop.network import ITERATION, LEARNING_RATE

_EXAMPLE = 'such as  h1 = "I"  or  "dE/dw1" = "X", and, where needed, sheet = "Sheet1", header = 32'


class Map(Struct, frozen=True):
    """Columns by quantity, and the sheet and header row where they are told."""

    columns: dict[str, int]
    sheet: str | None = None
    header: int | None = None


def load(path: Path) -> Map:
    """Read a map: a TOML file of quantity → column letter.

    Raises:
        UserError: it cannot be read, or a line of it cannot be used.
    """
    try:
        content = toml_of(path)
    except UnfitFileError as error:
        raise UserError(f"--map {error}; expected lines {_EXAMPLE}") from error
    sheet, header = content.pop("sheet", None), content.pop("header", None)
    if sheet is not None and not isinstance(sheet, str):
        raise UserError(f"--map {path}: sheet: found {sheet!r}, expected the name of a sheet")
    if header is not None and (not isinstance(header, int) or isinstance(header, bool) or not 1 <= header <= 1 << 20):
        raise UserError(f"--map {path}: header: found {header!r}, expected the number of the row with the labels")
    columns: dict[str, int] = {}
    for key, value in content.items():
        name = quantity(key)
        if name is None:
            raise UserError(f"--map {path}: “{key}” is no quantity of the walkthrough; expected lines {_EXAMPLE}")
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{1,3}", value):
            raise UserError(f'--map {path}: {key}: found {value!r}, expected the letters of a column, such as "I"')
        if column_number(value) > MOST_COLUMNS:
            raise UserError(f"--map {path}: {key}: found {value!r}, expected the letters of a column, XFD is the last")
        if name in columns:
            raise UserError(f"--map {path}: {key}: found {name} a second time, expected every quantity once")
        columns[name] = column_number(value)
    if not columns.keys() - {ITERATION, LEARNING_RATE}:  # these two fill no row of a table
        raise UserError(f"--map {path}: found no columns of a table, expected lines {_EXAMPLE}")
    return Map(columns, sheet, header)
