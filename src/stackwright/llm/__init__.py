"""From a config.json to layers, operators, parameters, FLOPs and bytes."""

from stackwright.llm.architecture import Attention, Experts, FeedForward, Matrix, Model
from stackwright.llm.config import parse_config, read_config
from stackwright.llm.precision import (
    KV_PRECISIONS,
    WEIGHT_PRECISIONS,
    weight_bytes,
    weight_bytes_per_parameter,
    weight_format,
)

__all__ = [
    "KV_PRECISIONS",
    "WEIGHT_PRECISIONS",
    "Attention",
    "Experts",
    "FeedForward",
    "Matrix",
    "Model",
    "parse_config",
    "read_config",
    "weight_bytes",
    "weight_bytes_per_parameter",
    "weight_format",
]
