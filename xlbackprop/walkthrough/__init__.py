"""One training told for a reader, whatever it is written into."""
