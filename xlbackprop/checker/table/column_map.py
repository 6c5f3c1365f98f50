"""The map that a reader gives when the labels of a sheet say too little: which quantity stands in which column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from xlbackprop.checker.table.labels import quantity
from xlbackprop.checker.table.recognise import shape_of
from xlbackprop.ground.errors import UserError, did_you_mean
from xlbackprop.ground.given_files import UnfitFileError, toml_of
from xlbackprop.ground.grid import MOST_COLUMNS, column_number
from xlbackprop.network import ACTIVATIONS, ITERATION, LEARNING_RATE, LOSSES, SOFTMAX

_EXAMPLE = 'such as  h1 = "I"  or  "dE/dw1" = "X", and, where needed, sheet = "Sheet1", header = 32'


LAYOUTS = ("rows", "columns")
_LETTERS = re.compile(r"[A-Za-z]{1,3}")
_COLUMN_OF_LOSS = re.compile(r"[A-Z]{1,3}|[a-z]{1,2}")
"""What `loss = "W"` is, the column of E_total, while "mse" is meant as a name."""


class Map(Struct, frozen=True):
    """Columns by quantity, rows where an iteration is a column, and what else is told of the table."""

    columns: dict[str, int]
    sheet: str | None = None
    header: int | None = None
    layout: str = LAYOUTS[0]
    activations: tuple[str, ...] = ()
    loss: str | None = None


def load(path: Path) -> Map:
    """Read a map: a TOML file of quantity → column letter.

    Raises:
        UserError: it cannot be read, or a line of it cannot be used.
    """
    try:
        content = toml_of(path)
    except UnfitFileError as error:
        raise UserError(f"--map {error}; expected lines {_EXAMPLE}") from error
    try:
        return _map(content)
    except _UnfitLineError as error:
        raise UserError(f"--map {path}: {error}") from None


class _UnfitLineError(Exception):
    """A line that cannot be used, in words."""


def _map(content: dict[str, object]) -> Map:
    sheet, header = content.pop("sheet", None), content.pop("header", None)
    layout, activations = content.pop("layout", LAYOUTS[0]), content.pop("activations", ())
    loss = None
    if not _COLUMN_OF_LOSS.fullmatch(str(content.get("loss", "W"))):
        loss = _one_of("loss", content.pop("loss"), LOSSES)
    if sheet is not None and not isinstance(sheet, str):
        raise _UnfitLineError(f"sheet: found {sheet!r}, expected the name of a sheet")
    layout = _one_of("layout", layout, LAYOUTS)
    is_turned = layout != LAYOUTS[0]
    columns: dict[str, int] = {}
    for key, value in content.items():
        name = quantity(key)
        if name is None:
            raise _UnfitLineError(f"“{key}” is no quantity of the walkthrough; expected lines {_EXAMPLE}")
        if name in columns:
            raise _UnfitLineError(f"{key}: found {name} a second time, expected every quantity once")
        columns[name] = _row(key, value) if is_turned else _column(key, value)
    if not columns.keys() - {ITERATION, LEARNING_RATE}:  # these two fill no row of a table
        raise _UnfitLineError(f"found no columns of a table, expected lines {_EXAMPLE}")
    labels = None
    if header is not None:
        labels = _column("header", header) if is_turned else _row("header", header, " with the labels")
    return Map(columns, sheet, labels, layout, _activations(activations, columns, loss), loss)


def _column(key: str, value: object) -> int:
    if not isinstance(value, str) or not _LETTERS.fullmatch(value):
        raise _UnfitLineError(f'{key}: found {value!r}, expected the letters of a column, such as "I"')
    if column_number(value) > MOST_COLUMNS:
        raise _UnfitLineError(f"{key}: found {value!r}, expected the letters of a column, XFD is the last")
    return column_number(value)


def _row(key: str, value: object, which: str = "") -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 20:
        raise _UnfitLineError(f"{key}: found {value!r}, expected the number of the row{which}")
    return value


def _one_of(key: str, value: object, known: Iterable[str]) -> str:
    if value not in (known := list(known)):
        raise _UnfitLineError(f"{key}: found {value!r}, {did_you_mean(str(value), known)}")
    return str(value)


def _activations(value: object, columns: dict[str, int], loss: str | None) -> tuple[str, ...]:
    """The activation of every layer, where one word says that of all."""
    if value == ():
        return ()
    shape = shape_of(columns)
    layers = 1 if shape is None else len(shape.sizes) - 1
    listed = value if isinstance(value, list) else [value] * layers
    words = tuple(_one_of("activations", each, [*ACTIVATIONS, SOFTMAX]) for each in listed)
    if len(words) != layers:
        raise _UnfitLineError(f"activations: found {len(words)}, expected {layers}, one for every layer of units")
    if SOFTMAX in words[:-1]:
        raise _UnfitLineError("activations: found softmax before the last layer, expected it for the last one only")
    needed = None if loss is None else LOSSES[loss].goes_with
    if needed not in (None, words[-1]):
        raise _UnfitLineError(f'loss: found "{loss}" after {words[-1]}, expected the activation {needed} there')
    return words
