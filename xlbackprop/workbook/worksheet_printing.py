"""A worksheet with one iteration to calculate by hand, printed with its answers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from xlbackprop.engine import train
from xlbackprop.ground import libreoffice
from xlbackprop.network import Definition, validated
from xlbackprop.walkthrough import Lesson, fit
from xlbackprop.workbook.build import empty_workbook, opening_iteration
from xlbackprop.workbook.printing import place, render
from xlbackprop.workbook.sheets.worksheet import put_worksheet
from xlbackprop.workbook.xlsx.writer import save


def handout(definition: Definition, name: str, output: str | Path, *, iteration: int | None = None) -> list[Path]:
    """Print a worksheet, one iteration to calculate by hand, and its answers.

    Args:
        definition: what to calculate; see `load`.
        name: what the files are called by: `NAME-worksheet.pdf` and `NAME-answers.pdf`.
        output: the folder for them, which is made if it does not exist; or the worksheet, by a name that ends in
            .pdf, with the answers beside it.
        iteration: which one, from 0; None for the first one in which weights move.

    Returns:
        The worksheet, and the answers.

    Raises:
        UserError: there is no such iteration, LibreOffice is missing, or the folder is not writable.
    """
    libreoffice.require("LibreOffice is needed to print a worksheet; install it from libreoffice.org")
    definition = validated(definition)
    folder, worksheet = place(Path(output), f"{name}-worksheet", "pdf")
    answers = f"{worksheet.removesuffix('-worksheet')}-answers"
    chosen = opening_iteration(definition, iteration)
    lesson = Lesson(definition, fit(definition, "compact"), train(definition), iteration=chosen)
    printed: list[Path] = []
    with tempfile.TemporaryDirectory(prefix="xlbackprop-") as scratch:
        for called, solved in ((worksheet, False), (answers, True)):
            workbook = empty_workbook(definition)
            pages = put_worksheet(workbook, lesson, solved=solved)
            path = Path(scratch) / f"{called}.xlsx"
            save(workbook, [page.content() for page in pages], path)
            printed += render(path, folder / f"{called}.pdf")
    return printed
