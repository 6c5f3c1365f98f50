"""The sheets of the workbook, one module each, named after the sheet."""
