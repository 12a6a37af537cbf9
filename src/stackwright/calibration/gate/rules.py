"""The rules of the data gate, each with the physics or the structure behind it and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stackwright.calibration.rows.groups import POOLS, chip_of
from stackwright.calibration.rows.speculation import covered
from stackwright.catalog import Catalog, Chip
from stackwright.errors import InputError
from stackwright.llm import Model, parse_config, weight_bytes, weight_bytes_per_parameter
from stackwright.llm.architecture import Role
from stackwright.llm.config import PREDICTION_KEYS
from stackwright.llm.operators import Shard, StepShape, operators
from stackwright.measure import Measurement
from stackwright.workload import parse_lengths

NODE_CHIPS = 8
MEMORY_SHARE = 0.97
LEAST_DECODING_SHARE = 0.35
SHORT_ANSWER_TOKENS = 500
STANDSTILL = 3.0
_ROLES: tuple[Role, ...] = ("attention_in", "attention_out", "ffn", "expert", "shared_expert", "router", "head", "norm")
_KV_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "": 1.0}


class Facts:
    """What the catalogue knows of a row's chip and model; None where it knows nothing."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._models: dict[str, Model | None] = {}

    def chip(self, row: Measurement) -> Chip | None:
        """The chip."""
        return self.catalog.chips.get(chip_of(row, self.catalog))

    def model(self, row: Measurement) -> Model | None:
        """The architecture, where it is covered."""
        name = row.text["model"]
        if name not in self._models:
            try:
                entry = self.catalog.model(name)
                self._models[name] = parse_config(entry.config, entry.id)
            except InputError:
                self._models[name] = None
        return self._models[name]

    def predicts_tokens(self, row: Measurement) -> bool:
        """Whether the model ships a multi-token-prediction module, so that speculation costs nothing to switch on."""
        try:
            config = self.catalog.model(row.text["model"]).config
        except InputError:
            return False
        return any(config.get(key) for key in PREDICTION_KEYS)


Check = Callable[[Measurement, Facts], str | None]


@dataclass(frozen=True)
class Rule:
    """A named check: the reason against a row, or None. `source` says where the rule comes from."""

    name: str
    check: Check
    source: str

    @property
    def meaning(self) -> str:
        """What the rule says, in one sentence."""
        return (self.check.__doc__ or "").strip().split("\n")[0]


def _measures_nothing(row: Measurement, _: Facts) -> str | None:
    """A row without latency and without throughput has nothing to compare."""
    names = ("ttft_s", "tpot_s", "output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip")
    return None if any(row.number(n) for n in names) else "neither latency nor throughput was measured"


def _statistic(row: Measurement, _: Facts) -> str | None:
    """A latency has to say whether it is a mean or a median: for TTFT of a closed loop they differ by a factor of 2."""
    for name in ("ttft", "tpot"):
        if row.number(f"{name}_s") is not None and row.text[f"{name}_stat"] not in ("mean", "p50"):
            return f"{name}_stat is {row.text[f'{name}_stat'] or 'not given'}: mean or p50?"
    return None


def _lengths(row: Measurement, _: Facts) -> str | None:
    """The distribution of lengths has to be declared: drawing from 0.8 to 1.0 of nominal takes a tenth off the work."""
    if not row.text["length_dist"]:
        return "length_dist is not given: fixed or drawn?"
    try:
        parse_lengths(row.text["length_dist"], 1000.0)
    except InputError as error:
        return str(error)
    return None


def _load(row: Measurement, _: Facts) -> str | None:
    """A latency needs its load; throughput alone may stand for maximum load."""
    latency = row.number("ttft_s") or row.number("tpot_s")
    return "a latency without concurrency or rate" if latency and not _loaded(row) else None


def _loaded(row: Measurement) -> bool:
    return bool(row.number("concurrency") or row.number("request_rate"))


def _deployment_total(row: Measurement, facts: Facts) -> str | None:
    """An aggregated engine beyond 8 chips needs a scale-up domain that holds it and a split that is no mere total."""
    n, tp, ep = row.number("n_chips") or 0.0, row.number("tp") or 1.0, row.number("ep") or 1.0
    if row.text["mode"] != "aggregated" or n <= NODE_CHIPS:
        return None
    chip = facts.chip(row)
    if chip is not None and n > chip.link.scale_up_domain:
        return f"{n:g} chips in one engine, {chip.link.scale_up_domain} share a scale-up domain"
    model = facts.model(row)
    if tp > NODE_CHIPS and ep == 1 and model is not None and model.family == "moe":
        return f"tp {tp:g} without expert parallelism: the chips of a whole deployment written as tp"
    return None


