"""The ground: what every room stands on, be it messages, files, programs, the terminal or the grid of a sheet."""
