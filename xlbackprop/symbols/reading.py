"""The readings of an expression: a spreadsheet formula, mathematics, and mathematics with numbers, printed or live."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import IntEnum

from xlbackprop.symbols.expression import (
    Apply,
    Builtin,
    Call,
    Conditional,
    Difference,
    Entry,
    Exponential,
    Expression,
    Negation,
    Number,
    Power,
    Product,
    Quotient,
    Raised,
    Stable,
    Sum,
    Symbol,
    children,
    symbols,
)

LARGEST_EXPONENT = 709
"""EXP of anything above this is an error in a spreadsheet: e^710 is no double."""


class Binding(IntEnum):
    """How tightly a piece of text holds together; looser than its surroundings, it needs brackets."""

    NEGATIVE = 0
    SUM = 1
    PRODUCT = 2
    POWER = 3
    ATOM = 4


class Reading(ABC):
    """One way of writing expressions down: it spells the leaves and the operators, the brackets come by themselves."""

    plus: str
    minus: str
    times: str
    over: str
    negative: str
    negated = Binding.PRODUCT
    """How tightly what follows the sign of a negative has to hold together."""

    def read(self, expression: Expression) -> str:
        """The text of an expression in this reading."""
        return self._text(expression)[0]

    @abstractmethod
    def symbol(self, symbol: Symbol) -> str:
        """The text of one quantity."""

    @abstractmethod
    def number(self, value: float) -> str:
        """The text of a number."""

    @abstractmethod
    def power(self, base: str, exponent: int) -> str:
        """The text of a power."""

    @abstractmethod
    def exponential(self, exponent: Expression) -> str:
        """The text of exp(exponent)."""

    @abstractmethod
    def raised(self, base: str, exponent: Expression) -> tuple[str, Binding]:
        """The text of a power whose exponent is an expression."""

    @abstractmethod
    def apply(self, function: Builtin, arguments: tuple[str, ...]) -> str:
        """The text of a built-in function's value."""

    @abstractmethod
    def conditional(self, condition: Conditional) -> tuple[str, Binding]:
        """The text of one of two values."""

    @abstractmethod
    def entry(self, values: Expression, place: Expression) -> str:
        """The text of one of the values in a list."""

    def stable(self, stable: Stable) -> tuple[str, Binding]:
        """The text of a value that is computed otherwise than it is written."""
        return self._text(stable.written)

    def product(self, factors: Sequence[Expression], texts: Sequence[str]) -> str:
        """The text of a product, from its factors and their texts."""
        return self.times.join(texts)

    def negation(self, operand: str) -> str:
        """The text of a negative."""
        return self.negative + operand

    def call(self, call: Call) -> tuple[str, Binding]:
        """The text of a named function's value."""
        return f"{call.function.symbol}({self.read(call.argument)})", Binding.ATOM

    def _text(self, expression: Expression) -> tuple[str, Binding]:
        match expression:
            case Symbol():
                return self._leaf(self.symbol(expression))
            case Number(value):
                return self._leaf(self.number(value))
            case Sum(terms):
                first, *others = terms
                parts = [self._at_least(Binding.NEGATIVE, first), *(self._at_least(Binding.SUM, o) for o in others)]
                return self.plus.join(parts), Binding.SUM
            case Difference(left, right):
                parts = [self._at_least(Binding.NEGATIVE, left), self._at_least(Binding.PRODUCT, right)]
                return self.minus.join(parts), Binding.SUM
            case Product(factors):
                texts = [self._at_least(Binding.PRODUCT, factor) for factor in factors]
                return self.product(factors, texts), Binding.PRODUCT
            case Quotient(numerator, denominator):
                parts = [self._at_least(Binding.PRODUCT, numerator), self._at_least(Binding.POWER, denominator)]
                return self.over.join(parts), Binding.PRODUCT
            case Power(base, exponent):
                return self.power(self._at_least(Binding.ATOM, base), exponent), Binding.POWER
            case Negation(operand):
                return self.negation(self._at_least(self.negated, operand)), Binding.NEGATIVE
            case Exponential(exponent):
                return self.exponential(exponent), Binding.ATOM
            case Call():
                return self.call(expression)
            case Raised(base, exponent):
                return self.raised(self._at_least(Binding.ATOM, base), exponent)
            case Apply(function, arguments):
                return self.apply(function, tuple(map(self.read, arguments))), Binding.ATOM
            case Conditional():
                return self.conditional(expression)
            case Entry(values, place):
                return self.entry(values, place), Binding.ATOM
            case Stable():
                return self.stable(expression)
            case _:
                raise TypeError(f"no reading for {type(expression).__name__}")

    def _leaf(self, text: str) -> tuple[str, Binding]:
        return text, Binding.NEGATIVE if text.startswith(self.negative) else Binding.ATOM

    def _at_least(self, needed: Binding, expression: Expression) -> str:
        text, binding = self._text(expression)
        return text if binding >= needed else f"({text})"


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
        return f"INDEX({self.read(values)},{self.read(place)})"

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