def _layout(row: Measurement, _: Facts) -> str | None:
    """Chips are tp x attention_dp x pp, of which the expert ranks are a part; experts take tp x dp = moe_tp x ep."""
    if row.text["mode"] != "aggregated":
        return None
    n, tp, pp, ep, dp = (row.number(k) for k in ("n_chips", "tp", "pp", "ep", "attention_dp"))
    group = (tp or 0.0) * (dp or 1.0)
    if n and tp and group * (pp or 1.0) != n:
        return f"tp {tp:g} x attention_dp {dp or 1:g} x pp {pp or 1:g} is not {n:g} chips"
    if n and ep and ep > n:
        return f"{ep:g} expert ranks on {n:g} chips"
    moe_tp = _cell(row, "moe_tp") or None
    if tp and moe_tp and moe_tp * (ep or 1.0) not in (1.0, group):
        return f"tp x dp = {group:g} is not moe_tp x moe_ep = {moe_tp:g} x {ep or 1:g}"
    return None


def _memory(row: Measurement, facts: Facts) -> str | None:
    """The weights have to fit the stated chips (97 % of the memory that the driver reports)."""
    chip, model, n = facts.chip(row), facts.model(row), row.number("n_chips")
    if chip is None or model is None or not n or row.text["mode"] != "aggregated":
        return None
    precision = row.text["weight_precision"] or model.native_precision
    each = weight_bytes(model, precision) / n
    size = chip.store.visible_bytes or chip.store.capacity_bytes
    if each <= MEMORY_SHARE * size:
        return None
    return f"{each / 1e9:.0f} GB of {precision} weights per chip, the chip has {size / 1e9:.0f} GB"


def _light(row: Measurement, facts: Facts) -> str | None:
    """A decode step cannot read its weights and cache faster than the nominal memory bandwidth."""
    tpot = row.number("tpot_s")
    if not tpot or row.text["speculative"] not in ("", "none", "unknown") or row.text["mode"] != "aggregated":
        return None
    least = least_step_s(row, facts)
    if least is None or tpot >= least:
        return None
    return f"TPOT {1e3 * tpot:.3g} ms, reading weights and cache alone takes {1e3 * least:.3g} ms"


def least_step_s(row: Measurement, facts: Facts) -> float | None:
    """Seconds to read weights, the experts hit and the cache of the running sequences at nominal bandwidth.

    Experts are hit as uniform routing would; a cache of unstated precision is FP8, one of another format half that.
    At least one sequence runs per attention rank. None where chip, model, layout or load is unknown.
    """
    chip, model, load = facts.chip(row), facts.model(row), row.number("concurrency")
    tp, dp, n = row.number("tp"), row.number("attention_dp", 1.0) or 1.0, row.number("n_chips")
    if chip is None or model is None or not load or not (tp or n):
        return None
    tensor = tp or max(1.0, (n or 1.0) / dp / (row.number("pp") or 1.0))
    running = max(1.0, load * (decoding_share(row) or 1.0) / dp)
    nominal = [row.number(k) or 1.0 for k in ("isl", "osl")]
    isl, osl = (parse_lengths(row.text["length_dist"], x).mean for x in nominal)
    precision = row.text["weight_precision"] or model.native_precision
    one = np.ones((1, 1))
    shape = StepShape(running * one, running * one, (isl + osl / 2.0) * one, prefill=False)
    shard = Shard(tensor * one, tensor * dp * one, dp * one)
    width = {role: weight_bytes_per_parameter(model, precision, role) * one for role in _ROLES}
    kv_bytes = _KV_BYTES.get(row.text["kv_precision"], 0.5) * one
    read = sum(o.layers * (o.weight_bytes + o.kv_bytes) for o in operators(model, shape, shard, width, kv_bytes))
    return float(np.max(read)) / chip.store.bandwidth_bytes_per_s


def decoding_share(row: Measurement) -> float | None:
    """Share of a request's life spent decoding, from its own latencies: osl TPOT / (TTFT + osl TPOT)."""
    ttft, tpot, osl = row.number("ttft_s"), row.number("tpot_s"), row.number("osl")
    if ttft is None or not tpot or not osl:
        return None
    return osl * tpot / (ttft + osl * tpot)


def _queue(row: Measurement, _: Facts) -> str | None:
    """Who waits for more than 65 % of a long answer's life queues behind a limit of the engine that is not stated."""
    share, osl = decoding_share(row), row.number("osl") or 0.0
    if row.text["mode"] != "aggregated" or share is None or share >= LEAST_DECODING_SHARE or osl < SHORT_ANSWER_TOKENS:
        return None
    return f"a request decodes for {100 * share:.0f} % of its life: queued by a limit that is not stated"


