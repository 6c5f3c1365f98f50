"""One small network's iteration as plain Python: its equations are run once with numbers that write down what is done.

NumPy takes a microsecond for every operation on two numbers, Python alone a twentieth of that. The equations stay those
of `equations.py`; no formula stands here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from xlbackprop.engine.trace import Array

MOST_PARAMETERS = 100
"""Beyond, NumPy is as fast."""
LEAST_ITERATIONS = 500
"""Below, writing the iteration down takes as long as it saves."""

Numbers = tuple[float, ...]
Iteration = Callable[[Array, Array, Array, Array], Array]
"""The parameters after an iteration, from those before, the inputs, the targets and the learning rate; all (1, n)."""


class Unrolled(Struct, frozen=True):
    """An iteration that was written down."""

    run: Callable[[Numbers, Sequence[Numbers], Sequence[float], Callable[[Numbers], None]], Numbers]

    def train(self, parameters: Array, samples: Sequence[Numbers], rates: Sequence[float], history: Array) -> Array:
        """Train for one iteration a sample, and keep in `history` what the parameters were before each.

        Args:
            parameters: shape (1, parameters).
            samples: the inputs and the targets of every iteration.
            rates: the learning rate of every iteration.
            history: shape (iterations, 1, parameters).

        Returns:
            The parameters after the last iteration.

        Raises:
            ArithmeticError: a number got where the equations take another turn than when they were written down.
        """
        rows: list[Numbers] = []
        after = self.run(tuple(parameters[0].tolist()), samples, rates, rows.append)
        history[: len(rows), 0] = rows
        return np.array([after])


def unrolled(iteration: Iteration, parameters: Array, inputs: Array, targets: Array, rate: Array) -> Unrolled:
    """Write an iteration down, by running it once from given numbers.

    Raises:
        ArithmeticError: a number is too large for that.
        TypeError: the equations do something with plain numbers that only arrays can do.
    """
    tape = _Tape([])
    given = [
        np.array([[_Number(tape, value, f"{letter}{index}") for index, value in enumerate(each[0].tolist())]])
        for letter, each in zip("pitr", (parameters, inputs, targets, rate), strict=True)
    ]
    result = iteration(*given)
    before, after = (f"({', '.join(map(_text, numbers[0]))},)" for numbers in (given[0], result))
    sample = ", ".join(map(_text, [*given[1][0], *given[2][0]]))
    lines = [
        "def run(parameters, samples, rates, keep):",
        f"    {before} = parameters",
        f"    for ({sample},), r0 in zip(samples, rates):",
        f"        keep({before})",
        *(f"        {line}" for line in tape.lines),
        f"        {before} = {after}",
        f"    return {before}",
    ]
    scope: dict[str, Any] = {"math": math}
    exec(compile("\n".join(lines), "<one iteration>", "exec"), scope)  # of nothing but operators and our own names
    return Unrolled(scope["run"])


class _Tape(Struct, frozen=True):
    """What has been done so far, a line an operation."""

    lines: list[str]

    def result(self, value: float, text: str) -> _Number:
        """The number that an operation comes to."""
        name = f"x{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return _Number(self, value, name)

    def turn(self, taken: bool, text: str) -> bool:
        """A comparison on which it depends what is done: it has to come out the same way each time."""
        self.lines.append(f"if {'not ' if taken else ''}({text}): raise ArithmeticError")
        return taken


class _Number:
    """A number that writes down what is done with it; NumPy's arrays of objects do with each what their users ask."""

    __slots__ = ("name", "tape", "value")

    def __init__(self, tape: _Tape, value: float, name: str) -> None:
        self.tape, self.value, self.name = tape, value, name

    def __add__(self, other: _Operand) -> _Number:
        return self.tape.result(self.value + _value(other), f"{self.name} + {_text(other)}")

    def __radd__(self, other: float) -> _Number:
        if other == 0:  # where a sum begins
            return self
        return self.tape.result(other + self.value, f"{_text(other)} + {self.name}")

    def __sub__(self, other: _Operand) -> _Number:
        return self.tape.result(self.value - _value(other), f"{self.name} - {_text(other)}")

    def __rsub__(self, other: float) -> _Number:
        return self.tape.result(other - self.value, f"{_text(other)} - {self.name}")

    def __mul__(self, other: _Operand) -> _Number:
        return self.tape.result(self.value * _value(other), f"{self.name} * {_text(other)}")

    def __rmul__(self, other: float) -> _Number:
        return self.tape.result(other * self.value, f"{_text(other)} * {self.name}")

    def __truediv__(self, other: _Operand) -> _Number:
        return self.tape.result(self.value / _value(other), f"{self.name} / {_text(other)}")

    def __rtruediv__(self, other: float) -> _Number:
        return self.tape.result(other / self.value, f"{_text(other)} / {self.name}")

    def __pow__(self, other: int) -> _Number:
        return self.tape.result(self.value**other, f"{self.name} ** {other!r}")

    def __abs__(self) -> _Number:
        return self.tape.result(abs(self.value), f"abs({self.name})")

    def __neg__(self) -> _Number:
        return self.tape.result(-self.value, f"-{self.name}")

    def __lt__(self, other: _Operand) -> bool:
        return self.tape.turn(self.value < _value(other), f"{self.name} < {_text(other)}")

    def __le__(self, other: _Operand) -> bool:
        return self.tape.turn(self.value <= _value(other), f"{self.name} <= {_text(other)}")

    def __gt__(self, other: _Operand) -> bool:
        return self.tape.turn(self.value > _value(other), f"{self.name} > {_text(other)}")

    def __ge__(self, other: _Operand) -> bool:
        return self.tape.turn(self.value >= _value(other), f"{self.name} >= {_text(other)}")

    def __getattr__(self, function: str) -> Callable[[], _Number]:
        """What NumPy asks for: `exp`, `tanh`, `log1p` … of the number."""
        value = getattr(math, function)
        return lambda: self.tape.result(value(self.value), f"math.{function}({self.name})")


_Operand = _Number | float


def _value(operand: _Operand) -> float:
    return operand.value if isinstance(operand, _Number) else operand


def _text(operand: _Operand) -> str:
    return operand.name if isinstance(operand, _Number) else repr(float(operand))
