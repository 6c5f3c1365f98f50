"""Symbolic expressions, and one file for each way to read them."""
