"""Samples from a CSV file: a line of column names, then one line of numbers a sample, the inputs before the targets."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from msgspec import Struct

from xlbackprop.ground.errors import DefinitionError, Problem, UserError, count, shown
from xlbackprop.ground.given_files import UnfitFileError, text_of
from xlbackprop.network.definition import LARGEST_NUMBER, Real
from xlbackprop.network.keys import description

LARGEST_CSV = 2 << 20
"""Bytes: some hundred thousand samples, more than a training of a walkthrough can take one after the other."""

Rows = list[list[float]]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)


class CsvSamples(Struct, frozen=True):
    """What a file of samples holds."""

    path: Path
    inputs: Rows
    targets: Rows
    lines: list[int]
    """In which line of the file each sample stands."""


def read_samples(definition: Path, name: str, outputs: object) -> CsvSamples:
    """Read the inputs and the targets of every sample; commas, semicolons or tabs stand between them.

    Args:
        definition: the file of the definition, beside which the samples lie.
        name: the file of the samples as the definition gives it.
        outputs: how many of the columns, the last ones, are targets.

    Raises:
        UserError: there is no such file, or it holds no samples.
        DefinitionError: lines of it cannot be used; they are named.
    """
    if not isinstance(outputs, int) or isinstance(outputs, bool) or outputs < 1:
        raise UserError(f"{definition}: layers: the last layer has to say its units or weights, as many as targets")
    path = definition.parent / name
    try:
        text = text_of(path, most=LARGEST_CSV)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
        lines = [(reader.line_num, line) for line in reader if any(each.strip() for each in line)]
    except UnfitFileError as error:
        raise UserError(f"{error}; {definition} takes its samples from there") from error
    except csv.Error as error:
        raise UserError(f"{path}: this is not a CSV file ({error})") from error
    columns = len(lines[0][1]) if lines else 0
    if columns <= outputs:
        expected = (
            f"more than {outputs}: inputs, then {count(outputs, 'target')}, with commas or semicolons between them"
        )
        raise UserError(f"{path}: found {count(columns, 'column')}, expected {expected}")
    (first, names), *rest = lines
    problems: list[Problem] = []
    if all(_NUMBER.fullmatch(each.strip()) for each in names):
        problems.append(
            Problem(f"line {first}", "numbers", "the names of the columns, then a line of numbers a sample")
        )
    rows = [_numbers(number, line, columns, problems) for number, line in rest]
    if problems:
        raise DefinitionError(str(path), tuple(problems))
    if not rows:
        raise UserError(f"{path}: found no sample, expected a line of column names and then a line of numbers a sample")
    numbers = [number for number, _ in rest]
    return CsvSamples(path, [row[:-outputs] for row in rows], [row[-outputs:] for row in rows], numbers)


def _delimiter(text: str) -> str:
    """What stands between the columns, to judge by their names; where commas are decimal, it is a semicolon."""
    names = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=names.count)


def _numbers(number: int, line: list[str], columns: int, problems: list[Problem]) -> list[float]:
    """The numbers of a line; what is wrong with it is told."""
    if len(line) != columns:
        hint = "; a number has a decimal point and no comma, such as 0.5" if len(line) > columns else ""
        expected = f"{columns} as in the first line{hint}"
        problems.append(Problem(f"line {number}", count(len(line), "column"), expected))
        return []
    values = []
    for column, text in enumerate(map(str.strip, line), 1):
        value = float(text) if _NUMBER.fullmatch(text) else None
        if value is None or not abs(value) <= LARGEST_NUMBER:
            comma = f", with a decimal point: {text.replace(',', '.')}" if _DECIMAL_COMMA.fullmatch(text) else ""
            found = shown(text) if text else "an empty cell"
            problems.append(Problem(f"line {number}, column {column}", found, f"{description(Real)}{comma}"))
        else:
            values.append(value)
    return values
