"""The ready-made walkthroughs that ship with the package, by name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from xlbackprop.ground.errors import UserError, did_you_mean

_INSTALLED = Path(__file__).parents[1] / "templates"
_FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "templates"


_ORDER = (
    "classic",
    "classic-01-99",
    "mazur",
    "mazur-biases",
    "and-or",
    "xor",
    "regression",
    "iris-mini",
    "deep",
    "dead-relu",
    "optimisers",
)
"""The order in which one teaches with them."""


def names() -> tuple[str, ...]:
    """The names of the ready-made templates, in the order in which one teaches with them; others come last."""
    found = {path.stem for path in _FOLDER.glob("*.toml")}
    return (*(name for name in _ORDER if name in found), *sorted(found.difference(_ORDER)))


def locate(template: str | Path) -> Path:
    """The file of a template, given by name (`classic`) or as the path of a TOML file.

    Raises:
        UserError: there is no such template or file; the message names what there is.
    """
    if template in names():
        return _FOLDER / f"{template}.toml"
    path = Path(template)
    looks_like_path = isinstance(template, Path) or path.suffix == ".toml" or len(path.parts) > 1
    if looks_like_path and path.is_dir():
        raise UserError(f"{path}: this is a folder, not a TOML file")
    with suppress(OSError):  # a name that is too long for a file
        if looks_like_path or path.is_file():
            return path
    raise UserError(f'there is no template "{template}"; {did_you_mean(str(template), names())}')
