"""The explanation of one quantity: the chain of steps that leads to it in an iteration, with its numbers, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from xlbackprop.derivation import Derivation, derive
from xlbackprop.engine import train
from xlbackprop.ground.errors import index_of
from xlbackprop.network import Definition
from xlbackprop.symbols import (
    Expression,
    Latex,
    LatexNumbers,
    Listed,
    Mathematics,
    Numbers,
    Old,
    Symbol,
    Typesetter,
    latex_name,
    latex_number,
    short,
    symbols,
)
from xlbackprop.walkthrough.steps import Moment, givens, moment, updated_name
from xlbackprop.walkthrough.table import compact

_DIGITS = 9


class Step(Struct, frozen=True):
    """One quantity on the way: what it is, its definition (None for a given number) and its value."""

    name: str
    sentence: str
    expression: Expression | None
    value: float


class Explanation(Struct, frozen=True):
    """The steps that lead to one quantity, in the order of the calculation; the last one is the quantity itself.

    Made by `explain`; `str` of it is the text that `xlbackprop explain` prints.
    """

    name: str
    iteration: int
    """From 0."""
    definition: Definition
    derivation: Derivation
    steps: tuple[Step, ...]
    moment: Moment
    """The numbers that the steps are made of."""
    written_out: Expression | None
    """The quantity over the columns of the original sheet, where that is not its definition already."""

    def __str__(self) -> str:
        return self.written("text")

    def written(self, format: str) -> str:
        """The explanation as one of `FORMATS`."""
        return "\n".join(FORMATS[format](self))

    @property
    def last(self) -> Step:
        """The quantity itself."""
        return self.steps[-1]

    @property
    def headline(self) -> str:
        """What is explained, and where."""
        limits = f"iteration {self.iteration} of 0 to {self.definition.iterations - 1}"
        return f"{self.name} is {self.last.sentence} ({limits})."


def explain(definition: Definition, quantity: str, iteration: int = 0) -> Explanation:
    """Explain a quantity in one iteration: every step that leads to it, with its numbers.

    A weight after the first iteration is explained by the update that made it, with the numbers of the one before.

    Args:
        definition: the network and its training; see `load`.
        quantity: its name, such as `a_h1` or `∂E/∂w1`; `dE/dw1` and the names of other notations are understood too.
        iteration: from 0.

    Raises:
        UnknownQuantityError: there is no such quantity.
        UserError: there is no such iteration, or the training has more values than are kept.
    """
    iteration = index_of("iteration", iteration, definition.iterations - 1)
    derivation, trace = derive(definition), train(definition)
    name = derivation.names.resolve(quantity, derivation.quantities)
    update = derivation[name].update if iteration else None
    expression = update or (None if name in derivation.given else derivation[name].expression)
    numbers = moment(derivation, trace, iteration - 1 if update else iteration)
    steps = _steps_to(derivation, expression, numbers)
    last = Step(
        updated_name(name) if update else name, derivation[name].sentence, expression, float(trace[name][iteration])
    )
    written_out = None
    if derivation[name].derivative_of:
        expanded = derivation.expanded(name, compact(derivation))
        written_out = None if expanded == expression else expanded
    return Explanation(name, iteration, definition, derivation, (*steps, last), numbers, written_out)


def _steps_to(derivation: Derivation, expression: Expression | None, numbers: Moment) -> list[Step]:
    """What an expression is made of, directly or through other quantities: what is given, then what is calculated."""
    needed: set[str] = set()
    given = {each.label: each for each in givens(derivation)}
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        new = {symbol.label for symbol in symbols(part) if not isinstance(symbol, Listed)} - needed if part else set()
        needed |= new
        waiting += [derivation[name].expression for name in new - given.keys()]
    begun = [
        Step(label, each.sentence, None, numbers.value(each.symbol)) for label, each in given.items() if label in needed
    ]
    calculated = [
        Step(name, quantity.sentence, quantity.expression, numbers.values[name])
        for name, quantity in derivation.quantities.items()
        if name in needed and name not in given
    ]
    return [*begun, *calculated]


def _text(explanation: Explanation) -> Iterator[str]:
    mathematics, numbers = Mathematics(), Numbers(explanation.moment.value)
    given = [step for step in explanation.steps if step.expression is None]
    yield explanation.headline
    if given:
        yield "\ngiven"
    for step in given:
        yield f"  {step.name} = {_value(step)}"
    for step in explanation.steps:
        if step.expression is not None:
            indent = " " * (len(step.name) + 1)
            yield f"\n{step.name} = {mathematics.read(step.expression)}"
            if not isinstance(step.expression, Symbol):
                yield f"{indent}= {numbers.read(step.expression)}"
                result = numbers.result(step.expression, step.value)
                yield f"{indent[:-1]}{result}" + ("" if result.startswith(" =") else f"  ({_value(step)} unrounded)")
            else:
                yield f"{indent}= {_value(step)}"
    if explanation.written_out is not None:
        yield f"\nwritten out: {explanation.name} = {mathematics.read(explanation.written_out)}"


def _markdown(explanation: Explanation) -> Iterator[str]:
    mathematics, numbers = Mathematics(), Numbers(explanation.moment.value)
    typesetter = Typesetter(explanation.derivation.typeset)

    def typeset(text: str) -> str:
        return "".join(f"<sub>{piece.text}</sub>" if piece.subscript else piece.text for piece in typesetter.set(text))

    yield f"{typeset(explanation.headline)}\n"
    yield "| symbol | mathematics | with its numbers | value | what it is |"
    yield "| --- | --- | --- | ---: | --- |"
    for step in explanation.steps:
        written = ("given", "")
        if step.expression is not None:
            text = numbers.read(step.expression)
            if not isinstance(step.expression, Symbol):
                text += numbers.result(step.expression, step.value)
            written = (typeset(mathematics.read(step.expression)), text)
        yield f"| {' | '.join([typeset(step.name), *written, _value(step), typeset(step.sentence)])} |"
    if explanation.written_out is not None:
        yield f"\nWritten out: {typeset(f'{explanation.name} = {mathematics.read(explanation.written_out)}')}"


def _latex(explanation: Explanation) -> Iterator[str]:
    mathematics, numbers, plain = Latex(), LatexNumbers(explanation.moment.value), Numbers(explanation.moment.value)
    yield f"% {explanation.headline}"
    yield r"{\allowdisplaybreaks % a chain may be longer than a page; needs the package amsmath"
    yield r"\begin{align*}"
    lines = []
    for step in explanation.steps:
        name, value = _latex_name(step.name), latex_number(_value(step))
        if step.expression is None:
            lines.append(f"{name} &= {value}")
            continue
        lines.append(f"{name} &= {mathematics.read(step.expression)}")
        if not isinstance(step.expression, Symbol):
            lines.append(f"&= {numbers.read(step.expression)}")
            sign, _, digits = plain.result(step.expression, step.value).strip().partition(" ")
            if sign == "≈":
                lines.append(f"&\\approx {latex_number(digits)} \\quad ({value} \\text{{ unrounded}})")
                continue
        lines.append(f"&= {value}")
    if explanation.written_out is not None:
        lines.append(f"{_latex_name(explanation.name)} &= {mathematics.read(explanation.written_out)}")
    yield " \\\\\n".join(lines)
    yield r"\end{align*}}"


def _latex_name(name: str) -> str:
    for mark in (updated_name(""), Old("").label):
        if name.startswith(mark):
            return f"{{{latex_name(name.removeprefix(mark))}}}^{{\\text{{{mark.strip()}}}}}"
    return latex_name(name)


def _value(step: Step) -> str:
    """A value with so many digits that the reader can go on calculating."""
    return short(step.value, _DIGITS)


FORMATS: Mapping[str, Callable[[Explanation], Iterator[str]]] = {"text": _text, "markdown": _markdown, "latex": _latex}
"""The lines of an explanation: for a terminal, as a table with subscripts in HTML, as an align* of amsmath."""