def _known_speculation(row: Measurement, _: Facts) -> str | None:
    """Several tokens per step, how many is not stated: a constant says it for MTP, EAGLE and n-gram of one engine."""
    flag = row.text["speculative"]
    if flag in ("", "none", "unknown") or (row.text["mode"] == "aggregated" and covered(flag)):
        return None
    return f"speculative decoding ({flag}), acceptance not stated"


def _hidden_speculation(row: Measurement, facts: Facts) -> str | None:
    """TensorRT-LLM and disaggregated rows of models with a multi-token-prediction module hide whether it was used."""
    if row.text["speculative"] == "none" or not facts.predicts_tokens(row):
        return None
    if row.text["engine"] != "tensorrt-llm" and row.text["mode"] != "disaggregated":
        return None
    stated = row.text["speculative"] not in ("", "unknown")
    return None if stated else "speculative decoding or not: not stated, nor recovered"


def _router(row: Measurement, _: Facts) -> str | None:
    """Behind a router the concurrency belongs to replicas whose number is not stated."""
    router = row.raw.get("router", "")
    shared = router and row.text["mode"] == "aggregated"
    return f"behind {router}: concurrency of an unstated number of replicas" if shared else None


def _standstill(row: Measurement, _: Facts) -> str | None:
    """Output per second of a closed loop is users x answer / residence (Little's law), within a factor of 3."""
    names = ("ttft_s", "tpot_s", "concurrency", "osl", "n_chips", "output_tokens_per_s_per_chip")
    ttft, tpot, users, osl, chips, rate = (row.number(n) for n in names)
    if not (ttft and tpot and users and osl and chips and rate):
        return None
    ratio = rate * chips * (ttft + (osl - 1.0) * tpot) / (users * osl)
    if 1.0 / STANDSTILL < ratio < STANDSTILL:
        return None
    return f"{ratio:.2g} x the output that users and latencies give: it stood still, or a figure is of something else"


def _cell(row: Measurement, name: str) -> float:
    """A number of an optional column, 0 where it is blank or none."""
    try:
        found = float(row.raw.get(name) or 0)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0


def _pools(row: Measurement, _: Facts) -> str | None:
    """The prefill and decode workers of a disaggregated row have to be stated and to add up to its chips."""
    if row.text["mode"] != "disaggregated":
        return None
    parts = {name: _cell(row, name) for name in POOLS}
    if not parts["prefill_workers"] or not parts["decode_workers"]:
        return "numbers of prefill and decode workers are not stated"
    total = sum(parts[f"{p}_workers"] * parts[f"{p}_tp"] * (parts[f"{p}_attention_dp"] or 1) for p in _POOL_NAMES)
    n = row.number("n_chips")
    return f"prefill and decode workers make {total:g} chips, not {n:g}" if n and total != n else None


_POOL_NAMES = ("prefill", "decode")

REFUSING: tuple[Rule, ...] = (
    Rule("nothing measured", _measures_nothing, "definition of the measurement table"),
    Rule("mean or median", _statistic, "InferenceX publishes both: medians of TTFT are about half of the means"),
    Rule("length distribution", _lengths, "InferenceX benchmark harness: random-range-ratio 0.8"),
    Rule("load", _load, "definition of the measurement table"),
    Rule("deployment total", _deployment_total, "chip catalogue: scale-up domain; 8-GPU servers"),
    Rule("layout", _layout, "engine arguments: world size = tp x dp x pp"),
    Rule("weights fit", _memory, "parameters of the config.json, memory of the chip catalogue"),
    Rule("faster than light", _light, "memory bandwidth of the chip catalogue (nominal)"),
    Rule("hidden queue", _queue, "Little's law on the row's own latencies"),
)
"""Rules that refuse a row, in the order in which they are asked; the first one that objects is the reason."""

DOUBTING: tuple[Rule, ...] = (
    Rule("speculation", _known_speculation, "definition of TPOT under speculative decoding"),
    Rule("hidden speculation", _hidden_speculation, "rows matched to InferenceX: a quarter of them speculate"),
    Rule("router", _router, "batch sizes of the same rows: concurrency is 2 to 32 times the engine's"),
    Rule("contradictory rate", _standstill, "J. D. C. Little, Operations Research 9 (1961)"),
    Rule("pools", _pools, "definition of the measurement table"),
)
"""Rules that keep a row out of the strict set."""
