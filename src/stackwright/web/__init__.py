"""Web room."""
