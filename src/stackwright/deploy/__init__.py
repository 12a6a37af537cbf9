"""Deploy room."""
