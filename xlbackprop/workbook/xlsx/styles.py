"""The styles of a workbook as text: every font, fill, border, format and look of a cell once, under its number."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from xlbackprop.workbook.xlsx.spelling import DECLARATION, MAIN, in_attribute, listed

GENERAL = "General"
BUILT_IN_FORMATS = {
    GENERAL: 0,
    "0": 1,
    "0.00": 2,
    "#,##0": 3,
    "#,##0.00": 4,
    "0%": 9,
    "0.00%": 10,
    "0.00E+00": 11,
    "@": 49,
}
"""The formats that every program knows by their numbers."""
_FIRST_OWN_FORMAT = 164
_SIDES = ("left", "right", "top", "bottom")
_TYPEFACE = "Calibri"

Edge = tuple[str, str]
"""How thick a line is, in the words of the file format, and its colour."""


class Font(Struct, frozen=True):
    """How letters look; colours are six hexadecimal digits here and below."""

    size: int
    colour: str
    bold: bool = False
    italic: bool = False
    underlined: bool = False

    @property
    def written(self) -> str:
        """As cells have it."""
        emphasis = '<b val="1"/>' * self.bold + '<i val="1"/>' * self.italic + '<u val="single"/>' * self.underlined
        return f'<font>{emphasis}<sz val="{self.size}"/>{_colour(self.colour)}<name val="{_TYPEFACE}"/></font>'

    def of_run(self, place: str) -> str:
        """As a piece of a text has it, with what is said of its place: a piece takes nothing from its cell."""
        emphasis = "<b/>" * self.bold + "<i/>" * self.italic
        return f'<rPr>{emphasis}{place}<sz val="{self.size}"/>{_colour(self.colour)}<rFont val="{_TYPEFACE}"/></rPr>'


def border(sides: Mapping[str, Edge]) -> str:
    """A border with edges at some of its sides: left, right, top, bottom."""
    edges = [
        f'<{side} style="{sides[side][0]}">{_colour(sides[side][1])}</{side}>' if side in sides else f"<{side}/>"
        for side in _SIDES
    ]
    return f"<border>{''.join(edges)}<diagonal/></border>"


def boxed(edge: Edge) -> str:
    """A border that is the same on all sides."""
    return border(dict.fromkeys(_SIDES, edge))


def solid(colour: str) -> str:
    """A fill of one colour."""
    colours = f'<fgColor rgb="FF{colour}"/><bgColor rgb="FF{colour}"/>'
    return f'<fill><patternFill patternType="solid">{colours}</patternFill></fill>'


def aligned(
    horizontal: str | None = None, *, indent: int = 0, wrap: bool = False, rotation: int = 0, shrink: bool = False
) -> str:
    """Where a text stands in its cell: in the middle of its height."""
    across = f' horizontal="{horizontal}"' if horizontal else ""
    turned = f' textRotation="{rotation}"' if rotation else ""
    folded = ' wrapText="1"' * wrap + ' shrinkToFit="1"' * shrink
    inward = f' indent="{indent}"' if indent else ""
    return f'<alignment{across} vertical="center"{turned}{folded}{inward}/>'


NO_FILL = "<fill><patternFill/></fill>"
NO_BORDER = border({})


class CellLook(Struct, frozen=True):
    """All that makes up how a cell looks."""

    font: Font
    fill: str = NO_FILL
    border: str = NO_BORDER
    alignment: str = ""
    number_format: str = GENERAL
    is_changeable: bool = False
    is_quoted: bool = False
    """Whether a text is to stay one that begins like a formula."""


def highlight(*, bold: str = "", number_format: tuple[int, str] | None = None, fill: str = "", border: str = "") -> str:
    """What a cell looks like while a condition holds.

    Args:
        bold: the colour of its text, which is bold then.
        number_format: the format's number and what it is.
        fill: a colour.
    """
    font = f'<font><b val="1"/>{_colour(bold)}</font>' if bold else ""
    shown = "" if number_format is None else _own_format(*number_format)
    filled = f'<fill><patternFill patternType="solid"><bgColor rgb="FF{fill}"/></patternFill></fill>' if fill else ""
    return f"<dxf>{font}{shown}{filled}{border}</dxf>"


class Styles:
    """The styles that a workbook has so far."""

    def __init__(self, named: Mapping[str, CellLook]) -> None:
        """`named` are those of the theme, which every workbook has."""
        self._fonts = {_DEFAULT_FONT: 0}
        self._fills = {NO_FILL: 0, '<fill><patternFill patternType="gray125"/></fill>': 1}
        self._borders = {NO_BORDER: 0}
        self._formats: dict[str, int] = {}
        self._highlights: dict[str, int] = {}
        self._kinds = {name: self._xf(look) for name, look in named.items()}
        self._kind_numbers = {name: number for number, name in enumerate(named, 1)}
        self._looks = {_DEFAULT_LOOK: 0}

    def number(self, look: CellLook, kind: str) -> int:
        """The number of a look that goes back to a named one."""
        return _number(self._looks, self._xf(look, f' xfId="{self._kind_numbers[kind]}"'))

    def highlight(self, highlight: str) -> int:
        """The number of a highlight."""
        return _number(self._highlights, highlight)

    def _xf(self, look: CellLook, kind: str = "") -> str:
        code, own = look.number_format, _FIRST_OWN_FORMAT
        number_format = BUILT_IN_FORMATS[code] if code in BUILT_IN_FORMATS else own + _number(self._formats, code)
        applied = ' applyAlignment="1"' * bool(look.alignment) + ' applyProtection="1"' * look.is_changeable
        return (
            f'<xf numFmtId="{number_format}" fontId="{_number(self._fonts, look.font.written)}"'
            f' fillId="{_number(self._fills, look.fill)}" borderId="{_number(self._borders, look.border)}"'
            f"{applied}{_QUOTED * look.is_quoted}{kind}>{look.alignment}{_UNLOCKED * look.is_changeable}</xf>"
        )

    def written(self) -> str:
        """The part of the file that they are."""
        formats = [_own_format(number, code) for number, code in enumerate(self._formats, _FIRST_OWN_FORMAT)]
        kinds = [
            f'<cellStyle name="{name}" xfId="{number}"/>'
            for name, number in [("Normal", 0), *self._kind_numbers.items()]
        ]
        return "".join(
            [
                f'{DECLARATION}<styleSheet xmlns="{MAIN}">',
                listed("numFmts", formats),
                listed("fonts", self._fonts),
                listed("fills", self._fills),
                listed("borders", self._borders),
                listed("cellStyleXfs", [_DEFAULT_KIND, *self._kinds.values()]),
                listed("cellXfs", self._looks),
                listed("cellStyles", kinds),
                listed("dxfs", self._highlights),
                "</styleSheet>",
            ]
        )


_DEFAULT_FONT = (
    '<font><sz val="11"/><color theme="1"/><name val="Calibri"/><family val="2"/><scheme val="minor"/></font>'
)
_DEFAULT_KIND = '<xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
_DEFAULT_LOOK = '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
_QUOTED = ' quotePrefix="1"'
_UNLOCKED = '<protection locked="0"/>'


def _number(numbers: dict[str, int], text: str) -> int:
    return numbers.setdefault(text, len(numbers))


def _own_format(number: int, code: str) -> str:
    return f'<numFmt numFmtId="{number}" formatCode="{in_attribute(code)}"/>'


def _colour(colour: str) -> str:
    return f'<color rgb="00{colour}"/>'
