"""Dense peak FLOP/s of the arithmetic that weights run in."""

from __future__ import annotations

from stackwright.catalog import Chip
from stackwright.llm import Model, weight_format
from stackwright.llm.architecture import Role


def peak_flops(model: Model, chip: Chip, weight_precision: str, role: Role) -> float:
    """Dense peak FLOP/s of the arithmetic that weights of `role` run in on this chip.

    Weights in a format the chip cannot multiply are expanded to BF16 (weight-only kernels): FP8 on Ampere,
    FP4 on Hopper and CDNA3, INT4 everywhere. Native MXFP4 experts (gpt-oss) multiply FP8 activations where
    the chip has FP4 units, else BF16; MXFP4 and NVFP4 checkpoints of other models run in FP4.
    """
    compute = chip.rates
    form = weight_format(model, weight_precision, role)
    if form == "fp8":
        return compute.fp8 or compute.bf16
    if form == "int8":
        return compute.int8 or compute.bf16
    if form in ("nvfp4", "mxfp4") and compute.fp4:
        native = form == "mxfp4" and model.native_precision == "mxfp4"
        return (compute.fp8 or compute.bf16) if native else compute.fp4
    return compute.bf16
