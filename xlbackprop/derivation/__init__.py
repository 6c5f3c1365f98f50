"""The training in symbols: every quantity defined once."""
