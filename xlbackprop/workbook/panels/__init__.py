"""The pieces that sheets share."""
