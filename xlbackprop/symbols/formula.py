"""The reading as a spreadsheet formula."""

from __future__ import annotations

import math
from collections.abc import Callable

from xlbackprop.symbols.expression import (
    Builtin,
    Call,
    Conditional,
    Expression,
    Limited,
    Stable,
    Symbol,
    children,
    symbols,
)
from xlbackprop.symbols.reading import Binding, Reading

LARGEST_EXPONENT = 709
"""EXP of anything above this is an error in a spreadsheet: e^710 is no double."""

LARGEST_POCKET_EXPONENT = 230
"""EXP of anything above this is an error on a pocket calculator, which has two digits for a power of ten."""


def number_from(values: str, *place: str) -> str:
    """The formula of one number out of a range, by the number of its row and of its column.

    SUM takes the number out of the range, and T does so with a text: INDEX can give a range, and Excel 365 shows an @
    that nobody wrote ("implicit intersection") before a function that can, unless a function that takes ranges has it.
    """
    return f"SUM(INDEX({','.join((values, *place))}))"


def text_from(values: str, *place: str) -> str:
    """The formula of one text out of a range; see `number_from`."""
    return f"T(INDEX({','.join((values, *place))}))"


class Formula(Reading):
    """A spreadsheet formula, without its equals sign: `(R33-A33)*R33*(1-R33)*J33`."""

    plus, minus, times, over, negative = "+", "-", "*", "/", "-"
    negated = Binding.ATOM

    def __init__(self, address: Callable[[Symbol], str]) -> None:
        """`address` gives the reference of the cell in which a quantity stands, or of the range of a `Listed` one."""
        self._address = address

    def symbol(self, symbol: Symbol) -> str:
        return self._address(symbol)

    def number(self, value: float) -> str:
        if value == math.pi:
            return "PI()"
        return f"{value:.17G}" if value != float(f"{value:g}") else f"{value:G}"  # the file format knows 1E+12 only

    def power(self, base: str, exponent: int) -> str:
        return f"{base}^{exponent}"

    def negation(self, operand: str) -> str:
        # spreadsheets read -x^2 as (-x)^2, and IronCalc 0.9 takes -(x*y)^2 apart in the same way
        return f"-1*{operand}" if operand.startswith("(") else super().negation(operand)

    def exponential(self, exponent: Expression) -> str:
        return f"EXP(MIN({LARGEST_EXPONENT},{self.read(exponent)}))"

    def call(self, call: Call) -> tuple[str, Binding]:
        return self._text(call.body)

    def raised(self, base: str, exponent: Expression) -> tuple[str, Binding]:
        return f"{base}^{self._at_least(Binding.ATOM, exponent)}", Binding.POWER

    def apply(self, function: Builtin, arguments: tuple[str, ...]) -> str:
        return f"{FUNCTIONS[function]}({','.join(arguments)})"

    def conditional(self, condition: Conditional) -> tuple[str, Binding]:
        left, right, then, otherwise = map(self.read, children(condition))
        return f"IF({left}<{right},{then},{otherwise})", Binding.ATOM

    def entry(self, values: Expression, place: Expression) -> str:
        return number_from(self.read(values), self.read(place))

    def stable(self, stable: Stable) -> tuple[str, Binding]:
        return self._text(stable.computed)


FUNCTIONS = {
    Builtin.LOGARITHM: "LN",
    Builtin.SQUARE_ROOT: "SQRT",
    Builtin.HYPERBOLIC_TANGENT: "TANH",
    Builtin.COSINE: "COS",
    Builtin.ABSOLUTE: "ABS",
    Builtin.FLOOR: "INT",
    Builtin.MAXIMUM: "MAX",
    Builtin.MINIMUM: "MIN",
    Builtin.REMAINDER: "MOD",
}
"""What spreadsheets call the built-in functions."""


def as_written(stable: Stable) -> Expression:
    """The telling of a value that starts from the quantities which a reader writes."""
    written, computed = ({symbol.label for symbol in symbols(each)} for each in children(stable))
    # of the same quantities both tell the same, and only one of them in every program
    return stable.computed if written == computed and not isinstance(stable, Limited) else stable.written


class WrittenFormula(Formula):
    """A spreadsheet formula from the quantities that a reader writes, an error where a pocket calculator shows one."""

    def exponential(self, exponent: Expression) -> str:
        power = self.read(exponent)
        return f"EXP({power})/(({power})<={LARGEST_POCKET_EXPONENT})"  # over 1, or over 0

    def stable(self, stable: Stable) -> tuple[str, Binding]:
        return self._text(as_written(stable))


class PlainFormula(Formula):
    """A spreadsheet formula as people write it, with nothing in it that keeps numbers from overflowing."""

    def exponential(self, exponent: Expression) -> str:
        return f"EXP({self.read(exponent)})"

    def stable(self, stable: Stable) -> tuple[str, Binding]:
        return min(map(self._text, children(stable)), key=lambda form: len(form[0]))
