"""The Python API: the commands as functions, and their documents."""

from stackwright.api.calibration import calibrate
from stackwright.api.choice import choice_document, choose
from stackwright.api.comparison import compare, comparison_document
from stackwright.api.documents import launch_of, plan_document, predict_document
from stackwright.api.explanation import explain_document
from stackwright.api.files import catalog_with, constants_from
from stackwright.api.freshness import refresh
from stackwright.api.plans import plan
from stackwright.api.points import explain, predict
from stackwright.api.tables import predict_table
from stackwright.api.token_prices import api_offers
from stackwright.api.validation import validate

__all__ = [
    "api_offers",
    "calibrate",
    "catalog_with",
    "choice_document",
    "choose",
    "compare",
    "comparison_document",
    "constants_from",
    "explain",
    "explain_document",
    "launch_of",
    "plan",
    "plan_document",
    "predict",
    "predict_document",
    "predict_table",
    "refresh",
    "validate",
]
