"""The Python API: the commands as functions, and their documents."""

from stackwright.api.documents import explain_document, launch_of, plan_document, predict_document
from stackwright.api.questions import plan, predict

__all__ = ["explain_document", "launch_of", "plan", "plan_document", "predict", "predict_document"]
