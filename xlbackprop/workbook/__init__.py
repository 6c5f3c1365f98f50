"""A walkthrough in an Excel file."""

from xlbackprop.workbook.build import SHEETS, build

__all__ = ["SHEETS", "build"]
