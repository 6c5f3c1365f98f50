"""The slips that people make in one calculation: each as a question that names it, and what it would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.network import ACTIVATIONS, LEARNING_RATE, derivative
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

MOST_SLIPS = 26
_NEIGHBOURS = 2
"""How many other units a unit is taken for; in a wide layer, those beside it."""
_OTHER_GRADIENTS = 7
"""How many other weights' gradients an update is made with."""

_MATHEMATICS = Mathematics()


class LikelySlip(Struct, frozen=True):
    """One slip: the question that a teacher would ask, and the expression that was calculated instead."""

    question: str
    expression: Expression


def likely_slips(
    derivation: Derivation,
    name: str,
    expression: Expression,
    updated: Mapping[str, Expression],
    reaching: Mapping[str, Expression],
) -> tuple[LikelySlip, ...]:
    """The slips to think of when a quantity is calculated from an expression, the least obvious ones first.

    Those that no tolerance tells from the right number come first: another unit's activation, another weight's
    gradient. What they give is an expression over the same quantities and their siblings.

    Args:
        updated: what weights become, as far as that can be calculated from quantities known before this one.
        reaching: how what reaches a hidden unit is calculated, for who does not write it down in between.
    """
    written = substitute(expression.written if isinstance(expression, Stable) else expression, _of_now)
    found: dict[Expression, LikelySlip] = {}
    for slip in _slips(derivation, name, written, updated, reaching):
        if slip.expression != written:
            found.setdefault(slip.expression, slip)
        if len(found) == MOST_SLIPS:
            break
    return tuple(found.values())


def usual_slip(derivation: Derivation, name: str, expression: Expression) -> str:
    """What to ask somebody whose answer shows none of the likely slips, of a quantity or of a new weight."""
    if name in derivation.learned:
        return f"is it {name} itself, minus its own step?"
    role = derivation[name].role
    if any(name in units for units in derivation.names.pre_activations):
        return "does every number meet its own weight, and is none left out?"
    if role is Role.MEMORY:
        return "is the old one kept by its share, and the new gradient added?"
    if name in derivation.carried:
        return "is the new gradient added, and all divided by how many there are?"
    if role in (Role.HIDDEN, Role.OUTPUT):
        return "is the sum put in with its sign, and calculated to the end?"
    if role is Role.LOSS:
        return "does every output meet its own target, and is no part left out?"
    return f"is every {'path' if isinstance(expression, Sum) else 'factor'} there once, and of the right unit?"


def _slips(
    derivation: Derivation,
    name: str,
    expression: Expression,
    updated: Mapping[str, Expression],
    reaching: Mapping[str, Expression],
) -> Iterator[LikelySlip]:
    if name in derivation.learned:
        yield LikelySlip(f"Is the step left out, or rounded away? This is {name} itself.", Symbol(name))
    elif derivation[name].role is Role.GRADIENT:
        yield from _of_wrong_weights(derivation, expression, updated)
    for inner in (symbol.name for symbol in symbols(expression) if symbol.name in reaching):
        written = substitute(reaching[inner], _of_now)
        for slip in _of_wrong_weights(derivation, written, updated):
            yield LikelySlip(slip.question, _put_in(expression, inner, slip.expression))
        yield from _of_one_term(derivation, name, inner, expression, written)
    others, signs = _others(derivation, name, expression), _signs(derivation, name, expression)
    changed, repeated = _changed(derivation, expression), _repeated(derivation, expression)
    yield from chain(signs, changed, others) if name in derivation.learned else chain(others, signs, changed, repeated)


def _of_wrong_weights(
    derivation: Derivation, expression: Expression, updated: Mapping[str, Expression]
) -> Iterator[LikelySlip]:
    """Weights that are updated already, those of another unit, or their gradients in what goes back through them."""
    weights = sorted({each.name for each in symbols(expression)} & {*derivation.learned}, key=derivation.learned.index)
    after = {weight: substitute(updated[weight], _of_now) for weight in weights if weight in updated}
    if after:
        words = f"Already updated: {', '.join(weights)}? Every gradient belongs to the old weights."
        yield LikelySlip(words, substitute(expression, lambda symbol: after.get(symbol.name, symbol)))
    yield from _other_weights(derivation, weights, expression)
    gradients = [derivative(derivation.names.total_loss, weight) for weight in weights]
    if len(gradients) > 1:
        yield LikelySlip(f"Are {' and '.join(gradients)} added here?", Sum(tuple(map(Symbol, gradients))))


