"""Printing: a workbook printed to PDF by LibreOffice, or to one PNG picture a page."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from zipfile import is_zipfile

from xlbackprop.ground.errors import UserError
from xlbackprop.ground.files import atomic_write
from xlbackprop.ground.programs import LIBREOFFICE, convert, find, run

_CONVERTERS = ("pdftoppm",)
_KINDS = (".xlsx", ".xlsm", ".ods")
"""All of them zip files; anything else LibreOffice would print as a text."""
_PICTURE_RESOLUTION = 110
"""Dots an inch: an A4 page fills a screen of 1280 dots."""
_LONGEST = 300
"""Seconds; a workbook that takes longer is not going to be finished."""


def render(path: str | Path, folder: str | Path | None = None, *, format: str = "pdf") -> list[Path]:
    """Print a workbook into files that are replaced only by complete new ones.

    Args:
        path: the workbook.
        folder: where the files go, by default beside the workbook; it is made if it does not exist.
        format: `pdf` for one file, `png` for one a page.

    Returns:
        The files written, in the order of the pages.

    Raises:
        UserError: there is no such workbook, a program is missing or cannot read it, or the folder is not writable.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: {'this is a folder, not a workbook' if path.is_dir() else 'there is no such file'}")
    if path.suffix.lower() not in _KINDS or not is_zipfile(path):
        raise UserError(f"{path}: this is no workbook; expected one of {', '.join(_KINDS)}")
    folder = path.parent if folder is None else Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"-o: {folder} is a file, expected a folder")
    hint = f"or open {path} in a spreadsheet program and export it there"
    office = require_program(
        LIBREOFFICE, f"LibreOffice is needed to print a workbook; install it from libreoffice.org, {hint}"
    )
    converter = ""
    if format == "png":
        converter = require_program(
            _CONVERTERS, "pdftoppm is needed for pictures; install poppler-utils, or use --format pdf"
        )
    with tempfile.TemporaryDirectory(prefix="xlbackprop-") as scratch:
        made = _print(office, path, Path(scratch))
        pages = _pictures(converter, made) if converter else [made]
        return [_put(page, folder / page.name) for page in pages]


def require_program(names: tuple[str, ...], missing: str) -> str:
    """The program of one of some names, or the message that it is missing."""
    program = find(names)
    if program is None:
        raise UserError(missing)
    return program


def _print(office: str, path: Path, scratch: Path) -> Path:
    said = _said(office, path, lambda: convert(office, path.resolve(), "pdf", scratch, seconds=_LONGEST))
    made = scratch / f"{path.stem}.pdf"
    if not made.is_file():
        raise UserError(f"{path}: LibreOffice cannot print this; it says: {said or 'nothing'}")
    return made


def _pictures(converter: str, printed: Path) -> list[Path]:
    command = [converter, "-r", str(_PICTURE_RESOLUTION), "-png", str(printed), str(printed.with_suffix(""))]
    _said(converter, printed, lambda: run(command, seconds=_LONGEST, scratch=printed.parent))
    pages = printed.parent.glob(f"{_escaped(printed.stem)}-*.png")
    return sorted(pages, key=lambda page: int(page.stem.rpartition("-")[2]))


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _said(program: str, path: Path, work: Callable[[], subprocess.CompletedProcess[bytes]]) -> str:
    """Let a program do its work; give what it said last."""
    try:
        done = work()
    except OSError as error:
        raise UserError(f"{program}: cannot be started ({error.strerror})") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{path}: {Path(program).name} was stopped after {_LONGEST} seconds") from error
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode:
        raise UserError(f"{path}: {Path(program).name} failed: {said[-1] if said else done.returncode}")
    return said[-1] if said else ""


def _put(source: Path, target: Path) -> Path:
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)
    return target
