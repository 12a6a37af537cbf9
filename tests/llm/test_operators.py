"""Work of a step: FLOP per token, shards, distinct experts, formats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.errors import InputError
from stackwright.llm import parse_config, weight_bytes, weight_bytes_per_parameter, weight_format
from stackwright.llm.operators import Shard, StepShape, experts_hit, held_parameters, operators
from tests.llm import configs as facts

ROLES = ("attention_in", "attention_out", "ffn", "expert", "shared_expert", "head", "norm")
ALL = [n for n in dir(facts) if n.isupper()]


def shard(tensor=1.0, group=None, data=1.0):
    values = (tensor, tensor * data if group is None else group, data)
    return Shard(*(np.array([[float(v)]]) for v in values))


def work(name, tokens=1.0, context=1000.0, shards=None, prefill=False):
    m = parse_config(getattr(facts, name), name)
    width = {r: np.array([[2.0]]) for r in ROLES}
    t = np.array([[tokens]])
    shape = StepShape(t, t, np.array([[context]]), prefill)
    return m, operators(m, shape, shards or shard(), width, np.array([[2.0]]))


def flops(found, *, attention):
    return sum(
        o.layers * float(f.flat[0])
        for o in found
        for f in o.flops.values()
        if o.kind.startswith("attention") == attention
    )


@pytest.mark.parametrize("name", ALL)
def test_flops_per_token_are_twice_the_active_parameters(name):
    """Less the embedding, which is a look-up; router, norms and biases of experts are below 1 %."""
    m, found = work(name)
    embedding = 0 if m.tied_embeddings else m.head_parameters
    assert flops(found, attention=False) == pytest.approx(2 * (m.active_parameters - embedding), rel=0.011)


def test_attention_flops_by_hand():
    _, found = work("LLAMA_70B", tokens=3, context=1000)
    assert flops(found, attention=True) == 4 * 64 * 128 * 3 * 1000 * 80
    _, decode = work("DEEPSEEK_V3", tokens=1, context=1000)
    _, prefill = work("DEEPSEEK_V3", tokens=1, context=1000, prefill=True)
    assert flops(decode, attention=True) == 2 * 128 * (2 * 512 + 64) * 1000 * 61
    assert flops(prefill, attention=True) == 2 * 128 * (128 + 64 + 128) * 1000 * 61


def test_decode_reads_the_cache_and_prefill_does_not():
    m, found = work("LLAMA_70B", tokens=4, context=1000)
    read = sum(o.layers * float(np.asarray(o.kv_bytes).flat[0]) for o in found)
    assert read == 4 * 1000 * m.kv_elements_per_token() * 2
    _, prompt = work("LLAMA_70B", tokens=4, context=1000, prefill=True)
    assert all(np.all(np.asarray(o.kv_bytes) == 0) for o in prompt)


def test_sliding_layers_attend_to_their_window_only():
    _, found = work("GPT_OSS_20B", tokens=1, context=1000)
    assert flops(found, attention=True) == 4 * 64 * 64 * 12 * (1000 + 128)


@pytest.mark.parametrize("name", ["LLAMA_70B", "MIXTRAL_8X7B", "GPT_OSS_120B"])
@pytest.mark.parametrize("tp", [2, 4, 8])
def test_shards_sum_to_the_whole(name, tp):
    """FLOP, weight bytes and cache bytes of all ranks are those of one chip while heads suffice."""
    _, one = work(name, tokens=16)
    _, many = work(name, tokens=16, shards=shard(tp))
    for a, b in zip(one, many, strict=True):
        for role in a.flops:
            np.testing.assert_allclose(tp * b.flops[role], a.flops[role], rtol=1e-12)
        np.testing.assert_allclose(tp * np.asarray(b.weight_bytes), a.weight_bytes, rtol=1e-12)
        np.testing.assert_allclose(tp * np.asarray(b.kv_bytes), a.kv_bytes, rtol=1e-12)


def test_more_ranks_than_key_value_heads_hold_copies():
    m = parse_config(facts.LLAMA_70B, "m")
    a = m.attentions[0]
    q, kv = a.matrices[0], a.matrices[1]
    assert held_parameters(q, a, np.array([[16.0]])) == q.parameters / 16
    assert held_parameters(kv, a, np.array([[16.0]])) == kv.parameters / 8
    _, found = work("LLAMA_70B", shards=shard(16))
    _, whole = work("LLAMA_70B")
    assert found[1].kv_bytes == whole[1].kv_bytes / 8


def test_latent_attention_replicates_down_projections_and_cache():
    _, one = work("DEEPSEEK_V3")
    _, many = work("DEEPSEEK_V3", shards=shard(8))
    assert many[1].kv_bytes == one[1].kv_bytes
    assert 8 * many[0].weight_bytes > 1.3 * one[0].weight_bytes


def test_attention_data_parallel_ranks_meet_in_the_experts():
    _, one = work("DEEPSEEK_V3", tokens=32)
    _, dp = work("DEEPSEEK_V3", tokens=4, shards=shard(1, 8, 8))
    routed = [next(o for o in ops if o.name == "routed experts") for ops in (one, dp)]
    np.testing.assert_allclose(8 * routed[1].weight_bytes, routed[0].weight_bytes)
    np.testing.assert_allclose(8 * routed[1].flops["expert"], routed[0].flops["expert"])


def test_one_token_hits_exactly_its_experts():
    for name in ("MIXTRAL_8X7B", "QWEN3_235B_A22B", "DEEPSEEK_V3"):
        e = parse_config(getattr(facts, name), name).experts[0]
        assert float(experts_hit(e, np.array(1.0))) == pytest.approx(e.top_k)


def test_experts_hit_agrees_with_drawing_them():
    e = parse_config(facts.MIXTRAL_8X7B, "m").experts[0]
    rng = np.random.default_rng(0)
    order = rng.random((20_000, 3, e.n_experts)).argsort(axis=2)[:, :, : e.top_k]
    distinct = np.mean([len(np.unique(o)) for o in order])
    assert float(experts_hit(e, np.array(3.0))) == pytest.approx(distinct, rel=0.01)


def test_uneven_popularity_meets_fewer_experts():
    """Agrees with drawing popularities from a gamma law; even popularity is its limit."""
    e = parse_config(facts.QWEN3_30B_A3B, "m").experts[0]
    tokens, shape = 24.0, 2.0
    visits = -tokens * np.log1p(-e.top_k / e.n_experts)
    popularity = np.random.default_rng(0).gamma(shape, 1.0 / shape, 200_000)
    drawn = e.n_experts * np.mean(-np.expm1(-visits * popularity))
    found = float(experts_hit(e, np.array(tokens), np.array(shape)))
    assert found == pytest.approx(drawn, rel=0.01)
    assert found < float(experts_hit(e, np.array(tokens)))
    assert float(experts_hit(e, np.array(tokens), np.array(1e9))) == pytest.approx(
        float(experts_hit(e, np.array(tokens)))
    )


@given(st.floats(1, 1e6), st.floats(1, 1e6))
def test_experts_hit_rises_to_all(a, b):
    e = parse_config(facts.QWEN3_30B_A3B, "m").experts[0]
    low, high = (float(experts_hit(e, np.array(t))) for t in sorted((a, b)))
    assert e.top_k - 1e-9 <= low <= high <= e.n_experts


def test_all_experts_per_token_hits_all():
    e = parse_config({**facts.MIXTRAL_8X7B, "num_experts_per_tok": 8}, "m").experts[0]
    assert float(experts_hit(e, np.array(1.0))) == pytest.approx(8.0)


def test_bf16_weights_are_two_bytes_a_parameter():
    for name in ALL:
        m = parse_config(getattr(facts, name), name)
        assert weight_bytes(m, "bf16") == 2 * m.parameters


def test_published_checkpoint_sizes():
    """gpt-oss-120b: 65.2 GB of safetensors; Llama-3.1-70B FP8: head and embedding stay BF16."""
    assert weight_bytes(parse_config(facts.GPT_OSS_120B, "m"), "mxfp4") / 1e9 == pytest.approx(65.2, rel=0.005)
    m = parse_config(facts.LLAMA_70B, "m")
    in_bf16 = m.embedding_parameters + m.norm_parameters
    assert weight_bytes(m, "fp8") == m.parameters + in_bf16


def test_formats_by_role():
    v3, oss, kimi = (parse_config(c, "m") for c in (facts.DEEPSEEK_V3, facts.GPT_OSS_120B, facts.KIMI_K2))
    assert weight_format(v3, "nvfp4", "attention_in") == "bf16"
    assert weight_format(v3, "nvfp4", "attention_out") == "nvfp4"
    assert weight_format(oss, "mxfp4", "attention_in") == "bf16"
    assert weight_format(oss, "mxfp4", "expert") == "mxfp4"
    assert weight_format(kimi, "int4", "shared_expert") == "bf16"
    assert weight_format(v3, "fp8", "router") == "bf16"
    assert weight_bytes_per_parameter(oss, "mxfp4", "expert") == 0.53125
    with pytest.raises(InputError, match="fp2"):
        weight_format(v3, "fp2", "expert")
