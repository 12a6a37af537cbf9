"""Rules that a record of the catalogue must keep, and what is found against them."""
