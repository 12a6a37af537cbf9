"""Predictions against measurements: predict a table, score it."""

from stackwright.calibration.points import PointPrediction, Refusal, predict_points
from stackwright.calibration.score import Score, scores

__all__ = ["PointPrediction", "Refusal", "Score", "predict_points", "scores"]
