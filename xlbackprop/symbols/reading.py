"""The readings of an expression: a spreadsheet formula, mathematics, and mathematics with numbers, printed or live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum

from xlbackprop.symbols import expression as nodes
from xlbackprop.symbols.expression import Builtin, Call, Conditional, Expression, Stable, Symbol


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
            case nodes.Number(value):
                return self._leaf(self.number(value))
            case nodes.Sum(terms):
                first, *others = terms
                parts = [self._at_least(Binding.NEGATIVE, first), *(self._at_least(Binding.SUM, o) for o in others)]
                return self.plus.join(parts), Binding.SUM
            case nodes.Difference(left, right):
                parts = [self._at_least(Binding.NEGATIVE, left), self._at_least(Binding.PRODUCT, right)]
                return self.minus.join(parts), Binding.SUM
            case nodes.Product(factors):
                texts = [self._at_least(Binding.PRODUCT, factor) for factor in factors]
                return self.product(factors, texts), Binding.PRODUCT
            case nodes.Quotient(numerator, denominator):
                parts = [self._at_least(Binding.PRODUCT, numerator), self._at_least(Binding.POWER, denominator)]
                return self.over.join(parts), Binding.PRODUCT
            case nodes.Power(base, exponent):
                return self.power(self._at_least(Binding.ATOM, base), exponent), Binding.POWER
            case nodes.Negation(operand):
                return self.negation(self._at_least(self.negated, operand)), Binding.NEGATIVE
            case nodes.Exponential(exponent):
                return self.exponential(exponent), Binding.ATOM
            case Call():
                return self.call(expression)
            case nodes.Raised(base, exponent):
                return self.raised(self._at_least(Binding.ATOM, base), exponent)
            case nodes.Apply(function, arguments):
                return self.apply(function, tuple(map(self.read, arguments))), Binding.ATOM
            case Conditional():
                return self.conditional(expression)
            case nodes.Entry(values, place):
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
