"""What stands around a table: charts, written formulas, the effect of a mistake."""
