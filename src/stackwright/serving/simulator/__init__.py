"""Requests replayed, one by one, through an engine's scheduler and the predicted times of its steps."""
