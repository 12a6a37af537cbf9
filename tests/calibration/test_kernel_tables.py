"""Kernel tables: a synthetic table gives its curve back, units and shapes by hand, the shipped curves, the prior."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from stackwright.calibration.kernels.curves import Work, fit_curve
from stackwright.calibration.kernels.tables import curves_json, fit_tables, main, version_key
from stackwright.calibration.kernels.work import (
    Context,
    Table,
    all_reduce_work,
    context_attention_work,
    gemm_work,
    generation_attention_work,
    generation_mla_work,
    moe_work,
    power_law_experts_hit,
)
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.llm import parse_config
from stackwright.performance import load_constants
from stackwright.performance.kernel_prior import (
    KERNEL_DTYPES,
    kernel_evidence,
    kernel_peak_flops,
    kernel_prior,
    load_kernel_curves,
)

CATALOG = load_catalog()
H200 = CATALOG.chip("h200-sxm")
BANDWIDTH, PEAK = H200.memory.bandwidth_bytes_per_s, H200.compute.bf16
TRUE = (6e-6, 0.78, 0.61)


def times(n_bytes: np.ndarray, flops: np.ndarray, bandwidth: float = BANDWIDTH, peak: float = PEAK) -> np.ndarray:
    t0, e_b, e_f = TRUE
    return t0 + ((n_bytes / (bandwidth * e_b)) ** 4 + (flops / (peak * e_f)) ** 4) ** 0.25


def gemm_table(noise: float = 0.0) -> dict[str, np.ndarray]:
    sizes = np.array([512, 1024, 2048, 4096, 8192, 16384])
    m, n, k = (a.ravel() for a in np.meshgrid([1, 4, 16, 64, 256, 1024, 4096, 16384], sizes, sizes, indexing="ij"))
    seconds = times(2.0 * (n * k + m * k + m * n), 2.0 * m * n * k)
    seconds *= np.exp(noise * np.random.default_rng(1).standard_normal(len(m)))
    dtype = np.array(["bfloat16"] * len(m), dtype=object)
    return {"gemm_dtype": dtype, "m": m, "n": n, "k": k, "latency": 1e3 * seconds}


def moe_table(tokens: int, ep: int = 1, distribution: str = "balanced", source: str = "cutlass") -> Table:
    row = {
        "moe_dtype": "bfloat16", "num_tokens": tokens, "hidden_size": 4096, "inter_size": 1024, "topk": 8,
        "num_experts": 128, "moe_tp_size": 1, "moe_ep_size": ep, "distribution": distribution,
        "kernel_source": source, "latency": 0.1,
    }  # fmt: skip
    return Table({k: np.array([v], dtype=object if isinstance(v, str) else None) for k, v in row.items()})


def test_constants_of_a_curve_come_back() -> None:
    t = gemm_table(noise=0.03)
    work = gemm_work(Table(t), Context(H200, {}))["bfloat16"]
    fit = fit_curve(work, BANDWIDTH, PEAK)
    assert (fit.t0_s, fit.memory_efficiency, fit.compute_efficiency) == pytest.approx(TRUE, rel=0.02)
    assert fit.median_error_pct < 3.0
    assert fit.note == ""


def test_outliers_do_not_move_a_curve() -> None:
    t = gemm_table()
    t["latency"][::10] *= 5.0
    fit = fit_curve(gemm_work(Table(t), Context(H200, {}))["bfloat16"], BANDWIDTH, PEAK)
    assert (fit.memory_efficiency, fit.compute_efficiency) == pytest.approx(TRUE[1:], rel=0.02)


def test_known_part_is_taken_off() -> None:
    n_bytes, flops = np.logspace(5, 10, 200), np.logspace(13, 8, 200)
    known = np.linspace(1e-5, 1e-3, 200)
    fit = fit_curve(Work(times(n_bytes, flops) + known, n_bytes, flops, known), BANDWIDTH, PEAK)
    assert (fit.t0_s, fit.memory_efficiency, fit.compute_efficiency) == pytest.approx(TRUE, rel=0.02)


def test_what_rows_do_not_fix_is_none_with_a_reason() -> None:
    n_bytes = np.logspace(6, 10, 100)
    fit = fit_curve(Work(times(n_bytes, 1e3 * n_bytes * 1e-6), n_bytes, 1e-3 * n_bytes), BANDWIDTH, PEAK)
    assert fit.compute_efficiency is None
    assert "compute efficiency: only 0 rows" in fit.note
    faster_than_light = fit_curve(Work(n_bytes / BANDWIDTH / 2.0, n_bytes, 0.0 * n_bytes), BANDWIDTH, PEAK)
    assert faster_than_light.memory_efficiency is None
    assert "bound of 1" in faster_than_light.note


def test_balanced_tokens_hit_every_expert_as_soon_as_there_are_enough() -> None:
    expert_bytes, activation = 3 * 4096 * 1024 * 2.0, 4096 * 4.0
    for tokens, ep, hit in ((1, 1, 8), (4, 1, 32), (16, 1, 128), (64, 1, 128), (16, 8, 16)):
        work = moe_work(moe_table(tokens, ep), Context(H200, {}))["bfloat16"]
        assert work.n_bytes[0] == pytest.approx(hit * expert_bytes + tokens * activation)
        assert work.flops[0] == pytest.approx(2 * 3 * 4096 * 1024 * tokens * 8 / ep)
        assert work.seconds[0] == pytest.approx(1e-4)


def test_skewed_tokens_hit_fewer_experts_and_ungated_experts_are_left_out() -> None:
    experts, top_k = np.array([128.0]), np.array([8.0])
    hits = [float(power_law_experts_hit(experts, top_k, np.array([t]), 1.01)[0]) for t in (1.0, 32.0, 512.0, 16384.0)]
    assert hits == sorted(hits)
    assert hits[0] <= 8.0
    assert hits[1] < 128 * (1 - (1 - 8 / 128) ** 32)  # a uniform draw hits more
    assert 115.0 < hits[3] <= 128.0
    assert moe_work(moe_table(8, source="flow_nongated"), Context(H200, {})) == {}
    known = Context(H200, {}, frozenset({(4096, 1024, 8, 128)}))
    assert moe_work(moe_table(8), known) == {}


def test_attention_and_all_reduce_by_hand() -> None:
    row = {
        "batch_size": 4, "isl": 1, "step": 1023, "num_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
        "window_size": 0, "attn_dtype": "bfloat16", "kv_cache_dtype": "fp8", "latency": 2.0,
    }  # fmt: skip
    t = Table({k: np.array([v], dtype=object if isinstance(v, str) else None) for k, v in row.items()})
    work = generation_attention_work(t, Context(H200, {}))["gqa_fp8"]
    assert (work.seconds[0], work.n_bytes[0]) == pytest.approx((2e-3, 4 * 1024 * 2 * 8 * 128))
    assert work.flops[0] == pytest.approx(4 * 1024 * 4 * 32 * 128)
    latent = generation_mla_work(t, Context(H200, {}))["mla_fp8"]
    assert (latent.n_bytes[0], latent.flops[0]) == pytest.approx((4 * 1024 * 576, 4 * 1024 * 2 * 32 * 1088))
    prompt = Table({**t.columns, "isl": np.array([2048]), "step": np.array([0])})
    causal = context_attention_work(prompt, Context(H200, {}))["gqa_fp8"]
    assert causal.flops[0] == pytest.approx(4 * 2048**2 / 2 * 4 * 32 * 128)
    messages = {"allreduce_dtype": "bfloat16", "num_gpus": 4, "message_size": 4096, "latency": 0.01, "backend": "graph"}
    t = Table({k: np.array([v], dtype=object if isinstance(v, str) else None) for k, v in messages.items()})
    work = all_reduce_work(t, Context(H200, {}))["bfloat16"]
    assert work.n_bytes[0] == pytest.approx(4096 * 2 * 2 * 3 / 4)  # elements x 2 bytes x ring volume


def test_versions_sort_as_releases_do() -> None:
    assert version_key("0.5.9") < version_key("0.5.10") < version_key("0.5.10.post1") < version_key("0.5.14")
    assert version_key("1.3.0rc9") < version_key("1.3.0rc20") < version_key("1.3.0")


def write_tables(site: Path) -> None:
    """A package with an old and a new GEMM table of H200 and vLLM, and a chip that the catalogue does not know."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pq = pytest.importorskip("pyarrow.parquet")
    columns = gemm_table(noise=0.02)
    for system, version, factor in (("h200_sxm", "0.9.0", 3.0), ("h200_sxm", "0.10.0", 1.0), ("abacus", "1.0", 1.0)):
        folder = site / "aisimulate_core/systems/data" / system / "gemm/vllm" / version
        folder.mkdir(parents=True)
        table = pa.table({k: (factor * v if k == "latency" else v) for k, v in columns.items()})
        pq.write_table(table, folder / "gemm_perf.parquet")
    (site / "aisimulate_core-7.8.9.dist-info").mkdir()


