"""A walkthrough in an Excel file."""

from xlbackprop.workbook.build import build
