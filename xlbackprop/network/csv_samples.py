"""Samples from a CSV file: a line of column names, then one line of numbers a sample, the inputs before the targets."""

from __future__ import annotations

import csv
from pathlib import Path

from xlbackprop.errors import UserError

Rows = list[list[float]]


def read_samples(definition: Path, name: object, outputs: object) -> tuple[Rows, Rows]:
    """Read the inputs and the targets of every sample.

    Args:
        definition: the file of the definition, beside which the samples lie.
        name: the file of the samples as the definition gives it.
        outputs: how many of the columns, the last ones, are targets.

    Raises:
        UserError: there is no such file, or a line of it cannot be used.
    """
    if not isinstance(name, str) or not name:
        raise UserError(f"{definition}: samples: expected the name of a CSV file in quotation marks")
    if not isinstance(outputs, int) or isinstance(outputs, bool) or outputs < 1:
        raise UserError(f"{definition}: layers: the last layer has to say its units or weights, as many as targets")
    path = definition.parent / name
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream))
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); {definition} takes its samples from there"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: this is not a CSV file in UTF-8") from error
    columns = len(lines[0]) if lines else 0
    if columns <= outputs:
        raise UserError(
            f"{path}: found {columns} columns, expected more than {outputs}: inputs, then {outputs} targets"
        )
    rows = [_numbers(path, number, line, columns) for number, line in enumerate(lines[1:], 2) if any(line)]
    if not rows:
        raise UserError(f"{path}: found no sample, expected a line of column names and then a line of numbers a sample")
    return [row[:-outputs] for row in rows], [row[-outputs:] for row in rows]


def _numbers(path: Path, number: int, line: list[str], columns: int) -> list[float]:
    if len(line) != columns:
        raise UserError(f"{path}, line {number}: found {len(line)} columns, expected {columns} as in the first line")
    values = []
    for column, text in enumerate(line, 1):
        try:
            values.append(float(text))
        except ValueError:
            raise UserError(f'{path}, line {number}, column {column}: found "{text}", expected a number') from None
    return values
