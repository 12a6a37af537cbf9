"""What may be named, what is left out, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from stackwright import api
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.planner import DEFAULT_SLO, Question
from stackwright.planner.offers.join import packing_on
from stackwright.planner.stacks.space import layouts
from stackwright.workload import profile
from tests.planner.questions import MODEL, SMALL, ask

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 8192, "torch_dtype": "bfloat16",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chips": ("h2000",)}, "unknown chip 'h2000'; did you mean"),
        ({"engines": ("vlm",)}, "did you mean 'vllm'"),
        ({"vendors": ("nvdia",)}, "unknown vendor 'nvdia'; did you mean 'nvidia'"),
        ({"vendors": ("amd",)}, "contradictory filters"),
        ({"clouds": ("azur",)}, "did you mean 'azure'"),
        ({"regions": ("us-est-1",)}, "unknown region"),
        ({"contracts": ("ondemand",)}, "unknown contract 'ondemand'"),
        ({"precisions": ("fp7",)}, "unknown weight precision 'fp7'"),
        ({"kv_precision": "fp7"}, "unknown KV precision 'fp7'"),
        ({"precisions": ("int4",)}, "no int4 weights of it are published"),
        ({"objective": "cost"}, "unknown objective 'cost'"),
        ({"per": "cloud"}, "unknown grouping 'cloud'"),
        ({"top": 0}, "--top must be at least 1"),
        ({"max_chips": 0}, "max_chips must be a positive number"),
        ({"max_usd_per_hour": float("nan")}, "max_usd_per_hour must be a positive number"),
        ({"max_usd_per_hour": 0.01}, "nothing within the limits: the nearest deployment takes 1 chip at"),
        ({"rate": 1000.0, "max_chips": 2}, "nothing within the limits"),
        ({"rate": 1e12}, "more than 100000 replicas"),
        ({"concurrency": 1e12}, "more than 100000 replicas"),
        ({"rate": 1.0, "concurrency": 1.0}, "contradict"),
        ({"ttft": 1e-6}, "nearest: "),
        ({"tpot": 1e-6}, "relax --ttft or --tpot"),
        ({"workload": "chatt"}, "did you mean 'chat'"),
        ({"workload": "agent"}, "takes 40960 tokens at most"),
    ],
)
def test_refusals_say_what_to_do(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as refused:
        api.plan(MODEL, **{**SMALL, **changes})  # type: ignore[arg-type]
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["", "  ", "Qwen/Qwen3-9B", "/no/such/config.json"])
def test_an_unknown_model_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="model"):
        api.plan(name, **SMALL)


def test_a_model_that_fits_nothing_says_by_how_much() -> None:
    with pytest.raises(InputError, match=r"fits none of the candidates.*GB"):
        api.plan("moonshotai/Kimi-K2-Instruct", chips=("l40s",), ways=("aggregated",))


def test_a_promise_nothing_keeps_names_the_nearest_stack() -> None:
    with pytest.raises(InputError, match=r"no stack keeps p95 TTFT <= 1 ms.*nearest: \d+ x .* TTFT \d+ ms"):
        api.plan(MODEL, **SMALL, ttft=0.001, tpot=0.05)


def test_a_name_given_twice_counts_once() -> None:
    once, twice = ask(chips=("h100-sxm",)), ask(chips=("h100-sxm", "H100", "h100_sxm"))
    assert once.evaluated == twice.evaluated


def test_what_nobody_rents_has_no_price() -> None:
    answer = api.plan(MODEL, chips=("mi300x", "h100-sxm"), clouds=("aws",), engines=("vllm",))
    assert {p.stack.chip.id for p in answer.plans} == {"h100-sxm"}
    assert [p.stack.chip.id for p in answer.unpriced] == ["mi300x"]
    for p in answer.unpriced:
        assert p.stack.offer is None
        assert p.stack.price is None
        assert p.usd_per_hour is None
        assert p.usd_per_mtok_output is None
        assert p.usd_per_mtok_total is None
        assert p.full_load_usd_per_mtok_output is None
        assert p.usd_per_mtok_input_by_time is None
        assert not p.other_contracts
        assert not any(s.startswith("price") for s in p.sources)


def test_filters_hold() -> None:
    answer = ask(regions=("us-east-1",), contracts=("on_demand",), per="stack", top=1000)
    assert answer.plans
    for p in answer.plans:
        assert p.stack.price is not None
        assert p.stack.region == "us-east-1"
        assert p.stack.price.contract == "on_demand"
        assert p.stack.engine.id == "vllm"
        assert p.stack.chip.id in ("h100-sxm", "l40s")


def test_every_plan_has_a_launch_command_or_a_reason() -> None:
    answer = ask(per="stack", top=1000, engines=("vllm", "sglang", "tensorrt-llm"))
    document = api.plan_document(answer)
    assert {p["stack"]["engine"] for p in document["plans"]} == {"vllm", "sglang", "tensorrt-llm"}
    for p in document["plans"]:
        assert p["launch"]["command"] or p["launch"]["note"]


def test_replicas_stay_within_their_links() -> None:
    answer = ask(per="stack", top=1000)
    for p in answer.plans:
        offer, layout = p.stack.offer, p.stack.layout
        assert offer is not None
        assert layout.n_chips <= max(offer.chips, offer.max_replica_chips)
        assert layout.group <= max(offer.scale_up_chips, 1) or layout.group > p.stack.chip.link.scale_up_domain
    from stackwright.performance import Candidate, Layout

    facts = load_catalog()
    single = next(o for o in facts.offers.values() if o.id == "aws/p5.4xlarge")
    wide = Candidate(facts.engine("vllm"), facts.chip("h100-sxm"), Layout(tp=2))
    assert packing_on(wide, single) is None


def test_layouts_are_powers_of_two_without_repeats() -> None:
    from stackwright.planner import resolve_model

    facts = load_catalog()
    for name in (MODEL, "deepseek-ai/DeepSeek-R1"):
        model, _ = resolve_model(name, facts)
        for engine in ("vllm", "sglang", "tensorrt-llm"):
            found = list(layouts(model, facts.chip("h100-sxm"), facts.engine(engine), "fp8", "fp8"))
            assert len(found) == len(set(found))
            assert all(n & (n - 1) == 0 for x in found for n in (x.tp, x.pp, x.ep, x.attention_dp))


def test_a_config_on_disk_is_planned_and_launched_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for name in (str(folder), str(folder / "config.json")):
        best = api.plan(name, **SMALL).plans[0]
        assert best.stack.model == "my-model"
        assert best.stack.checkpoint == str(folder)
    monkeypatch.chdir(folder)
    best = api.plan("config.json", **SMALL).plans[0]
    assert (best.stack.model, best.stack.checkpoint) == ("my-model", str(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model_type": "unheard-of"}', '{"model_type": "llama"}'])
def test_a_broken_config_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError):
        api.plan(str(tmp_path), **SMALL)


def test_a_new_chip_is_one_file_and_its_price_another(tmp_path: Path) -> None:
    chip = load_catalog().chip("h100-sxm").model_dump(mode="json", exclude_defaults=True)
    chip |= {"id": "acme-1", "name": "Acme 1", "aliases": [], "vendor": "Acme"}
    chip["memory"]["bandwidth_bytes_per_s"] *= 2
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "acme-1.yaml").write_text(yaml.safe_dump(chip))
    question = {**SMALL, "chips": ("h100-sxm", "acme-1"), "clouds": (), "ttft": 20.0, "tpot": 0.5}
    answer = api.plan(MODEL, catalog=api.catalog_with(tmp_path), **question)
    assert [p.stack.chip.id for p in answer.unpriced] == ["acme-1"]
    assert {p.stack.chip.id for p in answer.plans} == {"h100-sxm"}

    price = {
        "contract": "on_demand",
        "usd_per_hour": 1.0,
        "regions": ["here"],
        "source": "a test",
        "confidence": "assumption",
    }
    offer = {"instance": "acme-box", "chip": "acme-1", "chips": 1, "unit": "instance", "scale_up_chips": 1,
             "max_replica_chips": 1, "prices": [price]}  # fmt: skip
    (tmp_path / "offers").mkdir()
    (tmp_path / "offers" / "acme.yaml").write_text(yaml.safe_dump({"provider": "acme", "offers": [offer]}))
    answer = api.plan(MODEL, catalog=api.catalog_with(tmp_path), **question)
    assert answer.plans[0].stack.chip.id == "acme-1"
    assert answer.plans[0].usd_per_hour == 1.0
    assert not answer.unpriced


def test_an_overlay_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no catalogue files; expected YAML files in chips/"):
        api.catalog_with(tmp_path)


def test_a_question_has_a_promise_and_no_restriction_by_default() -> None:
    q = Question(MODEL, profile("chat"))
    assert q.slo == DEFAULT_SLO
    assert (q.allowed.chips, q.market.clouds, q.allowed.engines, q.allowed.vendors) == ((), (), (), ())


def test_a_chip_without_published_rates_is_left_out_with_that_reason() -> None:
    with pytest.raises(InputError, match="no published arithmetic rate of vera-cpu"):
        api.plan(MODEL, chips=("vera-cpu",))
    answer = ask(chips=("h100-sxm", "vera-cpu", "qualcomm-ai200"))
    assert {(r.chip, r.reason) for r in answer.rejected if r.kind == "no published figures of the chip"} == {
        ("vera-cpu", "no published arithmetic rate of vera-cpu"),
        ("qualcomm-ai200", "no published arithmetic rate and no memory figure of qualcomm-ai200"),
    }


def test_chips_that_only_their_maker_uses_are_offered_when_named() -> None:
    from stackwright.planner import resolve_model
    from stackwright.planner.question import Allowed, Question
    from stackwright.planner.stacks.space import space

    facts = load_catalog()
    model, entry = resolve_model(MODEL, facts)
    everything = space(Question(MODEL, profile("chat")), model, entry, facts)
    internal = {c.id for c in facts.chips.values() if c.status == "internal"}
    assert {r.chip for r in everything.rejected if r.kind == "used by its maker only"} == internal
    assert not internal & {e.chip.id for e in everything.entries}
    named = space(Question(MODEL, profile("chat"), allowed=Allowed(chips=("maia-200",))), model, entry, facts)
    assert {e.chip.id for e in named.entries} == {"maia-200"}


def test_engines_that_quantise_offer_it_beside_the_published_checkpoints() -> None:
    from stackwright.planner import resolve_model
    from stackwright.planner.question import Allowed, Question
    from stackwright.planner.stacks.models import checkpoint_of
    from stackwright.planner.stacks.space import space

    facts = load_catalog()
    model, entry = resolve_model(MODEL, facts)
    q = Question(MODEL, profile("chat"), allowed=Allowed(chips=("rtx-4090",), engines=("llama.cpp", "vllm")))
    found: dict[str, set[str]] = {}
    for e in space(q, model, entry, facts).entries:
        found.setdefault(e.engine.id, set()).add(e.layout.weight_precision)
    assert found["llama.cpp"] == {"bf16", "int8", "int4"}
    assert "int4" not in found["vllm"] or any(c.precision == "int4" for c in entry.checkpoints)  # type: ignore[union-attr]
    hub_id, note = checkpoint_of(MODEL, entry, "int4", facts.engine("llama.cpp"))
    assert hub_id == MODEL
    assert "llama-quantize" in note
    assert "quantise it first" in checkpoint_of(MODEL, entry, "int4", facts.engine("sglang"))[1]


def test_chips_without_links_get_one_chip_layouts_and_layer_splitters_no_tensor_parallelism() -> None:
    from stackwright.performance import Layout, layout_problem
    from stackwright.planner import resolve_model

    facts = load_catalog()
    model, _ = resolve_model(MODEL, facts)
    mac, card, llama, vllm = (
        facts.chip("m4-max"),
        facts.chip("rtx-4090"),
        facts.engine("llama.cpp"),
        facts.engine("vllm"),
    )
    assert {x.n_chips for x in layouts(model, mac, llama, "int4", "bf16")} == {1}
    orin = facts.chip("jetson-agx-orin-64")
    assert {x.n_chips for x in layouts(model, orin, vllm, "bf16", "bf16")} == {1}
    assert "no links" in str(layout_problem(Layout(pp=2), model, llama, mac))
    split = list(layouts(model, card, llama, "int4", "bf16"))
    assert {x.tp for x in split} == {1}
    assert {x.pp for x in split} == {1, 2, 4}
    assert max(x.tp for x in layouts(model, card, vllm, "bf16", "bf16")) == 4
    assert "splits a model by layers" in str(layout_problem(Layout(tp=2), model, llama, card))