def test_tables_on_disk_become_curves_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_tables(tmp_path)
    out = tmp_path / "curves.json"
    assert main(["--wheel-dir", str(tmp_path), "--out", str(out)]) == 0
    (row,) = json.loads(out.read_text())
    assert (row["chip"], row["engine"], row["op"], row["dtype"]) == ("h200-sxm", "vllm", "gemm", "bfloat16")
    assert (row["t0_s"], row["memory_efficiency"], row["compute_efficiency"]) == pytest.approx(TRUE, rel=0.02)
    assert row["framework_version"] == "0.10.0"
    assert row["source"].startswith("aisimulate-core 7.8.9 (Apache-2.0), systems/data/h200_sxm/gemm/vllm/0.10.0/")
    assert out.read_text() == curves_json(fit_tables(tmp_path, CATALOG))


def test_a_folder_without_tables_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wheel-dir", str(tmp_path), "--out", str(tmp_path / "x.json")]) == 2
    assert "holds neither aiconfigurator_core" in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()


def test_missing_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from stackwright.calibration.kernels.work import read_table

    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"stackwright\[calibrate\]"):
        read_table(tmp_path / "gemm_perf.parquet")


def test_shipped_curves_are_physical_and_sourced() -> None:
    curves = load_kernel_curves()
    assert len(curves) > 200
    assert len({(c.chip, c.engine, c.op, c.dtype) for c in curves}) == len(curves)
    for c in curves:
        assert c.chip in CATALOG.chips
        assert c.engine in CATALOG.engines
        assert CATALOG.chip(c.chip).family == c.family
        assert c.dtype in KERNEL_DTYPES or c.op in ("gen_attn", "ctx_attn")
        assert "Apache-2.0" in c.source
        for efficiency in (c.memory_efficiency, c.compute_efficiency):
            assert efficiency is None or 0.0 < efficiency < 1.0
        assert c.t0_s is None or 1e-7 < c.t0_s < 1e-3
        assert c.median_error_pct < 40.0 or c.note.startswith("set aside")
        if c.memory_efficiency is None and c.op != "allreduce":
            assert c.note


