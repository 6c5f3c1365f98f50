"""Questions to a class before it tries: what will happen? One entry a kind, asked where a walkthrough fits it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from xlbackprop.network import ACTIVATIONS, LEARNING_RATE, WALKTHROUGH
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.working import as_joined
from xlbackprop.workbook.sheets import predictions
from xlbackprop.workbook.sheets.registry import OPTIMISERS_SHEET, PREDICTIONS_SHEET

MOST_QUESTIONS = 5


class Question(Struct, frozen=True):
    """What to change, or to look at, and what to predict before."""

    label: str
    sheet: str
    cell: str
    words: str


Kind = Callable[[Lesson], Question | None]


def questions(lesson: Lesson) -> list[Question]:
    """The questions that fit a walkthrough, as far as its workbook has the sheets to look at."""
    asked = [question for kind in KINDS if (question := kind(lesson)) is not None]
    return [question for question in asked if question.sheet in lesson.sheets][:MOST_QUESTIONS]


def _rate(lesson: Lesson) -> Question:
    rates, cell = list(map(as_joined, lesson.rates_to_try)), lesson.table.learning_rate_cell.replace("$", "")
    words = f"Will the loss end lower with {'? with '.join(rates)}? See its chart."
    return Question(f"{LEARNING_RATE} in {cell}", WALKTHROUGH, cell, words)


def _dead(lesson: Lesson) -> Question | None:
    names, table = lesson.derivation.names, lesson.table
    for layer, units in enumerate(names.activations[:-1]):
        for index, unit in enumerate(units):
            if not lesson.trace[unit].any():
                weight = names.weights[layer][index][0]
                words = f"{unit} is 0 for every sample: which weights will never move?"
                return Question(f"{weight} in {table.cell(weight)}", WALKTHROUGH, table.cell(weight), words)
    return None


def _layers(lesson: Lesson) -> Question | None:
    layers = len(lesson.derivation.names.weights)
    if not predictions.has_layers(lesson.derivation):
        return None
    cell = predictions.Layout(lesson.definition).panel_cell
    words = f"In which of the {layers} layers is the gradient smallest, and by what factor?"
    return Question(f"{PREDICTIONS_SHEET} {cell}", PREDICTIONS_SHEET, cell, words)


def _optimisers(lesson: Lesson) -> Question | None:
    if not lesson.definition.compare:
        return None
    words = f"Which of the {len(lesson.definition.compare)} trains the network first, and whose path zigzags?"
    return Question(OPTIMISERS_SHEET, OPTIMISERS_SHEET, "A1", words)


def _classes(lesson: Lesson) -> Question | None:
    definition = lesson.definition
    last, count = definition.layers[-1].activation, len(definition.samples)
    if count == 1 or not (definition.is_softmax or ACTIVATIONS[last].bounded):
        return None
    cell = predictions.Layout(definition).cell(predictions.MADE)
    words = f"How many of the {count} samples are right before any training? Type 0."
    return Question(f"{PREDICTIONS_SHEET} {cell}", PREDICTIONS_SHEET, cell, words)


def _curve(lesson: Lesson) -> Question | None:
    names, samples = lesson.derivation.names, lesson.definition.samples
    values = [sample.inputs[0] for sample in samples]
    if len(names.inputs) > 1 or min(values) == max(values):
        return None
    choice, beyond = f"{names.inputs[0]} to", 2 * max(values) - min(values)
    cell = predictions.Layout(lesson.definition).cell(choice)
    words = f"How does the curve go on where there are no samples? Type {as_joined(beyond)}."
    return Question(f"{PREDICTIONS_SHEET} {cell}", PREDICTIONS_SHEET, cell, words)


def _twins(lesson: Lesson) -> Question | None:
    names, table = lesson.derivation.names, lesson.table
    if len(names.weights) != 2 or len(names.activations[0]) < 2:
        return None
    (first, second), weight = names.pre_activations[0][:2], names.weights[0][1][0]
    # With other weights out the gradients of the two differ, and they part at the first update.
    own = "bias and weights" if len({*names.biases[0][:2]}) > 1 else "weights"
    words = f"If {second} copies {first}'s {own}, in and out, do they ever part?"
    return Question(f"{weight} in {table.cell(weight)}", WALKTHROUGH, table.cell(weight), words)


def _target(lesson: Lesson) -> Question | None:
    names, table = lesson.derivation.names, lesson.table
    if lesson.derivation.samples > 1 or len(names.targets) > 2:
        return None
    target, output = names.targets[0], names.activations[-1][0]
    words = f"If {target} is what {output} says, which gradients all but vanish?"
    return Question(f"{target} in {table.cell(target)}", WALKTHROUGH, table.cell(target), words)


def _weight(lesson: Lesson) -> Question:
    weight = lesson.derivation.names.weights[0][0][0]
    cell = lesson.table.cell(weight)
    words = "From another start: what moves in the first row, and what does not?"
    return Question(f"{weight} in {cell}", WALKTHROUGH, cell, words)


KINDS: tuple[Kind, ...] = (_rate, _dead, _layers, _optimisers, _classes, _curve, _target, _twins, _weight)
"""In the order in which they are asked; the more particular, the earlier."""
