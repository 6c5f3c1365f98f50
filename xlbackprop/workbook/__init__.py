"""A walkthrough in an Excel file."""

from xlbackprop.workbook.build import build
from xlbackprop.workbook.sheets.registry import SHEETS

__all__ = ["SHEETS", "build"]
