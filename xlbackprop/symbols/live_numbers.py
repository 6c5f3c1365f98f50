"""The reading as a formula whose result is mathematics with the current numbers."""

from __future__ import annotations

from collections.abc import Callable

from xlbackprop.symbols.expression import Conditional, Expression, Symbol
from xlbackprop.symbols.formula import Formula
from xlbackprop.symbols.mathematics import (
    DIGITS,
    EXACT_WITHIN,
    FEW_DECIMALS,
    LARGEST_POWER,
    LEAST_DIGITS,
    NO_RESULT,
    NUDGE,
    SMALLEST,
    SMALLEST_POWER,
    WrittenOut,
)
from xlbackprop.symbols.reading import Binding


class LiveNumbers(WrittenOut):
    """The same as a spreadsheet formula, without its equals sign: text that follows the numbers it is made of."""

    def __init__(
        self, plain: Callable[[Symbol], str], bracketed: Callable[[Symbol], str], number: Callable[[Symbol], str]
    ) -> None:
        """Each gives the reference of a cell: of a quantity's number as text, see `short_formula`, or as a number.

        Args:
            plain: for a number at the beginning or after an opening bracket.
            bracketed: for a number after an operator, where a negative one takes brackets; see `bracketed_formula`.
        """
        self._plain = plain
        self._bracketed = bracketed
        self._comparison = Formula(number)

    def symbol(self, symbol: Symbol) -> str:
        return f"{_REFERENCE}{self._plain(symbol)}{_REFERENCE}"

    def conditional(self, condition: Conditional) -> tuple[str, Binding]:
        if not condition.until:
            return super().conditional(condition)
        left, right = map(self._comparison.read, (condition.left, condition.right))
        then, otherwise = map(self.formula, (condition.then, condition.otherwise))
        return f"{_REFERENCE}IF({left}<{right},{then},{otherwise}){_REFERENCE}", Binding.NEGATIVE

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


def exponent_formula(cell: str) -> str:
    """The formula of the power of ten of the number in a cell, once it is rounded to `DIGITS` digits."""
    # the mantissa is rounded, so that the next power of ten begins at 9.99995
    carried = f"{10 - 0.5 * 10.0 ** (1 - DIGITS):.{DIGITS}f}"
    return f"INT(LOG10(MAX(ABS({cell}),1E{SMALLEST})/{carried})+{NUDGE:G})+1"


def mantissa_formula(cell: str, exponent: str) -> str:
    """The formula of the digits of the number in a cell, given its power of ten: from 1 to below 10, or 0."""
    return f"IF({exponent}={SMALLEST},0,{_rounded_at(cell, exponent, DIGITS)})"


def text_formula(mantissa: str, exponent: str) -> str:
    """The formula of the text of a rounded number: what `Rounded.text` says.

    It writes the reader's own decimal mark, and never an error value for a number.
    """
    # one decimal for every rounding that would change the number; a program's ROUND is not exact to the last bit
    decimals = "+".join(f"(ABS({mantissa}-ROUND({mantissa},{places}))>1E-9)" for places in range(DIGITS - 1))
    with_decimals = f"FIXED({mantissa}*10^{exponent},MAX(0,{decimals}-{exponent}),TRUE)"
    limits = f"AND({exponent}>={SMALLEST_POWER},{exponent}<={LARGEST_POWER})"
    power = f'IF({exponent}<0,"-","+")&IF(ABS({exponent})<10,"0","")&ABS({exponent})'
    scientific = f'FIXED({mantissa},{decimals},TRUE)&"E"&{power}'
    number = f"IF({limits},{_with_minus(with_decimals)},{_with_minus(scientific, until='&')})"
    return f'IF({mantissa}=0,"0",{number})'


def held_formula(cell: str, rough: str, exponent: str) -> str:
    """The formula of the digits that a calculation with rounded numbers gives too, see `held`; empty for none.

    Args:
        rough: the cell with what the calculation comes to, or with a text where that is an error.
    """
    found = '""'
    for digits in range(1, DIGITS + 1):
        ours, theirs = (_rounded_at(number, exponent, digits) for number in (cell, rough))
        found = f"IF(ABS({ours}-{theirs})<1E-9,{ours},{found})"
    is_near = f"IF(ISNUMBER({rough}),ABS({rough}/10^{exponent})<100,FALSE)"
    return f'IF({is_near},IF({exponent}={SMALLEST},0,{found}),"")'


def result_formula(cell: str, rough: str, mantissa: str, exponent: str, is_exact: str = "TRUE") -> str:
    """The formula of what `result` says, given the digits that hold, or a text for none, and their power of ten.

    Args:
        rough: the cell with what the calculation with rounded numbers comes to, as for `held_formula`.
        is_exact: the formula of what `result` takes.
    """
    same = ",".join(f"ABS({mantissa}-{number}/10^{exponent})<={EXACT_WITHIN:G}" for number in (cell, rough))
    sign = '" ≈ "' if is_exact == "FALSE" else f'IF(AND({is_exact},{same})," = "," ≈ ")'
    none = f'IF(ISNUMBER({rough}),"","{NO_RESULT}")'
    return f"IF(ISNUMBER({mantissa}),{sign}&{text_formula(mantissa, exponent)},{none})"


def short_formula(cell: str) -> str:
    """The formula for what `short` makes of the number in a cell, where it has no cells for its parts."""
    exponent = f"({exponent_formula(cell)})"
    return text_formula(f"({mantissa_formula(cell, exponent)})", exponent)


def few_decimals_formula(cell: str) -> str:
    """The formula for what `few_decimals` makes of the number in a cell, simple enough to be read by who selects it."""
    decimals = f"{LEAST_DIGITS - 1}-INT(LOG10(MAX(ABS({cell}),1E{SMALLEST})))"
    return f"ROUND({cell},MAX({FEW_DECIMALS},{decimals}))"


def _rounded_at(cell: str, exponent: str, digits: int) -> str:
    return f"ROUND({cell}*(1+{NUDGE:G})/10^{exponent},{digits - 1})"


def _with_minus(formula: str, until: str = "") -> str:
    """The formula of a text with a proper minus sign in front of a negative number."""
    number, joint, rest = formula.partition(until) if until else (formula, "", "")
    return f'SUBSTITUTE({number},"-","−"){joint}{rest}'


def bracketed_formula(cell: str) -> str:
    """The spreadsheet formula, without its equals sign, for what `bracketed` makes of the text in a cell."""
    return f'IF(LEFT({cell},1)="−","("&{cell}&")",{cell})'
