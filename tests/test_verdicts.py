"""The verdicts on trainings: what the sheets say against a second reckoning, and at the edges."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import judges
from tests.books import build
from tests.judges import Cells
from xlbackprop import Definition, load, train
from xlbackprop.engine.training import evaluate
from xlbackprop.network.definition import Method
from xlbackprop.network.losses import LOSSES
from xlbackprop.workbook.panels import comparison, verdict
from xlbackprop.workbook.panels.comparison import NAME_ROW

TITLE = "Learning rates"

COLUMNS = "BCDEFGHI"


def what_happened(
    losses: Any, slopes: tuple[float, float], small: float, *, saturates: bool, bounded: bool, idle: int = 0
) -> str:
    """The verdict once more, step by step in NumPy: from the losses, and the largest δ at the start and at the end.

    Args:
        idle: how many losses at the end are followed by no update.
    """
    first, last = losses[0], losses[-1]
    if len(losses) - idle == 1:
        return "too short to say"
    lately = losses[(len(losses) - 1 - idle) * 3 // 4 :]
    rose = losses.max() > first * (1 + 1e-6)
    above = last > first * (1 + 1e-6)
    if losses.max() <= losses.min() * (1 + 1e-12):
        return "did not move"
    if not bounded and last > 100 * max(first, small):
        return "flew away"
    vanished = slopes[1] < 1e-4 * slopes[0] * math.sqrt(last / max(first, 1e-300))
    if saturates and vanished and last > 1e-6 * first and last > 0.99 * lately[0]:
        return "went up, then stuck: no gradient" if rose else "stuck: no gradient"
    if last < small and not above:
        return "went up, then converged" if rose else "converged"
    if lately.max() > 1.01 * max(lately[0], last) or lately.min() < 0.99 * min(lately[0], last):
        return "goes up and down"
    was_lower = losses.min() < 0.99 * last
    if last < 0.99 * lately[0]:
        if above:
            return "falling, still above its start"
        if was_lower:
            return "goes up and down"
        return "went up, now falling" if rose else "still falling"
    if last > 1.01 * lately[0]:
        return "rising" if last > first else "fell, now rising"
    if above:
        return "flat, above its start"
    if was_lower:
        return "went up and down, then flat" if rose else "fell, then rose again"
    if last >= first * (1 - 1e-6):
        return "went up, then back" if rose else "hardly moves"
    if lately[0] - last > 0.1 * (first - last):
        return "went up, now falls slowly" if rose else "falls slowly"
    return "went up, fell, then flat" if rose else "fell, then flat"


def losses_of(definition: Definition) -> Any:
    """The loss of the one sample in every iteration; of several, the mean of all after every epoch."""
    trace, total = train(definition), definition.names.total_loss
    count = len(definition.samples)
    if count == 1:
        return trace[total]
    points = [{name: trace[name][made] for name in trace.final} for made in range(0, len(trace), count)]
    points.append(dict(trace.final))
    return np.array(
        [
            np.mean(
                [
                    evaluate(definition, {name: np.array([value]) for name, value in point.items()}, sample)[total][0]
                    for sample in range(count)
                ]
            )
            for point in points
        ]
    )


def expected(definition: Definition, small: float) -> str:
    trace, count = train(definition), min(len(definition.samples), definition.iterations)
    total = "E" if definition.names.total_loss == "E_total" else definition.names.total_loss
    slopes = np.abs([trace[f"∂{total}/∂{unit}"] for layer in definition.names.pre_activations for unit in layer])
    ends = float(slopes[:, :count].max()), float(slopes[:, -count:].max())
    squared = LOSSES[definition.loss].goes_with is None
    squashed = all(layer.activation in ("sigmoid", "tanh") for layer in definition.layers)
    idle = int(0 < definition.iterations % len(definition.samples) < definition.samples_a_batch)
    bounded = squared and squashed
    return what_happened(losses_of(definition), ends, small, saturates=squared, bounded=bounded, idle=idle)


def verdicts(cells: Cells) -> list[Any]:
    return [cells[TITLE, f"{column}9"] for column in COLUMNS if (TITLE, f"{column}9") in cells]


def with_schedule(definition: Definition, name: str, **settings: float) -> Definition:
    return replace(definition, schedule=Method(name=name, settings=settings))


RATES = (0.0, 1e-3, 0.5, 2.0, 10.0, 100.0, 1000.0, 1e6)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "definition",
    [
        *(load(name, iterations=24) for name in ("classic", "classic-01-99", "deep", "xor", "dead-relu", "and-or")),
        load("classic", iterations=1),
        load("classic", iterations=2),
        load("xor", iterations=3),
        load("xor", iterations=5),
        with_schedule(load("classic", iterations=24), "exponential", factor=0.01),
        with_schedule(load("dead-relu", iterations=24), "step", factor=0.001, every=5),
        with_schedule(load("iris-mini", iterations=60), "cosine", period=30, lowest=0),
        load("iris-mini", iterations=30),
        load("optimisers", iterations=24),
    ],
    ids=lambda definition: f"{definition.title[:20]} {definition.iterations} {definition.schedule.name}",
)
def test_verdicts_at_the_edges(definition: Definition, tmp_path: Path) -> None:
    path = build(replace(definition, compare=()), tmp_path / "book.xlsx", sheets=["learning-rates"])
    changes = {(TITLE, f"{letter}{NAME_ROW}"): rate for letter, rate in zip(COLUMNS, RATES, strict=True)}
    changes[TITLE, comparison.THRESHOLD_CELL] = small = 0.01
    told = verdicts(judges.ironcalc_judge(path, changes))
    assert told == [expected(replace(definition, learning_rate=rate), small) for rate in RATES]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("template", "rate", "words"),
    [
        ("deep", 1000, "stuck: no gradient"),
        ("classic", 1000, "went up, then stuck: no gradient"),
        ("optimisers", 2, "flew away"),
        ("xor", 10, "goes up and down"),
        ("classic", "a word", "no number"),
        ("classic", 0, "did not move"),
        ("classic", 1e-4, "falls slowly"),
        ("xor", 0.1, "falls slowly"),
        ("dead-relu", 2, "flat, above its start"),
        ("classic", 1e-9, "hardly moves"),
        ("optimisers", 0.05, "fell, then flat"),
        ("regression", 0.4, "fell, then flat"),
    ],
)
def test_what_was_once_told_wrongly(template: str, rate: float | str, words: str, tmp_path: Path) -> None:
    definition = replace(load(template), compare=(), learning_rates=(0.0, 0.0))
    path = build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"])
    cells = judges.ironcalc_judge(path, {(TITLE, "B6"): rate})
    assert cells[TITLE, "B9"] == words
    since = "–" if template == "deep" else "never"  # the dead network is not far off, and has not learned it
    assert (cells.get((TITLE, "B8")) or "") == ("" if words == "no number" else since)


positive = st.floats(1e-30, 1e30)


@given(
    st.lists(positive | st.sampled_from([1.0, 1.001, 1.02, 0.98, 0.999]), min_size=2, max_size=9),
    st.tuples(positive, positive | st.just(0.0)),
    positive,
    st.booleans(),
    st.booleans(),
)
def test_the_rule_says_what_the_second_reckoning_says(
    losses: list[float], slopes: tuple[float, float], small: float, saturates: bool, bounded: bool
) -> None:
    every, lately = np.array(losses), np.array(losses[(len(losses) - 1) * 3 // 4 :])
    facts = {
        verdict.FIRST: losses[0],
        verdict.LAST: losses[-1],
        verdict.HIGHEST: max(losses),
        verdict.LOWEST: min(losses),
        verdict.BEFORE: float(lately[0]),
        verdict.LATELY_HIGHEST: float(lately.max()),
        verdict.LATELY_LOWEST: float(lately.min()),
        verdict.SMALL: small,
        verdict.FIRST_GRADIENT: slopes[0],
        verdict.GRADIENT: slopes[1],
    }
    told = verdict.verdict_of(verdict.rule(saturates=saturates, bounded=bounded), facts)
    assert told == what_happened(every, slopes, small, saturates=saturates, bounded=bounded)


@pytest.mark.parametrize(
    ("template", "rate", "schedule", "settings", "words"),
    [
        ("classic", 0.1, "exponential", {"factor": 0.01}, "fell, then flat"),
        ("dead-relu", 1.0, "step", {"factor": 0.001, "every": 5}, "fell, then rose again"),
        ("iris-mini", 1.0, "cosine", {"period": 30, "lowest": 0}, "went up, now falling"),
        ("regression", 1.0, "exponential", {"factor": 0.01}, "flat, above its start"),
    ],
)
def test_where_the_schedule_leaves_no_rate_nothing_is_said_to_go_on(
    template: str, rate: float, schedule: str, settings: dict[str, float], words: str, tmp_path: Path
) -> None:
    scheduled = with_schedule(load(template, iterations=60), schedule, **settings)
    definition = replace(scheduled, compare=(), learning_rates=(rate, rate))
    cells = judges.carried(build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"]))
    assert verdicts(cells) == [words, words]


def test_nothing_is_said_of_a_training_that_ends_before_its_first_update(tmp_path: Path) -> None:
    definition = replace(load("xor", iterations=3), compare=(), learning_rates=(1.0, 1000.0))
    cells = judges.carried(build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"]))
    assert verdicts(cells) == ["too short to say"] * 2


def test_a_rate_that_ends_above_its_start_is_not_still_falling() -> None:
    losses = np.array([1.0, 9.0, 5.0, 4.0, 3.0, 2.0])
    assert what_happened(losses, (1, 1), 1e-3, saturates=False, bounded=False) == "falling, still above its start"


def test_small_is_what_stays_small(tmp_path: Path) -> None:
    """A loss that was small for a while and rose again is not small from then on."""
    definition = replace(load(), learning_rates=(1.0, 2.0))
    path = build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"])
    cells = judges.ironcalc_judge(path, {(TITLE, "B6"): 100, (TITLE, "B4"): 0.005})
    losses = train(load(learning_rate=100))["E_total"]
    above = np.flatnonzero(losses >= 0.005)
    assert cells[TITLE, "B8"] == above[-1] + 1


@pytest.mark.parametrize(
    ("template", "small", "said"),
    [
        ("classic", 0.1, "The loss is small before any training."),
        ("classic", 0.001, "Trained first with η = 10, from iteration 4"),
        ("classic", 1e-30, "With none of these rates is the network trained."),
        ("xor", 1, "The loss is small before any training."),
    ],
)
def test_no_rate_is_praised_for_a_loss_that_was_small_before(
    template: str, small: float, said: str, tmp_path: Path
) -> None:
    definition = replace(load(template, iterations=24), compare=())
    path = build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"])
    cells = judges.ironcalc_judge(path, {(TITLE, comparison.THRESHOLD_CELL): small})
    assert cells[TITLE, "B10"] == said


def test_a_small_loss_above_its_start_is_not_converged(tmp_path: Path) -> None:
    """Below the threshold before, during and after a training that only harms."""
    definition = replace(load("classic", iterations=4), compare=(), learning_rates=(100.0, 1.0))
    path = build(definition, tmp_path / "book.xlsx", sheets=["learning-rates"])
    cells = judges.ironcalc_judge(path, {(TITLE, comparison.THRESHOLD_CELL): 0.5})
    assert verdicts(cells) == ["falling, still above its start", "converged"]
