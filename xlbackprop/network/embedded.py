"""The definition inside a workbook of ours, twice, in the file's properties and in cells; `check` finds it there again.

Programs that save the file anew drop the properties, or spell them otherwise, while the texts of cells survive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from struct import unpack

import msgspec

from xlbackprop.ground.errors import DefinitionError
from xlbackprop.network.definition import Definition
from xlbackprop.network.loading import parse

_PREFIX = "xlbackprop definition "
_LONGEST = 240
"""Excel keeps 255 characters of a property, so the definition goes into several."""
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
"""Characters that count twice for Excel."""
_PIECE = re.compile(rf"{_PREFIX}(\d+)\s*(.*)", re.DOTALL)
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""How the file format spells characters that XML has not; some programs spell others so as well."""


def to_properties(definition: Definition) -> dict[str, str]:
    """The definition, but for its note, as text properties of a workbook."""
    content = {key: value for key, value in msgspec.to_builtins(definition).items() if key != "note"}
    text = msgspec.json.encode(content).decode().replace("_x", r"\u005fx")
    text = _BEYOND.sub(lambda match: r"\u{:04x}\u{:04x}".format(*unpack(">2H", match[0].encode("utf-16-be"))), text)
    pieces = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
    return {f"{_PREFIX}{number:03}": _firm(piece) for number, piece in enumerate(pieces, 1)}


def to_cells(definition: Definition) -> list[str]:
    """The same as texts of cells."""
    return [f"{name} {piece}" for name, piece in to_properties(definition).items()]


def from_workbook(properties: Mapping[str, str], cells: Iterable[str]) -> Definition | None:
    """The definition that a workbook holds; None where there is none, or none that can be used.

    Args:
        properties: the workbook's own, by name.
        cells: the texts of all cells that have any.
    """
    named = (f"{name} {text}" for name, text in properties.items())
    return _joined(named) or _joined(text for text in cells if text.startswith(_PREFIX))


def _firm(piece: str) -> str:
    """A piece that neither begins nor ends with a space, which would be lost: in JSON, spaces stand in texts only."""
    if piece.startswith(" "):
        piece = rf"\u0020{piece[1:]}"
    return rf"{piece[:-1]}\u0020" if piece.endswith(" ") else piece


def _joined(texts: Iterable[str]) -> Definition | None:
    pieces = sorted((int(match[1]), match[2].strip()) for text in texts if (match := _PIECE.match(text.strip())))
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), "".join(piece for _, piece in pieces))
    try:
        content = msgspec.json.decode(text)
        return parse(content, source="the workbook") if isinstance(content, dict) else None
    except (msgspec.DecodeError, DefinitionError, ValueError, RecursionError):
        return None
