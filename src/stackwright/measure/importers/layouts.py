"""Parallel sizes as published, put right: rows with expert parallelism often count the same chips twice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """One worker: tensor ranks and data-parallel copies of the attention, expert ranks and ranks inside an expert."""

    tp: int
    attention_dp: int
    ep: int
    moe_tp: int

    @property
    def chips(self) -> int:
        """Chips of the worker."""
        return self.tp * self.attention_dp


def repair_product(printed: Sizes) -> Sizes | None:
    """Undoes sizes that are the product of the tensor and the expert ranks, which are the same chips; None if sound.

    Two forms in tables derived from InferenceX, whose count of chips is tp x ep for aggregated engines: the
    product in `tp` (TP8 EP8 on 8 chips printed as tp 64, experts 8 x 8) or in `attention_dp` (DP8 EP8 as tp 1,
    dp 64); and vLLM's data-parallel attention with tp = dp = k, ep = k x k for DPk EPk on k chips.
    """
    k = printed.ep
    if printed.moe_tp == k > 1 and printed.chips == k * k:
        return Sizes(1, k, k, 1) if printed.attention_dp > 1 else Sizes(k, 1, k, 1)
    if printed.attention_dp == printed.tp > 1 and printed.ep == printed.chips:
        return Sizes(1, printed.tp, printed.tp, 1)
    return None
