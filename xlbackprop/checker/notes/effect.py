"""Retraining: the loss that a sheet would come to without its mistakes, computed by the engine from its first row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from xlbackprop.checker.judgement.table_judge import Verdict, percent
from xlbackprop.checker.report.findings import Note
from xlbackprop.engine import Array, train
from xlbackprop.ground.grid import ranges
from xlbackprop.network import Definition, Layer, derivative

MOST_RETRAINED_ITERATIONS = 2000
"""The engine trains these in a tenth of a second."""

_NOTHING = 1e-9
"""Relative differences below this are no effect worth a note."""


def effect(verdict: Verdict) -> Iterator[Note]:
    """How far the mistakes of a table throw its last loss off."""
    rate, rows = verdict.found.learning_rate.value, len(verdict.table.steps)
    numbers = verdict.numbers.values
    if not verdict.findings or rate is None or "E_total" not in numbers or not 1 < rows <= MOST_RETRAINED_ITERATIONS:
        return
    right = None if verdict.meaning.changing_samples else trained(verdict, rate, rows)
    shown = numbers["E_total"]
    known = [step for step in range(rows) if np.isfinite(shown[step])]
    if right is None or not known:
        return
    last = known[-1]
    place = verdict.table.place("E_total", last)
    off = abs(shown[last] - right[last]) / abs(right[last]) if right[last] else np.inf
    if off < _NOTHING:
        return
    digits = 6 if off > 1e-4 else 10
    message = (
        f"without the mistakes E_total in {ranges([place])[0]} would be {right[last]:.{digits}g} in place of"
        f" {shown[last]:.{digits}g} ({percent(off)} off)"
    )
    yield Note(verdict.table.sheet.name, ranges([place]), "effect", message)


def trained(verdict: Verdict, rate: float, iterations: int) -> Array | None:
    """E_total as the engine gives it from the table's first row; None where not all of that row is known."""
    numbers, meaning = verdict.numbers, verdict.meaning
    labels = meaning.derivation.names
    label_of = {own: label for label, own in meaning.numbering.items()}
    fixed: Mapping[str, Any] = dict(meaning.literals)

    def first(own: str) -> float:
        label = label_of.get(own, own)
        if label in numbers.values:
            return float(numbers.of(label)[0])
        return float(fixed.get(own, verdict.given_numbers.get(own, np.nan)))

    def row(names: Sequence[str]) -> tuple[float, ...]:
        return tuple(map(first, names))

    layers = tuple(
        Layer(weights=tuple(map(row, rows)), bias=row(biases) or None, activation=activation)
        for rows, biases, activation in zip(labels.weights, labels.biases, meaning.shape.layer_activations, strict=True)
    )
    definition = Definition(
        title="-",
        teaches="-",
        inputs=row(labels.inputs),
        targets=row(labels.targets),
        learning_rate=rate * meaning.shape.loss_factor,
        iterations=min(iterations, MOST_RETRAINED_ITERATIONS),
        layers=layers,
        loss=meaning.shape.loss,
        train_biases=any(derivative("E_total", bias) in numbers.values for biases in labels.biases for bias in biases),
    )
    trace = train(definition)
    values = trace["E_total"] * meaning.shape.loss_factor
    return values if bool(np.isfinite(values).all()) else None
