"""The three step times that steady serving is made of: a decode step, a prompt alone, a prompt in a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.llm.operators import StepShape
from stackwright.performance import (
    Candidates,
    StepTime,
    kv_capacity_sequences,
    memory_budget,
    step_time,
    with_draft,
)
from stackwright.serving.traffic import Traffic, traffic
from stackwright.workload import Workload

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Phases:
    """Step times at a given number of running sequences; arrays of shape (candidates, loads), seconds.

    `offered` and `running` are sequences per attention rank: those present, and those that fit (cache and the
    engine's limit, `fitting`). `prompt_s` is one prompt on an idle engine. `batched_prompt_s` is the time per
    prompt when prompts are batched up to the token budget, `prompts_per_batch` of them, `queued_prompt_s` that
    time while others decode, `added_prompt_s` what one more prompt adds to a step that has one. A decode step
    verifies what was drafted and emits `Candidates.emitted` tokens per sequence. In a chunked
    engine `beside_s` is what decoding adds to a prompt and `gained_s` the decode steps that the prompt replaces.
    """

    offered: Array
    running: Array
    fitting: Array
    decode: StepTime
    prompt: StepTime
    prompt_s: Array
    beside_s: Array
    batched_prompt_s: Array
    queued_prompt_s: Array
    prompts_per_batch: Array
    added_prompt_s: Array
    gained_s: Array


def phases(c: Candidates, w: Workload | Traffic, offered: Array) -> Phases:
    """Phases for `offered` sequences per attention rank, shape broadcastable to (candidates, loads)."""
    t = traffic(w)
    context = np.asarray(t.decode_context)
    fitting, running = running_of(c, t, fitting_in_cache(c, t), offered)
    per_stage = np.maximum(running / c.pipeline, 1.0)
    decode = decode_step(c, per_stage, context)

    tokens, attended = t.prompt_tokens, np.asarray(t.prompt_context)
    one = np.ones_like(c.bandwidth)
    prompt = _prompt_step(c, StepShape(tokens * one, one, attended, prefill=True))
    extra_chunks = np.maximum(np.ceil(tokens / c.max_batched_tokens) - 1.0, 0.0)
    prompt_s = prompt.seconds + extra_chunks * prompt.fixed_s

    most = np.maximum(np.ceil(running), 1.0)
    batch = np.clip(np.floor(c.max_batched_tokens / tokens), 1.0, most)
    together = _prompt_step(c, StepShape(tokens * batch, batch, attended, prefill=True))
    batch_s = together.seconds + extra_chunks * prompt.fixed_s
    added_s = (batch_s - prompt_s) / np.maximum(batch - 1.0, 1.0)
    beside_s, gained_s = _beside(c, decode, per_stage, np.where(batch > 1.0, added_s, prompt_s) / tokens)
    beside_s, gained_s = beside_s * (extra_chunks + 1.0), gained_s * (extra_chunks + 1.0)
    return Phases(
        offered=offered,
        running=running,
        fitting=fitting,
        decode=decode,
        prompt=prompt,
        prompt_s=prompt_s,
        beside_s=beside_s,
        batched_prompt_s=batch_s / batch * c.stage_share,
        queued_prompt_s=(batch_s + beside_s) / batch * c.stage_share,
        prompts_per_batch=batch,
        added_prompt_s=added_s * c.stage_share,
        gained_s=gained_s,
    )


def decode_step(c: Candidates, sequences: Array, context: Array) -> StepTime:
    """A decode step of `sequences`: one token each, or with speculation all drafted tokens and the next draft."""
    plain = StepShape(sequences, sequences, context, prefill=False)
    if not c.drafts:
        return step_time(c, plain)
    verified = step_time(c, StepShape(sequences * (c.draft_tokens + 1.0), sequences, context, prefill=False))
    return with_draft(c, verified, step_time(c, plain), c.draft_tokens, head=True)


def _prompt_step(c: Candidates, shape: StepShape) -> StepTime:
    """A prompt step; prompts pass through a draft once, to fill its cache."""
    step = step_time(c, shape)
    return with_draft(c, step, step, np.sign(c.draft_tokens), head=False) if c.drafts else step


def stall_s(c: Candidates, ph: Phases, per_step: Array) -> Array:
    """Seconds that one prompt adds to requests that decode, in steps of `per_step` prompts (at most a batch)."""
    m = np.clip(per_step, 1.0, ph.prompts_per_batch)
    step_s = ph.prompt_s + ph.added_prompt_s / c.stage_share * (m - 1.0)
    stall: Array = np.maximum(step_s + ph.beside_s - ph.gained_s, 0.0) / m * c.stage_share
    return stall


def mean_batch(arrivals: Array) -> Array:
    """Mean number of prompts in a step that has any: x / (1 - exp(-x)) for Poisson arrivals of mean x."""
    x = np.maximum(arrivals, 1e-9)
    batch: Array = -x / np.expm1(-x)
    return batch


def _beside(c: Candidates, decode: StepTime, sequences: Array, token_s: Array) -> tuple[Array, Array]:
    """What decoding adds to a prompt step of a chunked engine, and the decode step it saves; else zero.

    The mixed step streams the weights once, computes the decode tokens like prompt tokens (`token_s` each) and
    pays their attention and their draft; decoding requests gain a step in it.
    """
    own = decode.part_s("attention") + decode.part_s("host per sequence") + decode.part_s("draft")
    added = own + sequences * (c.draft_tokens + 1.0) * token_s
    return np.where(c.chunked, np.minimum(added, decode.seconds), 0.0), np.where(c.chunked, decode.seconds, 0.0)


def fitting_in_cache(c: Candidates, t: Traffic) -> Array:
    """Sequences of mean length whose cache fits, per attention rank."""
    return np.maximum(kv_capacity_sequences(c, memory_budget(c), np.asarray(t.decode_context)), 1e-9)


def running_of(c: Candidates, t: Traffic, in_cache: Array, offered: Array) -> tuple[Array, Array]:
    """Sequences that fit and sequences that run, per attention rank.

    The mean of the smaller of those present and those whose cache fits, cut at the engine's limit. What fits varies
    with the lengths and ages of the sequences: relative deviation sigma / sqrt(n), n of them, so that the smooth
    minimum (1 + (present / fit)^p)^(-1/p) loses what a normal law loses at equality, 0.4 sigma / sqrt(n) = ln(2) / p.
    """
    lowest, highest = c.constants.value("kv_limit_sharpness"), c.constants.value("kv_limit_sharpness_limit")
    p = np.clip(math.log(2.0) / 0.4 * np.sqrt(np.maximum(in_cache, 1.0)) / cache_cv(t), lowest, highest)
    present = np.maximum(offered, 1e-9)
    running = present * np.exp(-np.logaddexp(0.0, p * np.log(present / in_cache)) / p)
    running = np.minimum(np.maximum(running, np.minimum(offered, 1.0)), offered)
    return np.minimum(in_cache, c.max_sequences), np.minimum(running, c.max_sequences)


def cache_cv(t: Traffic) -> Array:
    """Coefficient of variation of the cache of one running sequence: prompt plus a uniform share of its answer."""
    prompt, answer = np.asarray(t.input_mean), np.asarray(t.output_mean)
    answer2 = answer**2 * (1.0 + np.asarray(t.output_cv) ** 2)
    variance = (prompt * np.asarray(t.input_cv)) ** 2 + answer2 / 3.0 - answer**2 / 4.0
    cv: Array = np.sqrt(variance) / (prompt + answer / 2.0)
    return cv
