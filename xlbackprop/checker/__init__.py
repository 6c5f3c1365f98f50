"""The checker: whether a backpropagation spreadsheet, ours or anybody's, is right, and where it is not."""
