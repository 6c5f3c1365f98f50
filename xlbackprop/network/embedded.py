"""The definition inside a workbook of ours: written into the file's properties, found there again by `check`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xlbackprop.errors import DefinitionError
from xlbackprop.network.definition import Definition
from xlbackprop.network.loading import parse

_PREFIX = "xlbackprop definition "
_LONGEST = 250
"""Excel keeps 255 characters of a property, so the definition goes into several."""


def to_properties(definition: Definition) -> dict[str, str]:
    """The definition, but for its note, as text properties of a workbook."""
    content = {key: value for key, value in msgspec.to_builtins(definition).items() if key != "note"}
    text = msgspec.json.encode(content).decode()
    pieces = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
    return {f"{_PREFIX}{number:03}": piece for number, piece in enumerate(pieces, 1)}


def from_properties(properties: Mapping[str, str]) -> Definition | None:
    """The definition that a workbook's properties hold; None where there is none, or none that can be used."""
    text = "".join(properties[name] for name in sorted(properties) if name.startswith(_PREFIX))
    try:
        content = msgspec.json.decode(text)
        return parse(content, source="the workbook") if isinstance(content, dict) else None
    except (msgspec.DecodeError, DefinitionError, ValueError, RecursionError):
        return None
