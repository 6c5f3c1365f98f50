"""The reading as a formula whose result is mathematics with the current numbers."""

from __future__ import annotations

from collections.abc import Callable

from xlbackprop.symbols.expression import Expression, Symbol
from xlbackprop.symbols.mathematics import NUDGE, SMALLEST_WITH_DECIMALS, SMALLEST_WITHOUT, WrittenOut
from xlbackprop.symbols.reading import Binding


class LiveNumbers(WrittenOut):
    """The same as a spreadsheet formula, without its equals sign: text that follows the numbers it is made of."""

    def __init__(self, plain: Callable[[Symbol], str], bracketed: Callable[[Symbol], str]) -> None:
        """Both give the reference of a cell with a quantity's number as text, see `short_formula`.

        Args:
            plain: for a number at the beginning or after an opening bracket.
            bracketed: for a number after an operator, where a negative one takes brackets; see `bracketed_formula`.
        """
        self._plain = plain
        self._bracketed = bracketed

    def symbol(self, symbol: Symbol) -> str:
        return f"{_REFERENCE}{self._plain(symbol)}{_REFERENCE}"

    def formula(self, expression: Expression) -> str:
        """The formula whose value is the text of an expression."""
        parts = self.read(expression).split(_REFERENCE)
        return "&".join(part if index % 2 else f'"{part}"' for index, part in enumerate(parts) if part)

    def _at_least(self, needed: Binding, expression: Expression) -> str:
        if isinstance(expression, Symbol) and needed > Binding.NEGATIVE:
            return f"{_REFERENCE}{self._bracketed(expression)}{_REFERENCE}"
        return super()._at_least(needed, expression)


_REFERENCE = "\0"
"""Stands on both sides of a reference while a formula is put together from text and references."""


def short_formula(cell: str) -> str:
    """The spreadsheet formula, without its equals sign, for what `short` makes of the number in a cell.

    It writes the reader's own decimal mark, and never an error value for a number.
    """
    nudged = f"{cell}*(1+{NUDGE:G})"
    # one decimal for every rounding that would change the number; a program's ROUND is not exact to the last bit
    decimals = "+".join(f"(ABS(ROUND({nudged},4)-ROUND({cell},{places}))>1E-9)" for places in range(4))
    # the mantissa is rounded to three decimals, so that the next power of ten begins at 9.9995
    exponent = f"(INT(LOG10(MAX(ABS({cell}),1E-300)/9.9995))+1)"
    with_decimals = f"FIXED({nudged},{decimals},TRUE)"
    scientific = f'FIXED({nudged}/10^{exponent},3,TRUE)&"e"&{exponent}'
    limits = f"AND(ABS({cell})>={SMALLEST_WITH_DECIMALS},ABS({cell})<{SMALLEST_WITHOUT:.0f})"
    return f'IF({cell}=0,"0",SUBSTITUTE(IF({limits},{with_decimals},{scientific}),"-","−"))'


def bracketed_formula(cell: str) -> str:
    """The spreadsheet formula, without its equals sign, for what `bracketed` makes of the text in a cell."""
    return f'IF(LEFT({cell},1)="−","("&{cell}&")",{cell})'
