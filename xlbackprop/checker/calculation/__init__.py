"""The calculation of a whole workbook: its formulas as a graph, differentiated, whatever its labels say."""
