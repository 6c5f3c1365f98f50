"""What a definition may say, and how it is loaded from TOML."""