def model(name: str):  # type: ignore[no-untyped-def]
    entry = CATALOG.model(name)
    return parse_config(entry.config, entry.id)


def test_prior_values_lie_inside_the_bounds_of_their_constants() -> None:
    entries = load_constants().entries
    for chip in ("h100-sxm", "b200-hgx", "gb300", "a100-sxm-80", "l40s"):
        for engine in ("vllm", "sglang", "tensorrt-llm"):
            for name in ("Qwen/Qwen3-32B", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-R1"):
                for precision in ("bf16", "fp8", "nvfp4", "mxfp4"):
                    prior = kernel_prior(engine, CATALOG.chip(chip), model(name), precision, "fp8")
                    for constant, value in prior.items():
                        assert entries[constant].low < value < entries[constant].high, (chip, engine, name, constant)


def test_prior_follows_the_kernel_that_runs() -> None:
    r1 = model("deepseek-ai/DeepSeek-R1")
    found = kernel_evidence("sglang", H200, r1, "fp8")
    assert found["gemm_efficiency"].curves[0].dtype == "fp8_block"
    assert found["kv_bandwidth_efficiency"].curves[0].dtype == "mla"
    assert found["moe_layer_overhead_s"].value == pytest.approx(0.5 * found["moe_layer_overhead_s"].curves[0].t0_s)
    gpt = model("openai/gpt-oss-120b")
    dense = kernel_evidence("vllm", CATALOG.chip("b200-hgx"), gpt, "mxfp4")["gemm_efficiency"]
    assert dense.curves[0].dtype == "bfloat16"  # only the experts of gpt-oss are quantised
    assert kernel_evidence("vllm", H200, gpt, "mxfp4")["expert_gemm_efficiency"].curves[0].dtype == "w4a16_mxfp4"


def test_prior_rate_is_relative_to_the_peak_of_the_step_time() -> None:
    """FP8 weights on Ampere multiply in BF16, so the peak is BF16's on both sides and nothing exceeds 1."""
    a100 = CATALOG.chip("a100-sxm-80")
    assert kernel_peak_flops(a100, "fp8") == a100.compute.bf16
    assert kernel_peak_flops(H200, "fp8") == H200.compute.fp8


def test_prior_falls_back_to_the_family_but_never_to_another_engine() -> None:
    qwen = model("Qwen/Qwen3-32B")
    a100_40 = kernel_evidence("vllm", CATALOG.chip("a100-sxm-40"), qwen, "bf16")["weight_bandwidth_efficiency"]
    assert not a100_40.same_chip
    assert [c.chip for c in a100_40.curves] == ["a100-sxm-80"]
    assert kernel_prior("vllm", CATALOG.chip("mi300x"), qwen, "bf16") == {}
    assert kernel_prior("no-such-engine", H200, qwen, "bf16") == {}
    assert {c.engine for e in kernel_evidence("sglang", H200, qwen, "fp8").values() for c in e.curves} == {"sglang"}
