"""What a reader is told when something they gave us cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import Struct


class UserError(Exception):
    """A mistake that the reader can mend; its text is a complete message for them, never a traceback."""


class Problem(Struct, frozen=True):
    """One mistake in a definition: where it stands, what was found there and what was expected."""

    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.key}: found {self.found}, expected {self.expected}"


class DefinitionError(UserError):
    """A walkthrough definition with one or more mistakes in it, all of them reported together."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)]))


class UnknownQuantityError(UserError, KeyError):
    """A name that no quantity of this walkthrough has."""

    __str__ = Exception.__str__


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint to append to a message: the nearest known word, or every known word when none is near."""
    choices = list(known)
    nearest = get_close_matches(word, choices, n=1, cutoff=0.5)
    return f'did you mean "{nearest[0]}"?' if nearest else f"there is: {', '.join(choices)}"


def at_most(found: int, most: int, what: str) -> str:
    """How much of something there can be, and by how much there is too much of it."""
    return f"{most:,} at most, {what}; {found - most:,} too many"
