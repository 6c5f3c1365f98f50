"""The slips that people make in one calculation: each as a question that names it, and what it would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.network import ACTIVATIONS, LEARNING_RATE
from xlbackprop.symbols import (
    Call,
    Difference,
    Expression,
    Listed,
    Mathematics,
    Negation,
    Number,
    Old,
    Power,
    Product,
    Stable,
    Sum,
    Symbol,
    substitute,
    symbols,
)

MOST_SLIPS = 12
_NEIGHBOURS = 2
"""How many other units a unit is taken for; in a wide layer, those beside it."""

_MATHEMATICS = Mathematics()


class LikelySlip(Struct, frozen=True):
    """One slip: the question that a teacher would ask, and the expression that was calculated instead."""

    question: str
    expression: Expression


def likely_slips(
    derivation: Derivation, name: str, expression: Expression, updated: Mapping[str, Expression]
) -> tuple[LikelySlip, ...]:
    """The slips to think of when a quantity is calculated from an expression, the least obvious ones first.

    Those that no tolerance tells from the right number come first: another unit's activation, another weight's
    gradient. What they give is an expression over the same quantities and their siblings.

    Args:
        updated: what weights become, as far as that can be calculated from quantities known before this one.
    """
    written = substitute(expression.written if isinstance(expression, Stable) else expression, _of_now)
    found: dict[Expression, LikelySlip] = {}
    for slip in _slips(derivation, name, written, updated):
        if slip.expression != written:
            found.setdefault(slip.expression, slip)
        if len(found) == MOST_SLIPS:
            break
    return tuple(found.values())


def _slips(
    derivation: Derivation, name: str, expression: Expression, updated: Mapping[str, Expression]
) -> Iterator[LikelySlip]:
    weights = {symbol.name for symbol in symbols(expression) if symbol.name in derivation.learned}
    if name in derivation.learned:
        yield LikelySlip(f"Is the step left out, or rounded away? This is {name} itself.", Symbol(name))
    elif derivation[name].role is Role.GRADIENT and weights & updated.keys():
        listed = ", ".join(sorted(weights, key=derivation.learned.index))
        words = f"Already updated: {listed}? Every gradient belongs to the old weights."
        after = {weight: substitute(update, _of_now) for weight, update in updated.items()}
        yield LikelySlip(words, substitute(expression, lambda symbol: after.get(symbol.name, symbol)))
    yield from _others(derivation, name, expression)
    yield from _signs(derivation, name, expression)
    yield from _left_out(expression)


def _others(derivation: Derivation, name: str, expression: Expression) -> Iterator[LikelySlip]:
    """Another quantity of the same kind in the place of one, a weighted sum in the place of its activation."""
    names_of = derivation.names
    before = {
        activation: unit
        for units, activations in zip(names_of.pre_activations, names_of.activations, strict=True)
        for unit, activation in zip(units, activations, strict=True)
    }
    names = list(dict.fromkeys(symbol.name for symbol in symbols(expression) if symbol.name != name))
    for each in names:
        if each in derivation.learned or each not in derivation.quantities:
            continue
        siblings = derivation.siblings(each)
        place = siblings.index(each)
        nearest = sorted(
            (other for other in siblings if other != each), key=lambda other: abs(siblings.index(other) - place)
        )
        nearest = nearest[:_NEIGHBOURS]
        for other in (sibling for sibling in nearest if sibling not in names):
            yield LikelySlip(f"Does {other} stand where {each} belongs?", _exchanged(expression, {each: other}))
        yield from _swapped(derivation, names, expression, each, nearest)
    for target in derivation.names.targets[:_NEIGHBOURS] if LEARNING_RATE in names else ():
        words = f"Does {target} stand where {LEARNING_RATE} belongs?"
        yield LikelySlip(words, _exchanged(expression, {LEARNING_RATE: target}))
    for each in names:
        if each in before and before[each] in derivation.quantities:
            words = f"Does {before[each]} stand where its activation {each} belongs?"
            yield LikelySlip(words, _exchanged(expression, {each: before[each]}))
    yield from _other_weights(derivation, names, expression)


def _swapped(
    derivation: Derivation, names: list[str], expression: Expression, each: str, nearest: list[str]
) -> Iterator[LikelySlip]:
    """Two of the same kind that both occur, each in the place of the other."""
    for other in nearest:
        if other in names and names.index(each) < names.index(other):
            swap = {each: other, other: each}
            yield LikelySlip(f"Are {each} and {other} exchanged?", _exchanged(expression, swap))


def _other_weights(derivation: Derivation, names: list[str], expression: Expression) -> Iterator[LikelySlip]:
    """The weights that leave another unit, or those that enter one, in the place of those that belong here."""
    used = [name for name in names if name in derivation.learned]
    for rows in derivation.names.weights:
        lines = [*map(tuple, rows), *zip(*rows, strict=True)]
        mine = tuple(name for name in used if any(name in row for row in rows))
        for line in lines:
            if len(mine) == len(line) > 1 and line != mine:
                exchange = {old: new for old, new in zip(mine, line, strict=True) if old != new}
                words = f"Do {_listed(line)} stand where {_listed(mine)} belong?"
                yield LikelySlip(words, _exchanged(expression, exchange))


def _signs(derivation: Derivation, name: str, expression: Expression) -> Iterator[LikelySlip]:
    targets = derivation.names.targets
    if isinstance(expression, Difference) and name in derivation.learned:
        words = f"Plus instead of minus? {name} goes against the gradient, downhill."
        yield LikelySlip(words, Sum((expression.left, expression.right)))
    if isinstance(expression, Call) and expression.function == ACTIVATIONS["sigmoid"].function:
        negative = Call(expression.function, Negation(expression.argument))
        yield LikelySlip("Is the minus in exp(−…) left out?", negative)
    words = "Only the sign is wrong."
    if derivation[name].role is Role.GRADIENT and {symbol.name for symbol in symbols(expression)} & {*targets}:
        words += " The slope of the loss is output minus target."
    if name not in derivation.learned:
        yield LikelySlip(words, Negation(expression))


def _left_out(expression: Expression) -> Iterator[LikelySlip]:
    """One factor, one term or the square left out, wherever it stands."""
    for question, result in _without(expression, lambda whole: whole):
        yield LikelySlip(question, result)


def _without(part: Expression, whole: Callable[[Expression], Expression]) -> Iterator[tuple[str, Expression]]:
    match part:
        case Product(factors):
            for index, factor in enumerate(factors):
                left = (*factors[:index], *factors[index + 1 :])
                result = left[0] if len(left) == 1 else Product(left)
                yield f"Is the factor {_bracketed(factor)} left out?", whole(result)
            for index, factor in enumerate(factors):
                yield from _without(factor, _within(factors, index, whole))
        case Sum(terms):
            for index, term in enumerate(terms):
                left = (*terms[:index], *terms[index + 1 :])
                result = left[0] if len(left) == 1 else Sum(left)
                yield f"Is the term {_MATHEMATICS.read(term)} left out?", whole(result)
        case Power(base, 2):
            yield "Is the square left out?", whole(base)
        case Difference(left, Product() as right):
            yield from _without(right, lambda result: whole(Difference(left, result)))
        case _:
            return


def _within(
    factors: tuple[Expression, ...], index: int, whole: Callable[[Expression], Expression]
) -> Callable[[Expression], Expression]:
    return lambda result: whole(Product((*factors[:index], result, *factors[index + 1 :])))


def _exchanged(expression: Expression, exchange: Mapping[str, str]) -> Expression:
    return substitute(
        expression,
        lambda symbol: (
            Symbol(exchange[symbol.name]) if symbol == Symbol(symbol.name) and symbol.name in exchange else symbol
        ),
    )


def _of_now(symbol: Symbol) -> Symbol:
    """What an update is made of, as the line knows it that has the same iteration's numbers in sight."""
    return symbol if isinstance(symbol, Old | Listed) else Symbol(symbol.name)


def _bracketed(factor: Expression) -> str:
    text = _MATHEMATICS.read(factor)
    return text if isinstance(factor, Symbol | Number | Call | Power) else f"({text})"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