class WrittenFormula(Formula):
    """A spreadsheet formula from the quantities that a reader writes, which may be an error for extreme numbers."""

    def stable(self, stable: Stable) -> tuple[str, Binding]:
        written, computed = ({symbol.label for symbol in symbols(each)} for each in children(stable))
        # of the same quantities both tell the same, and only one of them in every program
        return self._text(stable.computed if written == computed else stable.written)


class Mathematics(Reading):
    """Mathematics as a textbook sets it: `(a_o1 − t1) · a_o1 · (1 − a_o1) · a_h1`."""

    plus, minus, times, over, negative = " + ", " − ", " · ", "/", "−"

    def symbol(self, symbol: Symbol) -> str:
        return symbol.label

    def number(self, value: float) -> str:
        if value == math.pi:
            return "π"
        return "½" if value == 0.5 else f"{value:g}".replace("-", "−")

    def power(self, base: str, exponent: int) -> str:
        held = f"({base})" if base.startswith("∂") else base  # else it could be read as a power of what is below
        return held + str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))

    def product(self, factors: Sequence[Expression], texts: Sequence[str]) -> str:
        if texts[0] == "½" and texts[1].startswith("(") and not isinstance(factors[1], Symbol):
            return super().product(factors, [texts[0] + texts[1], *texts[2:]])
        return super().product(factors, texts)

    def exponential(self, exponent: Expression) -> str:
        return f"exp({self.read(exponent)})"

    def raised(self, base: str, exponent: Expression) -> tuple[str, Binding]:
        return f"{base}^{self._at_least(Binding.ATOM, exponent)}", Binding.POWER

    def apply(self, function: Builtin, arguments: tuple[str, ...]) -> str:
        listed = ", ".join(arguments)
        match function:
            case Builtin.SQUARE_ROOT:
                return f"√({listed})"
            case Builtin.ABSOLUTE:
                return f"|{listed}|"
            case Builtin.FLOOR:
                return f"⌊{listed}⌋"
            case _:
                return f"{function.value}({listed})"

    def conditional(self, condition: Conditional) -> tuple[str, Binding]:
        left, right, then, otherwise = map(self.read, children(condition))
        return f"{then} if {left} < {right}, else {otherwise}", Binding.NEGATIVE

    def entry(self, values: Expression, place: Expression) -> str:
        return f"{self.read(values)} of sample {self.read(place)}"


class WrittenOut(Mathematics):
    """Mathematics for a hand calculation: every named function is written out, `1/(1 + exp(−h1))` for `σ(h1)`."""

    def call(self, call: Call) -> tuple[str, Binding]:
        return self._text(call.body)


class Numbers(WrittenOut):
    """Mathematics with the numbers put in: `(0.6065 − 0.5) · 0.6065 · (1 − 0.6065) · 0.5069`."""

    def __init__(self, value: Callable[[Symbol], float]) -> None:
        """`value` gives the number that a quantity has."""
        self._value = value

    def symbol(self, symbol: Symbol) -> str:
        return short(self._value(symbol))


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

_NUDGE = 1e-11
"""A number half way between two roundings may lie a hair below in one program: a larger hair takes it up in all."""

_SMALLEST_WITH_DECIMALS, _SMALLEST_WITHOUT = 0.001, 1e6


def short(value: float) -> str:
    """A number as one writes it in a hand calculation: four decimals, or four digits where they would vanish."""
    if value == 0:
        return "0"
    nudged = value * (1 + _NUDGE)
    if _SMALLEST_WITH_DECIMALS <= abs(value) < _SMALLEST_WITHOUT:
        text = f"{nudged:.4f}".rstrip("0").rstrip(".")
    else:
        digits, _, exponent = f"{nudged:.3e}".partition("e")
        text = f"{digits}e{int(exponent)}"
    return text.replace("-", "−")


def short_formula(cell: str) -> str:
    """The spreadsheet formula, without its equals sign, for what `short` makes of the number in a cell.

    It writes the reader's own decimal mark, and never an error value for a number.
    """
    nudged = f"{cell}*(1+{_NUDGE:G})"
    # one decimal for every rounding that would change the number; a program's ROUND is not exact to the last bit
    decimals = "+".join(f"(ABS(ROUND({nudged},4)-ROUND({cell},{places}))>1E-9)" for places in range(4))
    # the mantissa is rounded to three decimals, so that the next power of ten begins at 9.9995
    exponent = f"(INT(LOG10(MAX(ABS({cell}),1E-300)/9.9995))+1)"
    with_decimals = f"FIXED({nudged},{decimals},TRUE)"
    scientific = f'FIXED({nudged}/10^{exponent},3,TRUE)&"e"&{exponent}'
    limits = f"AND(ABS({cell})>={_SMALLEST_WITH_DECIMALS},ABS({cell})<{_SMALLEST_WITHOUT:.0f})"
    return f'IF({cell}=0,"0",SUBSTITUTE(IF({limits},{with_decimals},{scientific}),"-","−"))'


def bracketed(text: str) -> str:
    """The text of a number as it stands after an operator: a negative one takes brackets."""
    return f"({text})" if text.startswith("−") else text


def bracketed_formula(cell: str) -> str:
    """The spreadsheet formula, without its equals sign, for what `bracketed` makes of the text in a cell."""
    return f'IF(LEFT({cell},1)="−","("&{cell}&")",{cell})'
