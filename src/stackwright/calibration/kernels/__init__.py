"""Measured kernel tables, the work behind each row, and the roofline curves fitted to them."""
