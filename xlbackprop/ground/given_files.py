"""Files that a reader gives us: plain ones only, of a bounded size, and every refusal says which file and why."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from xlbackprop.ground.errors import UserError

LARGEST_DEFINITION = 4 << 20
"""Bytes: as many as the numbers of the largest network take, some 250,000 of them."""

_LONGEST_LINE = 80
_HINTS = {
    r"\('(layers|compare)',\) twice": "each such section has two brackets on either side, [[…]]",
    r"=\s*[+-]?\d+,\d|\b0,\d": "a number has a decimal point and no comma, such as 0.5",
    r"[=\[,\s][+-]?(\.\d|\d+\.(?!\d))": "a number has digits before and after its decimal point, such as 0.5",
    r"(?i)=\s*(true|false|yes|no)\b": "expected true or false, in small letters",
    r"=\s*[^\W\d]|[“”„‘’]": 'a text stands between straight quotation marks, such as "xor"',
    r"(?s)(scape|hex).*\\": "inside quotation marks write \\\\ for \\, or /",
}
"""What is probably wrong, by the message of TOML and the line that it is about; the first that fits."""


class UnfitFileError(UserError):
    """A file that is not read, or cannot be; `reason` says why, without its name."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path}: {reason}")


def content_of(path: Path, *, most: int) -> bytes:
    """All bytes of a file.

    Args:
        path: the file; a device, a pipe or a socket is none, since reading it may have no end.
        most: how many bytes it may have.

    Raises:
        UnfitFileError: there is no such file, it is none or too large, or it cannot be read.
    """
    require_file(path)
    try:
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(path, flags), "rb") as stream:
            _require_file(path, os.fstat(stream.fileno()).st_mode)  # it may be another one by now
            size = os.fstat(stream.fileno()).st_size
            found = b"" if size > most else stream.read(most + 1)
    except OSError as error:
        raise UnfitFileError(path, f"cannot be read ({error.strerror})") from error
    if size > most or len(found) > most:
        has = f"it has {size / (1 << 20):,.1f} MB" if size > most else "it goes on and on"
        raise UnfitFileError(path, f"{has}; the largest that is read has {most / (1 << 20):,.0f} MB")
    return found


def require_file(path: Path) -> None:
    """See to it that something is a file.

    Raises:
        UnfitFileError: there is no such file, it is none, or nobody may look.
    """
    try:
        _require_file(path, os.stat(path).st_mode)
    except FileNotFoundError:
        raise UnfitFileError(path, "there is no such file") from None
    except ValueError:
        raise UnfitFileError(path, "no file can have such a name") from None
    except OSError as error:
        raise UnfitFileError(path, f"cannot be read ({error.strerror})") from error


def text_of(path: Path, *, most: int) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises:
        UnfitFileError: it cannot be read, or is no such text.
    """
    try:
        return content_of(path, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnfitFileError(path, "this is not a text file in UTF-8") from error


def toml_of(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UnfitFileError: it cannot be read, or is no TOML.
    """
    written = text_of(path, most=LARGEST_DEFINITION)
    try:
        return tomllib.loads(written)
    except RecursionError:
        raise UnfitFileError(path, "its lists or sections lie too deep in one another") from None
    except tomllib.TOMLDecodeError as error:
        raise UnfitFileError(path, f"this is not valid TOML: {error}{_where(written, error)}") from error
    except ValueError as error:  # a number of thousands of digits, a date that is none
        raise UnfitFileError(path, f"a value in it cannot be read: {str(error).partition(';')[0]}") from error


def _where(written: str, error: tomllib.TOMLDecodeError) -> str:
    """The line of a mistake, and what is probably wrong with it."""
    place = re.search(r"at line (\d+)", str(error))
    line = written.split("\n")[int(place[1]) - 1].strip() if place else ""
    hint = next((hint for pattern, hint in _HINTS.items() if re.search(pattern, f"{error}\n{line}")), "")
    return (f": {line[:_LONGEST_LINE]}" if line else "") + (f"; {hint}" if hint else "")


def _require_file(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UnfitFileError(path, "this is a folder; give the files in it one by one")
    if not stat.S_ISREG(mode):
        raise UnfitFileError(path, "this is a device, a pipe or a socket; only files are read")
