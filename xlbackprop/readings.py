"""The readings of an expression: as a spreadsheet formula, as mathematics, as mathematics with numbers put in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from enum import IntEnum

from xlbackprop.expression import (
    Call,
    Difference,
    Exponential,
    Expression,
    Negation,
    Number,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
)

LARGEST_EXPONENT = 709
"""EXP of anything above this is an error in a spreadsheet: e^710 is no double."""


class _Binding(IntEnum):
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
    negative_of_brackets: str

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

    def product(self, factors: Iterable[str]) -> str:
        """The text of a product."""
        return self.times.join(factors)

    def call(self, call: Call) -> tuple[str, _Binding]:
        """The text of a named function's value."""
        return f"{call.function.symbol}({self.read(call.argument)})", _Binding.ATOM

    def _text(self, expression: Expression) -> tuple[str, _Binding]:
        match expression:
            case Symbol():
                return self._leaf(self.symbol(expression))
            case Number(value):
                return self._leaf(self.number(value))
            case Sum(terms):
                first, *others = terms
                parts = [self._at_least(_Binding.NEGATIVE, first), *(self._at_least(_Binding.SUM, o) for o in others)]
                return self.plus.join(parts), _Binding.SUM
            case Difference(left, right):
                parts = [self._at_least(_Binding.NEGATIVE, left), self._at_least(_Binding.PRODUCT, right)]
                return self.minus.join(parts), _Binding.SUM
            case Product(factors):
                return self.product(self._at_least(_Binding.PRODUCT, factor) for factor in factors), _Binding.PRODUCT
            case Quotient(numerator, denominator):
                parts = [self._at_least(_Binding.PRODUCT, numerator), self._at_least(_Binding.POWER, denominator)]
                return self.over.join(parts), _Binding.PRODUCT
            case Power(base, exponent):
                return self.power(self._at_least(_Binding.ATOM, base), exponent), _Binding.POWER
            case Negation(operand):
                text, binding = self._text(operand)
                whole = self.negative + text if binding is _Binding.ATOM else f"{self.negative_of_brackets}({text})"
                return whole, _Binding.NEGATIVE
            case Exponential(exponent):
                return self.exponential(exponent), _Binding.ATOM
            case Call():
                return self.call(expression)
            case _:
                raise TypeError(f"no reading for {type(expression).__name__}")

    def _leaf(self, text: str) -> tuple[str, _Binding]:
        return text, _Binding.NEGATIVE if text.startswith(self.negative) else _Binding.ATOM

    def _at_least(self, needed: _Binding, expression: Expression) -> str:
        text, binding = self._text(expression)
        return text if binding >= needed else f"({text})"


class Formula(Reading):
    """A spreadsheet formula, without its equals sign: `(R33-A33)*R33*(1-R33)*J33`."""

    plus, minus, times, over, negative = "+", "-", "*", "/", "-"
    negative_of_brackets = "-1*"  # spreadsheets read -x^2 as (-x)^2, and IronCalc 0.9 -(x^2) too

    def __init__(self, address: Callable[[Symbol], str]) -> None:
        """`address` gives the reference of the cell in which a quantity stands."""
        self._address = address

    def symbol(self, symbol: Symbol) -> str:
        return self._address(symbol)

    def number(self, value: float) -> str:
        return f"{value:.17g}" if value != float(f"{value:g}") else f"{value:g}"

    def power(self, base: str, exponent: int) -> str:
        return f"{base}^{exponent}"

    def exponential(self, exponent: Expression) -> str:
        return f"EXP(MIN({LARGEST_EXPONENT},{self.read(exponent)}))"

    def call(self, call: Call) -> tuple[str, _Binding]:
        return self._text(call.body)


class Mathematics(Reading):
    """Mathematics as a textbook sets it: `(a_o1 − t1) · a_o1 · (1 − a_o1) · a_h1`."""

    plus, minus, times, over, negative = " + ", " − ", " · ", "/", "−"
    negative_of_brackets = negative

    def symbol(self, symbol: Symbol) -> str:
        return symbol.name

    def number(self, value: float) -> str:
        return "½" if value == 0.5 else f"{value:g}"

    def power(self, base: str, exponent: int) -> str:
        return base + str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))

    def product(self, factors: Iterable[str]) -> str:
        return super().product(factors).replace("½ · (", "½(")

    def exponential(self, exponent: Expression) -> str:
        return f"exp({self.read(exponent)})"


class Numbers(Mathematics):
    """Mathematics with the numbers put in: `(0.6065 − 0.5) · 0.6065 · (1 − 0.6065) · 0.5069`."""

    def __init__(self, value: Callable[[Symbol], float]) -> None:
        """`value` gives the number that a quantity has."""
        self._value = value

    def symbol(self, symbol: Symbol) -> str:
        return short(self._value(symbol))


def short(value: float) -> str:
    """A number as one writes it in a hand calculation: four decimals, or four digits where they would all vanish."""
    vanishes = 0 < abs(value) < 0.001
    text = f"{value:.3e}" if vanishes else f"{value:.4f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")
