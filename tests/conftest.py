"""What holds for all tests: the package is imported before openpyxl, as its users do."""

import xlbackprop  # noqa: F401
