"""What a reader is told when something they gave us cannot be used."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import SupportsIndex

from msgspec import Struct

_NO_MEMORY = "this needs more memory than there is; try it with fewer iterations or a smaller network"
_LEAST_LIKENESS = 0.5
_MOST_SHOWN = 20
"""Mistakes; whoever has more of them has made one of them many times."""


class UserError(Exception):
    """A mistake that the reader can mend; its text is a complete message for them, never a traceback."""


class Problem(Struct, frozen=True):
    """One mistake in a definition: where it stands, what was found there and what was expected."""

    key: str
    """As the TOML file has it, such as `layers[0].weights[1]`."""
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.key}: found {self.found}, expected {self.expected}"


class DefinitionError(UserError):
    """A walkthrough definition with one or more mistakes in it, all of them reported together.

    Attributes:
        source: the file, or where else the definition comes from.
        problems: the mistakes, one each, in the order of the definition.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        lines = [f"{source}: {count(len(problems), 'mistake')}", *(f"  {each}" for each in problems[:_MOST_SHOWN])]
        if len(problems) > _MOST_SHOWN:
            lines.append(f"  and {len(problems) - _MOST_SHOWN:,} more")
        super().__init__("\n".join(lines))


class UnknownQuantityError(UserError, KeyError):
    """A name that no quantity of this walkthrough has; the message suggests the nearest one."""

    __str__ = Exception.__str__


def message_of(error: Exception) -> str:
    """What a reader is told of an exception, whatever it is: one message that says what to do, never a traceback."""
    match error:
        case UserError():
            return str(error)
        case MemoryError():
            return _NO_MEMORY
        case ImportError() if "failed to map" in error.msg:  # a library for which there is no memory left
            return _NO_MEMORY
        case RecursionError():
            return "something here lies too deep in itself to be followed"
        case OSError() if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
        case OSError():
            return f"the output or a temporary file cannot be written ({error.strerror or error})"
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f", {Path(place.tb_frame.f_code.co_filename).name}, line {place.tb_lineno}" if place is not None else ""
    return f"this is a mistake in xlbackprop itself, please report it: {type(error).__name__}: {error}{where}"


def index_of(key: str, found: object, last: int) -> int:
    """A number that was asked for, such as that of an iteration.

    Raises:
        UserError: it is no whole number from 0 to `last`.
    """
    number = operator.index(found) if isinstance(found, SupportsIndex) else -1
    if isinstance(found, bool) or not 0 <= number <= last:
        raise UserError(f"{key}: found {shown(found)}, expected a whole number from 0 to {last:,}")
    return number


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint to append to a message: the nearest known word, or every known word when none is near."""
    choices = list(known)
    near = nearest(word, choices)
    return f'did you mean "{near}"?' if near else f"there is: {', '.join(choices)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None when none is near."""
    choices = list(known)
    near = get_close_matches(word, choices, n=1, cutoff=_LEAST_LIKENESS)
    if not near:
        small = {each.lower(): each for each in choices}
        near = [small[each] for each in get_close_matches(word.lower().strip(), small, n=1, cutoff=_LEAST_LIKENESS)]
    return next(iter(near), None)


def at_most(found: int, most: int, what: str) -> str:
    """How much of something there can be, and by how much there is too much of it."""
    return f"{most:,} at most, {what}; {found - most:,} too many"


def count(number: int, thing: str, things: str = "") -> str:
    """A number of things in words: `1 iteration`, `2 iterations`."""
    return f"1 {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"


def one_of(known: Iterable[str], found: object = None) -> str:
    """The words for a choice of names, with the nearest of them to what was found."""
    listed = ", ".join(f'"{name}"' for name in known)
    near = nearest(found, known) if isinstance(found, str) else None
    return f'one of {listed}; did you mean "{near}"?' if near else f"one of {listed}"


def shown(value: object) -> str:
    """What was found, in words that fit on a line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            visible = "".join(each if each.isprintable() else repr(each)[1:-1] for each in value)
            return f'the text "{visible}"' if len(value) <= 60 else f"a text of {len(value)} characters"
        case float() if math.isnan(value):
            return "nan (not a number)"
        case float() if math.isinf(value):
            return "an infinite number"
        case int() if value.bit_length() > 200:
            return "a number of more than 60 digits"
        case int() | float():
            return f"{value}"
        case list() | tuple():
            return "an empty list" if not value else f"a list of {len(value)}"
        case dict():
            return "a section"
        case _:
            return f"{value!s}"
