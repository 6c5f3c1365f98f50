"""The theme: one colour a role, one named style a kind of cell, the same on every sheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Role

INK = "262626"
FAINT = "7F7F7F"
PAPER = "FFFFFF"
LINE = "BFBFBF"


@dataclass(frozen=True, slots=True)
class Shade:
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
}
"""From the Okabe-Ito palette, darkened until white text on them has a contrast of at least 5 to 1."""

VALUE_FORMAT = "0.000000"
TINY_FORMAT = "0.00E+00"
COUNT_FORMAT = "0"
PLAIN_FORMAT = "General"

TITLE = "Title cell"
TEXT = "Text cell"
HEADING = "Heading cell"
INPUT = "Input cell"
CALCULATION = "Calculation cell"
RESULT = "Result cell"
CHECK = "Check cell"

FONT = "Calibri"


def add_styles(workbook: Workbook) -> None:
    """Give a workbook the named styles of the theme."""
    thin = Side(style="thin", color=LINE)
    strong = Side(style="medium", color=INK)
    boxed = Border(left=thin, right=thin, top=thin, bottom=thin)
    for style in (
        NamedStyle(TITLE, font=Font(name=FONT, size=16, bold=True, color=INK)),
        NamedStyle(TEXT, font=Font(name=FONT, size=11, color=INK)),
        NamedStyle(HEADING, font=Font(name=FONT, size=11, bold=True, color=INK)),
        NamedStyle(
            INPUT,
            font=Font(name=FONT, size=11, bold=True, color="0000C0"),
            fill=solid("FFFBE0"),
            border=Border(left=thin, right=thin, top=thin, bottom=Side(style="medium", color="0000C0")),
            alignment=Alignment(horizontal="right"),
        ),
        NamedStyle(CALCULATION, font=Font(name=FONT, size=11, color=INK), border=boxed),
        NamedStyle(RESULT, font=Font(name=FONT, size=11, bold=True, color=INK), border=boxed),
        NamedStyle(CHECK, font=Font(name=FONT, size=11, italic=True, color=INK), border=Border(bottom=strong)),
    ):
        workbook.add_named_style(style)


def solid(colour: str) -> PatternFill:
    """A plain fill of six hexadecimal digits."""
    return PatternFill("solid", start_color=f"FF{colour}", end_color=f"FF{colour}")
