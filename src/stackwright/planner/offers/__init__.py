"""Capacity that a question may use: offers and machines at hand, and how deployments sit on them."""
