"""Expressions and networks in high precision: what a definition says, worked out with 60 digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import mpmath

from xlbackprop import Definition
from xlbackprop.engine.order import sample_order
from xlbackprop.network.activations import ACTIVATIONS
from xlbackprop.network.losses import LOSSES, Outputs
from xlbackprop.network.softmax import SOFTMAX
from xlbackprop.symbols.expression import (
    Apply,
    Builtin,
    Call,
    Conditional,
    Difference,
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
)

DIGITS = 60
Values = Mapping[str, mpmath.mpf]
Weights = list[list[list[mpmath.mpf]]]
Biases = list[list[mpmath.mpf]]

_BUILTINS: Mapping[Builtin, Callable[..., mpmath.mpf]] = {
    Builtin.LOGARITHM: mpmath.log,
    Builtin.SQUARE_ROOT: mpmath.sqrt,
    Builtin.HYPERBOLIC_TANGENT: mpmath.tanh,
    Builtin.COSINE: mpmath.cos,
    Builtin.ABSOLUTE: abs,
    Builtin.FLOOR: mpmath.floor,
    Builtin.MAXIMUM: max,
    Builtin.MINIMUM: min,
    Builtin.REMAINDER: lambda a, b: a % b,
}


def value(expression: Expression, values: Values) -> mpmath.mpf:
    """The value of an expression as it is written, not as it is computed where that would overflow."""

    def of(part: Expression) -> mpmath.mpf:
        return value(part, values)

    match expression:
        case Symbol(name):
            return values[name]
        case Number(number):
            return mpmath.mpf(number)
        case Sum(terms):
            return mpmath.fsum(map(of, terms))
        case Product(factors):
            return mpmath.fprod(map(of, factors))
        case Difference(left, right):
            return of(left) - of(right)
        case Quotient(numerator, denominator):
            return of(numerator) / of(denominator)
        case Power(base, power):
            return of(base) ** power
        case Raised(base, exponent):
            return of(base) ** of(exponent)
        case Negation(operand):
            return -of(operand)
        case Exponential(exponent):
            return mpmath.exp(of(exponent))
        case Call():
            return of(expression.body)
        case Apply(function, arguments):
            return _BUILTINS[function](*map(of, arguments))
        case Conditional(left, right, then, otherwise):
            return of(then) if of(left) < of(right) else of(otherwise)
        case Stable(written, _):
            return of(written)
        case _:
            raise TypeError(type(expression).__name__)


def activation(name: str, x: mpmath.mpf) -> mpmath.mpf:
    """An activation function's value, from its entry's own formula."""
    return value(ACTIVATIONS[name].function.body(Symbol("x")), {"x": x})


def loss(definition: Definition, weights: Weights, biases: Biases) -> mpmath.mpf:
    """The loss of the sample that the first iteration takes, unit by unit."""
    sample = definition.samples[int(sample_order(definition).sample[0]) - 1]
    values = [mpmath.mpf(value) for value in sample.inputs]
    sums: list[mpmath.mpf] = []
    for layer, rows, offsets in zip(definition.layers, weights, biases, strict=True):
        sums = [mpmath.fdot(row, values) for row in rows]
        if offsets:
            sums = [total + offsets[unit if len(offsets) > 1 else 0] for unit, total in enumerate(sums)]
        values = _softmax(sums) if layer.activation == SOFTMAX else [activation(layer.activation, x) for x in sums]
    names = definition.names
    outputs = Outputs(
        *(tuple(map(Symbol, row)) for row in (names.targets, names.pre_activations[-1], names.activations[-1]))
    )
    known = {
        symbol.name: number
        for symbols, numbers in zip(
            (outputs.targets, outputs.pre_activations, outputs.activations),
            ([mpmath.mpf(target) for target in sample.targets], sums, values),
            strict=True,
        )
        for symbol, number in zip(symbols, numbers, strict=True)
    }
    shares = (LOSSES[definition.loss].share(outputs, index) for index in range(len(values)))
    return mpmath.fsum(value(share, known) for share in shares)


def _softmax(sums: Sequence[mpmath.mpf]) -> list[mpmath.mpf]:
    powers = [mpmath.exp(x) for x in sums]
    return [power / mpmath.fsum(powers) for power in powers]
