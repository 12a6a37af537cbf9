"""LoRA adapters: memory and step cost by hand, limits, and no change without them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from stackwright.catalog import load_catalog
from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.operators import StepShape
from stackwright.performance import Candidate, Layout, Lora, candidates, check_lora, memory_budget, step_time
from stackwright.performance.constants import prior_constants
from stackwright.performance.lora import distinct
from stackwright.performance.models import model_of

FACTS = load_catalog()
LLAMA = model_of(FACTS.model("meta-llama/Meta-Llama-3.1-8B"))
R1 = model_of(FACTS.model("deepseek-ai/DeepSeek-R1"))


def one(model=LLAMA, lora=None, **layout):
    given = Candidate(FACTS.engine("vllm"), FACTS.chip("h200-sxm"), Layout(**layout), lora=lora)
    return candidates(model, [given], prior_constants())


def decode(sequences):
    n = np.array([[float(sequences)]])
    return StepShape(n, n, np.array(1000.0), False)


def test_an_adapter_of_llama_8b_by_hand():
    """Rank 16 on q, k, v and o: 13.6 M parameters, as PEFT prints; all dense projections: 41.9 M."""
    attention = 32 * 16 * ((4096 + 4096) + 2 * (4096 + 1024) + (4096 + 4096))
    assert attention == 13_631_488
    everything = attention + 32 * 16 * 3 * (4096 + 14336)
    assert everything == 41_943_040
    for targets, n in (("attention", attention), ("all", everything)):
        c = one(lora=Lora(10, 16, targets))
        assert float(c.lora.resident_bytes.flat[0]) == 10 * n * 2
        before, after = memory_budget(one()), memory_budget(c)
        assert float((after.weights - before.weights).flat[0]) == 10 * n * 2


def test_adapters_are_divided_over_ranks_and_stages():
    whole = float(one(lora=Lora(1, 16)).lora.elements.flat[0])
    assert float(one(lora=Lora(1, 16), tp=8).lora.elements.flat[0]) == pytest.approx(whole / 8)
    plain, staged = memory_budget(one(pp=2)), memory_budget(one(lora=Lora(1, 16), pp=2))
    assert float((staged.weights - plain.weights).flat[0]) == pytest.approx(whole * 2 / 2)


def test_projections_between_ranks_have_their_own_sizes():
    """DeepSeek-R1, one layer, one adapter of rank 1: q_a, q_b, kv_a, kv_b and o."""
    dims = (7168 + 1536) + (1536 + 128 * 192) + (7168 + 576) + (512 + 128 * 256) + (128 * 128 + 7168)
    assert float(one(R1, Lora(1, 1)).lora.elements.flat[0]) == 61 * dims


def test_distinct_adapters_agree_with_drawing_them():
    rng = random.Random(1)
    drawn = [len({rng.randrange(20) for _ in range(30)}) for _ in range(4000)]
    assert float(distinct(20.0, 30.0)) == pytest.approx(sum(drawn) / len(drawn), rel=0.01)
    assert float(distinct(1.0, 50.0)) == 1.0
    assert float(distinct(50.0, 0.0)) == 0.0


def test_a_step_reads_the_adapters_in_use_and_launches_two_kernels_per_projection():
    c = one(lora=Lora(8, 16))
    parts = {p.name: p for p in step_time(c, decode(4)).parts}
    part = parts["LoRA adapters"]
    met = 8 * (1 - (7 / 8) ** 4)
    assert float(np.ravel(part.n_bytes)[0]) == pytest.approx(met * 13_631_488 * 2)
    assert float(np.ravel(part.flops)[0]) == pytest.approx(2 * 13_631_488 * 4)
    launches = 32 * 2 * 2 * float(c.theta["kernel_overhead_s"].flat[0])
    assert float(part.seconds.flat[0]) > launches


def test_more_adapters_and_higher_ranks_cost_more():
    def seconds(n, rank):
        return float(step_time(one(lora=Lora(n, rank)), decode(32)).seconds.flat[0])

    without = float(step_time(one(), decode(32)).seconds.flat[0])
    assert without < seconds(1, 8) < seconds(16, 8) < seconds(16, 64)


def test_rows_without_adapters_do_not_feel_their_neighbours():
    plain = Candidate(FACTS.engine("vllm"), FACTS.chip("h200-sxm"), Layout())
    adapted = Candidate(FACTS.engine("vllm"), FACTS.chip("h200-sxm"), Layout(), lora=Lora(8, 16))
    both = candidates(LLAMA, [plain, adapted], prior_constants())
    alone = step_time(one(), decode(4)).seconds
    np.testing.assert_array_equal(step_time(both, decode(4)).seconds[[0]], alone)
    np.testing.assert_array_equal(step_time(both.take(np.array([1, 0])), decode(4)).seconds[[1]], alone)


@pytest.mark.parametrize(
    ("lora", "model", "engine", "chip", "says"),
    [
        (Lora(0, 8), LLAMA, "vllm", "h200-sxm", "adapters must be 1 or more"),
        (Lora(1, 0), LLAMA, "vllm", "h200-sxm", "rank must be from 1 to 512"),
        (Lora(1, 8), LLAMA, "atom", "mi300x", "atom is not known to serve several LoRA adapters"),
        (Lora(1, 8), LLAMA, "vllm", "trainium2", "trainium chips"),
    ],
)
def test_what_cannot_be_is_refused(lora, model, engine, chip, says):
    with pytest.raises(InputError, match=says):
        check_lora(lora, model, FACTS.engine(engine), FACTS.chip(chip))


def test_adapters_on_recurrent_layers_are_refused():
    hybrid = model_of(FACTS.model("Qwen/Qwen3.5-27B"))
    with pytest.raises(UnsupportedError, match="LoRA on linear layers"):
        check_lora(Lora(1, 8), hybrid, FACTS.engine("vllm"), FACTS.chip("h200-sxm"))
