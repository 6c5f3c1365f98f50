"""The sheets of the workbook, one module each, named after the sheet; their registry, and what a class is asked."""
