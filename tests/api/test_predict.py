from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from stackwright import api
from stackwright.errors import InputError
from stackwright.planner import Market
from stackwright.workload import Lengths, Workload

POINT: dict[str, Any] = {"chip": "h100-sxm", "engine": "vllm", "isl": 1024, "osl": 256, "concurrency": 16}
COLUMNS = "id,chip,n_chips,model,engine,tp,isl,osl,concurrency,notes"
CELLS = 'a,h100-sxm,2,Qwen/Qwen3-8B,vllm,2,1024,256,16,"x, y"'


def predict(**changes: Any) -> Any:
    return api.predict("Qwen/Qwen3-8B", **{**POINT, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"concurrency": None}, "give --rate or --concurrency"),
        ({"rate": 1.0}, "contradict"),
        ({"concurrency": None, "rate": 1.0, "rounds": 3.0}, "rounds belong to a closed loop"),
        ({"n_chips": 4, "tp": 2}, "contradictory layout"),
        ({"n_chips": 3, "pp": 2}, "does not divide by pp 2"),
        ({"tp": 3}, "does not divide 32 attention heads"),
        ({"tp": 64}, "does not divide"),
        ({"ep": 2}, "mixture-of-experts"),
        ({"pp": 1000}, "1000 pipeline stages for 36 layers"),
        ({"weight_precision": "fp7"}, "no fp7 weights"),
        ({"kv_precision": "x"}, "no x KV cache"),
        ({"isl": None}, "give --isl and --osl"),
        ({"isl": 0.5}, "at least 1"),
        ({"isl": 500_000}, "takes 40960 tokens at most"),
        ({"length_dist": "odd"}, "cannot read length distribution"),
        ({"workload": "chat"}, "contradict: give one of them"),
        ({"workload": "chat", "isl": None, "osl": None, "length_dist": "uniform(0.5,1)"}, "a workload has its own"),
        ({"workload": "chat", "isl": None, "osl": None, "prefix_hit_rate": 0.5}, "a workload has its own"),
        ({"chip": "trainium2", "engine": "sglang"}, "does not run on"),
        ({"chip": "h100x"}, "unknown chip"),
        ({"concurrency": None, "rate": 1e9}, "more than one replica can sustain"),
        ({"lora_rank": 16}, "belong to --lora-adapters"),
        ({"lora_adapters": 4}, "needs --lora-rank"),
        ({"lora_adapters": 4, "lora_rank": 16, "lora_targets": "mlp"}, "known: attention, all"),
        ({"lora_adapters": 4, "lora_rank": 1024}, "rank must be from 1 to 512"),
        ({"lora_adapters": 4000, "lora_rank": 64, "lora_targets": "all"}, "without any cache"),
    ],
)
def test_refusals(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        predict(**changes)
    assert said in str(refused.value)


def test_adapters_cost_memory_and_time() -> None:
    plain, adapted = predict(), predict(lora_adapters=16, lora_rank=16)
    assert adapted.memory["weights_bytes"] > plain.memory["weights_bytes"]
    assert adapted.metrics["tpot_mean_s"].value > plain.metrics["tpot_mean_s"].value
    assert any("16 LoRA adapters of rank 16" in note for note in adapted.notes)
    assert not any("LoRA" in note for note in plain.notes)


def test_the_checkpoint_named_gives_the_precision() -> None:
    point = {**POINT, "chip": "b300-hgx", "tp": 8}
    for name, precision in (
        ("zai-org/GLM-5.1", "bf16"),
        ("zai-org/GLM-5.1-FP8", "fp8"),
        ("nvidia/GLM-5.1-NVFP4", "nvfp4"),
        ("deepseek-ai/DeepSeek-V4-Flash", "mxfp4"),
        ("sgl-project/DeepSeek-V4-Flash-FP8", "fp8"),
    ):
        assert api.predict(name, **point).layout.weight_precision == precision
    with_hopper = api.predict("nvidia/GLM-5.1-NVFP4", **{**point, "chip": "h200-sxm", "tp": 16})
    assert with_hopper.layout.weight_precision == "bf16"  # no NVFP4 there: as the model is published


def test_a_multimodal_model_is_its_text_part() -> None:
    said = "text part of a multimodal model: image tokens are not modelled"
    assert said in api.predict("Qwen/Qwen3-VL-8B-Instruct", **POINT).notes
    assert said not in predict().notes


def test_layout_defaults() -> None:
    assert predict(n_chips=4).layout.tp == 4
    assert predict(n_chips=4, pp=2).layout.tp == 2
    assert predict().layout.n_chips == 1
    assert predict(weight_precision="FP8").layout.kv_precision == "fp8"
    assert predict().layout.weight_precision == "bf16"


def test_a_workload_file_may_bring_its_own_load(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("input: 1024\noutput: 256\nconcurrency: 16\n")
    own = predict(workload=str(path), isl=None, osl=None, concurrency=None)
    assert own.metrics["tpot_mean_s"] == predict().metrics["tpot_mean_s"]
    assert predict(workload=str(path), isl=None, osl=None, concurrency=None, rounds=5.0).workload.rounds == 5.0
    assert predict(workload=str(path), isl=None, osl=None, concurrency=4.0).workload.concurrency == 4.0


def test_documents_are_plain_json() -> None:
    p = predict()
    document = json.loads(json.dumps(api.explain_document(p), allow_nan=False))
    for name in ("ttft_mean_s", "tpot_p95_s", "output_tokens_per_s_per_chip"):
        figure = document[name]
        assert figure["low"] <= figure["value"] <= figure["high"]
    step = document["decode_step"]
    assert sum(part["seconds"] for part in step["parts"]) == pytest.approx(step["seconds"])
    assert sum(document["ttft_budget_s"].values()) == pytest.approx(document["ttft_mean_s"]["value"])
    assert document["layout"]["n_chips"] == 1


def test_plan_document_follows_the_contract() -> None:
    answer = api.plan("Qwen/Qwen3-8B", rate=20.0, chips=("h100-sxm",), clouds=("aws",), engines=("vllm",))
    document = json.loads(json.dumps(api.plan_document(answer), allow_nan=False))
    assert {"question", "evaluated", "cpu_s", "elapsed_s", "plans", "unpriced", "rejected"} <= set(document)
    plan = document["plans"][0]
    assert {
        "rank", "stack", "p_meets_slo", "meets_slo", "usd_per_mtok_output", "ttft_p95_s", "tpot_p95_s", "usd_per_hour",
        "replicas", "joules_per_output_token", "kgco2_per_mtok", "why", "sources",
    } <= set(plan)  # fmt: skip
    assert set(plan["usd_per_mtok_output"]) == {"value", "low", "high"}
    assert plan["stack"]["offer"]["usd_per_chip_hour"] > 0
    assert sum(document["rejected_by_reason"].values()) == len(answer.rejected)
    for r in document["rejected"]:
        assert set(r) == {"stack", "kind", "reason"}


def test_the_public_names_exist() -> None:
    import stackwright

    for name in stackwright.__all__:
        assert getattr(stackwright, name) is not None
    assert set(stackwright.__all__) <= set(dir(stackwright))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        stackwright.nonsense  # noqa: B018


def rows_of(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    return list(csv.DictReader((gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()))


def test_a_predicted_table_keeps_the_rows_and_adds_columns(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{COLUMNS}\n{CELLS}\n{CELLS.replace('h100-sxm', 'nope')}\n")
    for name in ("out.csv", "out.csv.gz"):
        summary = api.predict_table(source, tmp_path / name)
        good, bad = rows_of(tmp_path / name)
        assert (summary["n"], summary["predicted"]) == (2, 1)
        assert good["notes"] == "x, y"
        value, low, high = (float(good[f"predicted_tpot_mean_s{end}"]) for end in ("", "_low", "_high"))
        assert low < value < high
        assert good["refused"] == ""
        assert "unknown chip 'nope'" in bad["refused"]
        assert bad["predicted_tpot_mean_s"] == ""


def test_predicting_predictions_replaces_them(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{COLUMNS}\n{CELLS}\n")
    api.predict_table(source, tmp_path / "once.csv")
    api.predict_table(tmp_path / "once.csv", tmp_path / "twice.csv")
    assert (tmp_path / "once.csv").read_text() == (tmp_path / "twice.csv").read_text()


@pytest.mark.parametrize("out", ["in.csv", "x.jsonl", "x.parquet", "no/such/folder.csv", "."])
def test_tables_go_only_where_they_can(tmp_path: Path, out: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{COLUMNS}\n{CELLS}\n")
    with pytest.raises(InputError):
        api.predict_table(source, tmp_path / out)
    assert source.read_text() == f"{COLUMNS}\n{CELLS}\n"
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


def test_api_offers_charge_input_to_output() -> None:
    from stackwright.workload import profile

    w = profile("chat")
    rows = api.api_offers("deepseek-ai/DeepSeek-R1", w)
    assert rows
    costs = [r["usd_per_mtok_output"] for r in rows]
    assert costs == sorted(costs)
    for r in rows:
        by_hand = r["usd_per_mtok_output_list"] + r["usd_per_mtok_input"] * w.input.mean / w.output.mean
        assert r["usd_per_mtok_output"] == pytest.approx(by_hand)
        assert r["source"]
        assert r["date"]


def test_a_binary_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="record"):
        api.constants_from(path)


def test_speculative_decoding_is_an_input_and_in_the_answer() -> None:
    where = {"chip": "h200-sxm", "engine": "sglang", "n_chips": 8, "isl": 1024, "osl": 1024, "concurrency": 8}
    plain = api.predict("deepseek-ai/DeepSeek-R1", **where)
    drafted = api.predict("deepseek-ai/DeepSeek-R1", **where, speculative="mtp", draft_tokens=2, acceptance_length=2.2)
    document = json.loads(json.dumps(api.explain_document(drafted), allow_nan=False))
    assert document["speculation"] == {
        "method": "mtp", "draft_tokens": 2, "acceptance_length": 2.2, "draft_cost": None
    }  # fmt: skip
    assert api.predict_document(plain)["speculation"] is None
    assert drafted.metrics["tpot_mean_s"].value < plain.metrics["tpot_mean_s"].value
    assert [p["name"] for p in document["decode_step"]["parts"]][-1] == "draft"
    by_constant = api.predict("deepseek-ai/DeepSeek-R1", **where, speculative="mtp", draft_tokens=2)
    assert any("--acceptance-length" in note for note in by_constant.notes)
    assert not any("--acceptance-length" in note for note in drafted.notes)


def test_apis_beside_a_plan_keep_to_its_residency():
    w = Workload("w", Lengths.fixed(1000), Lengths.fixed(200))
    everywhere = api.api_offers("deepseek-ai/DeepSeek-R1", w)
    assert everywhere
    assert api.api_offers("deepseek-ai/DeepSeek-R1", w, Market(residency="jp")) == []


def test_an_option_there_is_not_is_a_type_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'tensor_parallel'"):
        api.predict("Qwen/Qwen3-32B", chip="h100-sxm", engine="vllm", isl=1, osl=1, concurrency=1, tensor_parallel=2)
