"""What a reader can type where: every changeable cell takes numbers only, and nothing else takes anything."""

from __future__ import annotations

from tests import judges
from tests.books import TemplateBook
from xlbackprop.workbook.xlsx import theme

EXAMPLE = ("Start here", theme.INPUT)
"""The legend shows what an input looks like; nothing depends on it."""


def test_what_can_be_typed_is_validated_and_all_else_is_protected(template_book: TemplateBook) -> None:
    formulas = set(judges.calculated(template_book.path))
    for sheet in template_book.values:
        protection = sheet.protection
        assert (protection.sheet, protection.password) == (True, None), sheet.title
        assert not any((protection.formatCells, protection.formatColumns, protection.selectLockedCells)), sheet.title
        validated = {
            cell
            for rule in sheet.data_validations.dataValidation
            for area in rule.sqref
            for row in area.rows
            for cell in row
        }
        unlocked = {cell for line in sheet.iter_rows() for cell in line if not cell.protection.locked}
        assert all(cell.style == theme.INPUT and (sheet.title, cell.coordinate) not in formulas for cell in unlocked), (
            sheet.title
        )
        typed = {(cell.row, cell.column) for cell in unlocked if (sheet.title, cell.style) != EXAMPLE}
        assert typed == validated, sheet.title
        for rule in sheet.data_validations.dataValidation:
            assert rule.showErrorMessage
            assert len(rule.error) <= 225
            assert len(rule.errorTitle) <= 32
            assert not rule.prompt, "it would cover the labels beside the cell"
            assert rule.type in ("whole", "list") or "decimal mark" in rule.error, rule.error
