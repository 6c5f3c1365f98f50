"""What is found, in structs, on the terminal and in a marked copy."""
