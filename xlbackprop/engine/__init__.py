"""The training in numbers: plain NumPy, every value kept."""
