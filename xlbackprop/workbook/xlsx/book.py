"""A workbook while it is being made: its styles, its names, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.rows import Style
from xlbackprop.workbook.xlsx.styles import Styles
from xlbackprop.workbook.xlsx.theme import Look


class Workbook(Struct):
    """What the pages of one file share."""

    title: str = ""
    description: str = ""
    properties: Mapping[str, str] = {}
    """Texts of its own, by name."""
    names: dict[str, str] = {}
    """The names of cells, each with where it is."""
    styles: Styles = field(default_factory=lambda: Styles(theme.KINDS))
    cell_styles: dict[tuple[Look, bool], Style] = {}
    """What each look comes to, for texts that could be taken for formulas and for all other contents."""
