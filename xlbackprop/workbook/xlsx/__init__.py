"""The Excel file itself: pages, rows, theme, charts, drawings and the writer."""
