"""The verdict on a training: one rule over what happened to its loss and its gradients, as a formula and as words."""

from __future__ import annotations

from collections.abc import Mapping

from xlbackprop.symbols import Builtin, Conditional, Expression, Formula, Symbol, apply, calculated, conditional

FLEW, NO_GRADIENT, CONVERGED, UNMOVED = "flew away", "stuck: no gradient", "converged", "did not move"
SWINGS, FALLING, RISING, CREEPS = "goes up and down", "still falling", "rising", "falls slowly"
ABOVE_FALLING, ABOVE_FLAT = "falling, still above its start", "flat, above its start"
FELL_FLAT, FELL_RISING, ROSE_AGAIN = "fell, then flat", "fell, now rising", "fell, then rose again"
HARDLY, RETURNED, SWUNG = "hardly moves", "went up, then back", "went up and down, then flat"
TOO_SHORT = "too short to say"
"""Of a training with one loss, which is compared with nothing, or without an update."""
AFTER_A_RISE = {
    CONVERGED: f"went up, then {CONVERGED}",
    NO_GRADIENT: f"went up, then {NO_GRADIENT}",
    FALLING: "went up, now falling",
    CREEPS: "went up, now falls slowly",
    FELL_FLAT: "went up, fell, then flat",
    HARDLY: RETURNED,
    ROSE_AGAIN: SWUNG,
}
"""What is said instead where the loss was once higher than at its start."""

FIRST, LAST, HIGHEST, LOWEST = (Symbol(f"{which} loss") for which in ("first", "last", "highest", "lowest"))
BEFORE, LATELY_HIGHEST, LATELY_LOWEST = (Symbol(f"{which} loss lately") for which in ("first", "highest", "lowest"))
SMALL = Symbol("small loss")
GRADIENT, FIRST_GRADIENT = Symbol("last gradient"), Symbol("first gradient")
"""The facts that the rule looks at: "lately" is the last quarter of the training, a gradient the largest of all δ."""
_FACTS = {FIRST, LAST, HIGHEST, LOWEST, BEFORE, LATELY_HIGHEST, LATELY_LOWEST, SMALL, GRADIENT, FIRST_GRADIENT}

CLEARLY = 1e-6
"""By what share a loss has to pass the first one to have gone up; rounding is no rise."""
_SAME = 1e-12
"""Losses that differ by a smaller share than this are those of weights that have not moved."""
_FLAT = 0.01
"""A loss that changes by a smaller share than this over the last quarter of the training is flat."""
_GOES_ON = 0.1
"""A loss that falls over the last quarter by more than this share of its whole fall has not become flat: it is slow."""
_FAR = 100.0
"""A loss this many times the first one and a small one has run away."""
_VANISHED = 1e-4
"""δ falls with the root of a squared error, as it falls with the distance from the target; below this share of that
it is not the distance that has become small, but the slope of the activation."""
_AS_GOOD_AS_NOTHING = 1e-6
"""Below this share of the first loss a vanished gradient is what one wants."""
_SMALLEST = 1e-300


def rule(*, saturates: bool, bounded: bool) -> Expression:
    """What became of a training, in words.

    Args:
        saturates: whether δ of an output can vanish while it is far from its target, as it cannot where the loss and
            the activation are differentiated together.
        bounded: whether there is a largest loss that the network can have, so that it cannot run away.
    """
    ends_above = (1 + CLEARLY) * FIRST
    was_lower = (1 - _FLAT) * LAST
    falls = conditional(LOWEST, was_lower, Symbol(SWINGS), _after_a_rise(FALLING))
    falls = conditional(ends_above, LAST, Symbol(ABOVE_FALLING), falls)
    fell = conditional(_GOES_ON * (FIRST - LAST), BEFORE - LAST, _after_a_rise(CREEPS), _after_a_rise(FELL_FLAT))
    stays = conditional(LAST, (1 - CLEARLY) * FIRST, fell, _after_a_rise(HARDLY))
    stays = conditional(LOWEST, was_lower, _after_a_rise(ROSE_AGAIN), stays)
    stays = conditional(ends_above, LAST, Symbol(ABOVE_FLAT), stays)
    rises = conditional(FIRST, LAST, Symbol(RISING), Symbol(FELL_RISING))
    went = conditional((1 + _FLAT) * BEFORE, LAST, rises, stays)
    went = conditional(LAST, (1 - _FLAT) * BEFORE, falls, went)
    over = LATELY_HIGHEST - (1 + _FLAT) * apply(Builtin.MAXIMUM, BEFORE, LAST)
    under = (1 - _FLAT) * apply(Builtin.MINIMUM, BEFORE, LAST) - LATELY_LOWEST
    went = conditional(0, apply(Builtin.MAXIMUM, over, under), Symbol(SWINGS), went)
    went = conditional(LAST, apply(Builtin.MINIMUM, SMALL, ends_above), _after_a_rise(CONVERGED), went)
    if saturates:
        share = apply(Builtin.SQUARE_ROOT, LAST / apply(Builtin.MAXIMUM, _SMALLEST, FIRST))
        left = GRADIENT - _VANISHED * FIRST_GRADIENT * share
        missing = _AS_GOOD_AS_NOTHING * FIRST - LAST
        falling = (1 - _FLAT) * BEFORE - LAST
        went = conditional(apply(Builtin.MAXIMUM, left, missing, falling), 0, _after_a_rise(NO_GRADIENT), went)
    if not bounded:
        went = conditional(_FAR * apply(Builtin.MAXIMUM, FIRST, SMALL), LAST, Symbol(FLEW), went)
    return conditional((1 + _SAME) * LOWEST, HIGHEST, went, Symbol(UNMOVED))


def _after_a_rise(words: str) -> Expression:
    """What happened, told otherwise if the loss was once higher than at its start."""
    return conditional((1 + CLEARLY) * FIRST, HIGHEST, Symbol(AFTER_A_RISE[words]), Symbol(words))


def verdict_formula(verdict: Expression) -> str:
    """The formula of a verdict, with the name of every fact in braces where its place or its formula is to stand."""
    return Formula(lambda symbol: f"{{{symbol.name}}}" if symbol in _FACTS else f'"{symbol.name}"').read(verdict)


def verdict_of(verdict: Expression, facts: Mapping[Symbol, float]) -> str:
    """The words of a verdict on some facts."""
    while isinstance(verdict, Conditional):
        left, right = (calculated(side, facts.__getitem__) for side in (verdict.left, verdict.right))
        verdict = verdict.then if left < right else verdict.otherwise
    assert isinstance(verdict, Symbol)
    return verdict.name
