"""Planner room."""
