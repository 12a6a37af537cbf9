"""The three step times that steady serving is made of: a decode step, a prompt alone, a prompt in a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.llm.operators import StepShape
from stackwright.performance import Candidates, StepTime, kv_capacity_sequences, memory_budget, step_time
from stackwright.serving.tokens import decode_context, prompt_context, prompt_tokens
from stackwright.workload import Workload

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Phases:
    """Step times at a given number of running sequences; arrays of shape (candidates, loads), seconds.

    `offered` and `running` are sequences per attention rank: those present, and those whose cache fits.
    `prompt_s` is one prompt on an idle engine; `batched_prompt_s` is the time per prompt when prompts are
    batched up to the token budget, `prompts_per_batch` of them; `queued_prompt_s` is that time while others
    decode.
    """

    offered: Array
    running: Array
    fitting: Array
    decode: StepTime
    prompt: StepTime
    prompt_s: Array
    batched_prompt_s: Array
    queued_prompt_s: Array
    prompts_per_batch: Array


def phases(c: Candidates, w: Workload, offered: Array) -> Phases:
    """Phases for `offered` sequences per attention rank, shape broadcastable to (candidates, loads)."""
    context = decode_context(w)
    fitting = kv_capacity_sequences(c, memory_budget(c), context)
    p = c.constants.value("kv_limit_sharpness")
    running = (offered**-p + np.maximum(fitting, 1e-9) ** -p) ** (-1.0 / p)
    running = np.minimum(np.maximum(running, np.minimum(offered, 1.0)), offered)
    per_stage = np.maximum(running / c.pipeline, 1.0)
    decode = step_time(c, StepShape(per_stage, per_stage, np.asarray(context), prefill=False))

    tokens, attended = prompt_tokens(w), np.asarray(prompt_context(w))
    one = np.ones_like(c.bandwidth)
    prompt = step_time(c, StepShape(tokens * one, one, attended, prefill=True))
    extra_chunks = np.maximum(np.ceil(tokens / c.max_batched_tokens) - 1.0, 0.0)
    prompt_s = prompt.seconds + extra_chunks * prompt.fixed_s

    most = np.maximum(np.ceil(running), 1.0)
    batch = np.clip(np.floor(c.max_batched_tokens / tokens), 1.0, most)
    together = step_time(c, StepShape(tokens * batch, batch, attended, prefill=True))
    batched = (together.seconds + extra_chunks * prompt.fixed_s) / batch
    # A chunked engine keeps decoding beside the prompts: its mixed step also pays the decode attention.
    mixed = batched + np.where(c.chunked, decode.part_s("attention"), 0.0) / batch
    return Phases(
        offered=offered,
        running=running,
        fitting=fitting,
        decode=decode,
        prompt=prompt,
        prompt_s=prompt_s,
        batched_prompt_s=batched / c.pipeline,
        queued_prompt_s=mixed / c.pipeline,
        prompts_per_batch=batch,
    )
