"""Reading a workbook that may be hostile: its parts, its cells, its formulas, what they give."""
