"""Predictions against measurements: predict a table, score it."""

from stackwright.calibration.judge.score import Score, scores
from stackwright.calibration.rows.points import PointPrediction, Refusal, predict_points

__all__ = ["PointPrediction", "Refusal", "Score", "predict_points", "scores"]
