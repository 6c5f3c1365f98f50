"""What a table of somebody else is: its labels, its columns, what they mean."""
