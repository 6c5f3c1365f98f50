"""Whether a table follows from the mathematics, and which slip it is where it does not."""