def _of_one_term(
    derivation: Derivation, name: str, inner: str, expression: Expression, written: Expression
) -> Iterator[LikelySlip]:
    """What the paths that add up share: multiplied with the last of them alone, or in one with another input."""
    if not isinstance(written, Sum):
        return
    products = [_put_in(expression, inner, term) for term in written.terms]
    yield LikelySlip("Are the brackets around the sum left out?", Sum((*written.terms[:-1], products[-1])))
    source, siblings = _source(derivation, name)
    for other in _nearest(siblings, source)[:_NEIGHBOURS]:
        for place in dict.fromkeys((0, len(products) - 1)):
            words = f"Does {other} stand where {source} belongs, in one term?"
            terms = list(products)
            terms[place] = _exchanged(products[place], {source: other})
            yield LikelySlip(words, Sum(tuple(terms)))


def _source(derivation: Derivation, gradient: str) -> tuple[str, tuple[str, ...]]:
    """What the weight of a gradient is multiplied with, and all that are its like; nothing for a bias."""
    names, (_, weight) = derivation.names, derivation[gradient].derivative_of or ("", "")
    for rows, sources in zip(names.weights, (names.inputs, *names.activations), strict=False):
        for row in rows:
            if weight in row:
                return sources[row.index(weight)], tuple(sources)
    return "", ()


def _nearest(siblings: Sequence[str], name: str) -> list[str]:
    """All others of some that are alike, those beside it first."""
    others = [other for other in siblings if other != name]
    return sorted(others, key=lambda other: abs(siblings.index(other) - siblings.index(name)))


def _put_in(expression: Expression, name: str, part: Expression) -> Expression:
    return substitute(expression, lambda symbol: part if symbol == Symbol(name) else symbol)


def _others(derivation: Derivation, name: str, expression: Expression) -> Iterator[LikelySlip]:
    """Another quantity of the same kind in the place of one, a weighted sum in the place of its activation."""
    names_of = derivation.names
    before = {
        activation: unit
        for units, activations in zip(names_of.pre_activations, names_of.activations, strict=True)
        for unit, activation in zip(units, activations, strict=True)
    }
    names = list(dict.fromkeys(symbol.name for symbol in symbols(expression) if symbol.name != name))
    gradients = _gradients(derivation) if name in derivation.learned else ()
    for each in names:
        if each in derivation.learned or each not in derivation.quantities:
            continue
        siblings = gradients if each in gradients else derivation.siblings(each)
        nearest = _nearest(siblings, each)[: _OTHER_GRADIENTS if each in gradients else _NEIGHBOURS]
        for other in (sibling for sibling in nearest if sibling not in names):
            words = f"Does {other} stand where {each} belongs?"
            yield LikelySlip(words, _exchanged(expression, {each: other}))
            for one in _exchanged_once(expression, each, other):
                yield LikelySlip(words, one)
        yield from _swapped(derivation, names, expression, each, nearest)
    yield from _other_outputs(derivation, names, expression)
    for target in derivation.names.targets[:_NEIGHBOURS] if LEARNING_RATE in names else ():
        words = f"Does {target} stand where {LEARNING_RATE} belongs?"
        yield LikelySlip(words, _exchanged(expression, {LEARNING_RATE: target}))
    for each in names:
        if each in before and before[each] in derivation.quantities:
            words = f"Does {before[each]} stand where its activation {each} belongs?"
            yield LikelySlip(words, _exchanged(expression, {each: before[each]}))
    yield from _other_weights(derivation, names, expression)


