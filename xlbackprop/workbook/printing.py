"""A workbook, printed by LibreOffice: as PDF or as one PNG picture a page."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from zipfile import is_zipfile

from openpyxl import load_workbook

from xlbackprop.ground import libreoffice, terminal
from xlbackprop.ground.errors import UserError
from xlbackprop.ground.files import atomic_write
from xlbackprop.ground.given_files import require_file
from xlbackprop.ground.grid import column_letter
from xlbackprop.ground.programs import require, run
from xlbackprop.network import WALKTHROUGH
from xlbackprop.workbook.xlsx.page import SMALLEST_SCALE

_CONVERTERS = ("pdftoppm",)
_KINDS = (".xlsx", ".xlsm", ".ods")
"""All of them zip files; anything else LibreOffice would print as a text."""
_FILES = (".pdf", ".png", ".toml", *_KINDS)
"""What no folder for printed pages is called like."""
_PICTURE_RESOLUTION = 110
"""Dots an inch: an A4 page fills a screen of 1280 dots."""
_PLAIN = "workbook"
_LONGEST_NAME = 200
"""Bytes; the names of its pages and of the files that LibreOffice puts beside it are longer."""
_LONGEST = 300
"""Seconds; a workbook that takes longer is not going to be finished."""


def render(
    path: str | Path, output: str | Path | None = None, *, format: str = "pdf", is_table: bool = False
) -> list[Path]:
    """Print a workbook into files that are replaced only by complete new ones.

    Args:
        path: the workbook.
        output: the folder for the files, by default that of the workbook; or the one PDF, by a name that says so.
            A folder is made if it does not exist.
        format: `pdf` for one file, `png` for one a page.
        is_table: print the whole table of the Walkthrough, and nothing else, into files called `NAME-table`.

    Returns:
        The files written, in the order of the pages.

    Raises:
        UserError: there is no such workbook, a program is missing or cannot read it, or the folder is not writable.
    """
    path = Path(path)
    require_file(path)
    if path.suffix.lower() not in _KINDS or not is_zipfile(path):
        raise UserError(f"{path}: this is no workbook; expected one of {', '.join(_KINDS)}")
    name = f"{path.stem}-table" if is_table else path.stem
    folder, name = place(path.parent if output is None else Path(output), name, format)
    hint = f"or open {path} in a spreadsheet program and export it there"
    office = libreoffice.require(f"LibreOffice is needed to print a workbook; install it from libreoffice.org, {hint}")
    converter = ""
    if format == "png":
        converter = require(_CONVERTERS, "pdftoppm is needed for pictures; install poppler-utils, or use --format pdf")
    with tempfile.TemporaryDirectory(prefix="xlbackprop-") as scratch:
        printed = _table(path, Path(scratch)) if is_table else _with_plain_name(path, Path(scratch))
        made = _print(office, path, printed, Path(scratch))
        pages = _pictures(converter, path, made) if converter else [made]
        return [_put(page, folder / f"{name}{page.name.removeprefix(printed.stem)}") for page in pages]


def place(output: Path, name: str, format: str) -> tuple[Path, str]:
    """The folder of what is printed and the name that it has there, where a folder or the one file is asked for.

    Raises:
        UserError: what is asked for is neither.
    """
    if output.is_dir():
        return output, name
    ending = output.suffix.lower()
    if format == "pdf" and ending == ".pdf":
        return output.parent, output.stem
    if output.exists() or ending in _FILES:
        or_file = ", or a file name that ends in .pdf" if format == "pdf" else ""
        raise UserError(f"-o: found {output}, expected a folder{or_file}")
    return output, name


def _table(path: Path, scratch: Path) -> Path:
    """A copy of a workbook that prints nothing but the table of its Walkthrough, over as many pages as it needs."""
    missing = UserError(f"{path}: found no table of iterations; expected a workbook of xlbackprop build, an .xlsx")
    try:
        workbook = load_workbook(path, data_only=True)
    except Exception as error:  # what openpyxl raises of a damaged file, or of another kind of it, is of any kind
        raise missing from error
    if WALKTHROUGH not in workbook or not workbook[WALKTHROUGH].print_title_rows:
        raise missing
    sheet = workbook[WALKTHROUGH]
    for other in workbook.worksheets:
        if other is not sheet:
            workbook.remove(other)
    first, width = sheet.print_title_rows.replace("$", "").partition(":")[0], 0
    while sheet.cell(int(first), width + 1).value is not None:
        width += 1
    sheet.print_area = f"A{first}:{column_letter(width)}{sheet.max_row}"
    sheet.sheet_properties.pageSetUpPr.fitToPage = False
    sheet.page_setup.scale = SMALLEST_SCALE
    copy = scratch / f"{_PLAIN}.xlsx"
    workbook.save(copy)
    return copy


def _with_plain_name(path: Path, scratch: Path) -> Path:
    """A workbook under a name that every program takes: not a long one, and no bytes that are no text."""
    if len(os.fsencode(path.name)) <= _LONGEST_NAME and terminal.safe(path.name) == path.name:
        return path
    return Path(shutil.copyfile(path, scratch / f"{_PLAIN}{path.suffix}"))


def _print(office: str, path: Path, printed: Path, scratch: Path) -> Path:
    said = _said(office, path, lambda: libreoffice.convert(office, printed.resolve(), "pdf", scratch, seconds=_LONGEST))
    made = scratch / f"{printed.stem}.pdf"
    if not made.is_file():
        raise UserError(f"{path}: LibreOffice cannot print this; it says: {said or 'nothing'}")
    return made


def _pictures(converter: str, path: Path, printed: Path) -> list[Path]:
    command = [converter, "-r", str(_PICTURE_RESOLUTION), "-png", str(printed), str(printed.with_suffix(""))]
    _said(converter, path, lambda: run(command, seconds=_LONGEST, scratch=printed.parent))
    pages = printed.parent.glob(f"{glob.escape(printed.stem)}-*.png")
    return sorted(pages, key=lambda page: int(page.stem.rpartition("-")[2]))


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
