"""Economics room."""
