"""How far off predictions are: scores, cross-validation, conformal intervals, the sets that are told apart."""