def _other_outputs(derivation: Derivation, names: list[str], expression: Expression) -> Iterator[LikelySlip]:
    """The activation and the target of another output, both in the place of those that belong here."""
    outputs = list(zip(derivation.names.activations[-1], derivation.names.targets, strict=True))
    here = [place for place, pair in enumerate(outputs) if {*pair} <= {*names}]
    for place in here if len(here) == 1 else ():
        others = [other for other in range(len(outputs)) if other != place]
        for other in sorted(others, key=lambda each: abs(each - place))[:_NEIGHBOURS]:
            words = f"Do {', '.join(outputs[other])} stand where {', '.join(outputs[place])} belong?"
            yield LikelySlip(words, _exchanged(expression, dict(zip(outputs[place], outputs[other], strict=True))))


def _repeated(derivation: Derivation, expression: Expression) -> Iterator[LikelySlip]:
    """One of a sum's numbers taken twice, in the place of its neighbour."""
    names = list(dict.fromkeys(symbol.name for symbol in symbols(expression)))
    for each in names:
        alike = derivation.siblings(each) if each in derivation.quantities else ()
        siblings = [name for name in alike if name in names]
        for other in _nearest(siblings, each)[:_NEIGHBOURS]:
            words = f"Does {other} stand where {each} belongs?"
            yield LikelySlip(words, _exchanged(expression, {each: other}))


def _gradients(derivation: Derivation) -> tuple[str, ...]:
    """Of everything that is learned."""
    return tuple(name for layer in range(len(derivation.names.weights)) for name in derivation.gradients(layer))


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
                words = f"Do {', '.join(line)} stand where {', '.join(mine)} belong?"
                yield LikelySlip(words, _exchanged(expression, exchange))
        if len(mine) == 2:
            swap = dict(zip(mine, reversed(mine), strict=True))
            yield LikelySlip(f"Are {mine[0]} and {mine[1]} exchanged?", _exchanged(expression, swap))


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


def _changed(derivation: Derivation, expression: Expression) -> Iterator[LikelySlip]:
    """One factor, one term or the square left out, a factor squared, a target multiplied, wherever it stands."""
    for question, result in (*_without(expression, lambda whole: whole), *_twice(derivation, expression)):
        yield LikelySlip(question, result)


def _twice(derivation: Derivation, expression: Expression) -> Iterator[tuple[str, Expression]]:
    for place, factor in enumerate(expression.factors if isinstance(expression, Product) else ()):
        assert isinstance(expression, Product)
        yield f"Is the factor {_bracketed(factor)} squared?", Product((*expression.factors, factor))
        match factor:
            case Difference(Number(1), other) if place and other == expression.factors[place - 1]:
                words = f"Is {_MATHEMATICS.read(other)} · {_bracketed(factor)} squared?"
                yield words, Product((*expression.factors, other, factor))
            case Difference(left, Symbol(target)) if target in derivation.names.targets:
                others = (*expression.factors[:place], *expression.factors[place + 1 :])
                words = f"Does {_MATHEMATICS.read(left)} · {target} stand where {_MATHEMATICS.read(factor)} belongs?"
                yield words, Product((left, Symbol(target), *others))
            case _:
                pass


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


def _exchanged_once(expression: Expression, name: str, other: str) -> Iterator[Expression]:
    """Another name in one place after the other, where a name stands in several."""
    places = sum(symbol == Symbol(name) for symbol in symbols(expression))
    for place in range(places if places > 1 else 0):
        turn = iter(range(places))

        def at_its_turn(symbol: Symbol, turn: Iterator[int] = turn, place: int = place) -> Symbol:
            return Symbol(other) if symbol == Symbol(name) and next(turn) == place else symbol

        yield substitute(expression, at_its_turn)


def _of_now(symbol: Symbol) -> Symbol:
    """What an update is made of, as the line knows it that has the same iteration's numbers in sight."""
    return symbol if isinstance(symbol, Old | Listed) else Symbol(symbol.name)


def _bracketed(factor: Expression) -> str:
    text = _MATHEMATICS.read(factor)
    return text if isinstance(factor, Symbol | Number | Call | Power) else f"({text})"
