"""The theme: one colour a role, one named style a kind of cell, the same on every sheet."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.derivation import Role
from xlbackprop.workbook.xlsx.styles import GENERAL, CellLook, Font, aligned, border, boxed, solid

INK = "262626"
FAINT = "7F7F7F"
PAPER = "FFFFFF"
LINE = "BFBFBF"
SHADING = "E7E6E6"
CHANGEABLE = "0000C0"
"""The ink of the numbers that a reader may change."""


class Shade(Struct, frozen=True):
    """The two colours of a role: a dark one for headers, lines and text, a light one behind numbers."""

    dark: str
    light: str


SHADES: Mapping[Role, Shade] = {
    Role.INPUT: Shade("1B5E93", "DCEBF7"),
    Role.TARGET: Shade("4D4D4D", "EDEDED"),
    Role.WEIGHT: Shade("8A5A00", "FDEBCB"),
    Role.HIDDEN: Shade("00664B", "D6F0E5"),
    Role.OUTPUT: Shade("7B3F73", "F1DEEE"),
    Role.LOSS: Shade("A32A14", "FBDCD5"),
    Role.GRADIENT: Shade("5F5B00", "F7F4C6"),
    Role.MEMORY: Shade("3F4C8C", "E1E4F5"),
    Role.ORDER: Shade("4D4D4D", "EDEDED"),
}
"""From the Okabe-Ito palette, darkened until white text on them has a contrast of at least 5 to 1."""

FORWARD, BACKWARD = SHADES[Role.INPUT].dark, "C99700"
"""The arrows of the two passes: blue and gold stay apart for every eye, dark and light on every printer."""
LIT_ROAD, LIT_OPACITY = "F2A900", 0.45
"""A marking that lets the lines under it through."""

VALUE_FORMAT = "0.000000"
TINY_FORMAT = "0.00E+00"
COUNT_FORMAT = "0"
PLAIN_FORMAT = GENERAL
PRECISE_FORMAT = "0.0000000E+00;-0.0000000E+00;0"
POWER_FORMAT = "0E+00"
AXIS_FORMAT = "[&lt;1000000]General;0.0#E+00"
"""As XML has it. A training that flew away reaches numbers whose noughts nobody counts.

LibreOffice shows no minus sign in any part but the first.
"""
FAR_BELOW_FORMAT = "0.0E+00"

UNSEEN_FORMAT = ";;;"
"""Of what formulas need and no reader: nothing is shown, whatever the number."""

LARGEST_PLAIN = 10_000
"""Six decimals of it just fit a column of twelve characters."""


def number_format(role: Role | None) -> str:
    """How a number of a role is shown: what is counted without decimals."""
    return COUNT_FORMAT if role is Role.ORDER else VALUE_FORMAT


TITLE = "Title cell"
TEXT = "Text cell"
HEADING = "Heading cell"
NOTE = "Note cell"
MATHEMATICS = "Mathematics cell"
LABEL = "Label cell"
SYMBOL = "Symbol cell"
NODE = "Node cell"
PRINTED_NODE = "Printed node cell"
INPUT = "Input cell"
CALCULATION = "Calculation cell"
RESULT = "Result cell"
CHECK = "Check cell"
LINK = "Link cell"
SURFACE = "Surface cell"


class Look(Struct, frozen=True, cache_hash=True):
    """How a cell looks: a named style, and what the cell's role and place add to it."""

    style: str = TEXT
    role: Role | None = None
    number_format: str = GENERAL
    align: str | None = None
    indent: int = 0
    edges: str = ""
    """The sides at which the cell is the border of a box, out of `lrtb`."""
    shaded: bool = False
    wrap: bool = False
    turned: bool = False
    """Written from bottom to top."""


COLUMN_HEAD = Look(HEADING, align="center", shaded=True, wrap=True)
"""The heading of a column that belongs to no role."""
SECTION = Look(HEADING, shaded=True)
PROSE, WRAPPED = (Look(TEXT, align="left", indent=1, wrap=wrap) for wrap in (False, True))
WRITTEN = Look(MATHEMATICS, align="left", indent=1, wrap=True)
HELPER = Look(CALCULATION)
"""A number that others are made of, out of sight."""
COUNTED = Look(CALCULATION, number_format=COUNT_FORMAT)
"""A whole number that is calculated."""


_THIN = ("thin", LINE)
_CENTRED, _MIDDLE, _SHRUNK = aligned("center"), aligned(), aligned("center", shrink=True)

KINDS: Mapping[str, CellLook] = {
    TITLE: CellLook(Font(16, INK, bold=True)),
    TEXT: CellLook(Font(11, INK), alignment=_MIDDLE),
    MATHEMATICS: CellLook(Font(12, INK), alignment=_MIDDLE),
    HEADING: CellLook(Font(11, INK, bold=True), alignment=_MIDDLE),
    NOTE: CellLook(Font(10, INK, italic=True)),
    LABEL: CellLook(Font(11, PAPER, bold=True), alignment=_CENTRED),
    SYMBOL: CellLook(Font(12, PAPER, bold=True), border=boxed(("thin", PAPER)), alignment=_SHRUNK),
    NODE: CellLook(Font(10, INK, bold=True), alignment=_SHRUNK),
    PRINTED_NODE: CellLook(Font(11, INK), alignment=_SHRUNK),
    INPUT: CellLook(
        Font(11, CHANGEABLE, bold=True),
        solid("FFFBE0"),
        border({"left": _THIN, "right": _THIN, "top": _THIN, "bottom": ("medium", CHANGEABLE)}),
        aligned("right"),
        is_changeable=True,
    ),
    CALCULATION: CellLook(Font(11, INK), border=boxed(_THIN), alignment=_MIDDLE),
    RESULT: CellLook(Font(11, INK, bold=True), border=boxed(_THIN), alignment=_MIDDLE),
    SURFACE: CellLook(Font(8, INK), alignment=_SHRUNK),
    CHECK: CellLook(Font(11, INK, italic=True), border=border({"bottom": ("medium", INK)}), alignment=_MIDDLE),
    LINK: CellLook(Font(11, SHADES[Role.INPUT].dark, underlined=True), alignment=_MIDDLE),
}
"""The named styles."""


def cell_look(look: Look, *, quoted: bool = False) -> CellLook:
    """All that makes up a look.

    Args:
        quoted: whether a text in the cell is to stay one that begins like a formula.
    """
    whole = replace(KINDS[look.style], number_format=look.number_format, is_quoted=quoted)
    if look.turned:
        whole = replace(whole, alignment=aligned("center", rotation=90))
    elif look.align or look.indent or look.wrap:
        whole = replace(whole, alignment=aligned(look.align, indent=look.indent, wrap=look.wrap))
    if look.edges:
        whole = replace(whole, border=border({_SIDES[side]: EDGE for side in look.edges}))
    if look.shaded:
        whole = replace(whole, fill=solid(SHADING))
    if look.role is not None:
        shade = SHADES[look.role]
        whole = replace(whole, fill=solid(shade.dark if look.style in (LABEL, SYMBOL) else shade.light))
        if look.style in (NODE, PRINTED_NODE):
            line = "medium" if look.style == NODE else "thin"
            whole = replace(whole, border=boxed((line, shade.dark)), font=replace(whole.font, colour=shade.dark))
    return whole


_SIDES = {"l": "left", "r": "right", "t": "top", "b": "bottom"}
EDGE = ("thin", INK)
"""A line that is to be seen."""
LIT_FILL, LIT_BORDER = "FFE27A", boxed(EDGE)
"""Of a cell that is lit up among those of all roles."""
