"""Explain: parts sum to the whole, in time and in dollars; tables in Parquet."""

import pytest

import stackwright
from stackwright.measure import read_measurements

POINT = {"chip": "h200-sxm", "engine": "sglang", "n_chips": 8, "isl": 1024, "osl": 1024, "concurrency": 64}


@pytest.fixture(scope="module")
def document():
    return stackwright.explain("deepseek-ai/DeepSeek-R1", **POINT)


@pytest.mark.parametrize("step", ["decode_step", "prompt_step"])
def test_parts_sum_to_the_step(document, step):
    parts = document[step]["parts"]
    assert sum(p["seconds"] for p in parts) == pytest.approx(document[step]["seconds"], rel=1e-12)
    assert {p["bound"] for p in parts} <= {"memory", "compute", "links", "fixed"}


def test_causes_sum_to_the_mean_ttft(document):
    assert sum(document["ttft_budget_s"].values()) == pytest.approx(document["ttft_mean_s"]["value"], rel=1e-9)


def test_dollars_sum_to_the_cost_of_a_token(document):
    cost = document["cost"]
    assert sum(p["usd_per_mtok_output"] for p in cost["parts"]) == pytest.approx(
        cost["usd_per_mtok_output"]["value"], rel=1e-9
    )
    tokens = document["output_tokens_per_s_per_chip"]["value"] * 8
    assert cost["usd_per_mtok_output"]["value"] == pytest.approx(cost["usd_per_replica_hour"] / tokens / 3600 * 1e6)


def test_an_unpriced_chip_has_no_dollars():
    found = stackwright.explain(
        "meta-llama/Meta-Llama-3.1-8B", chip="gaudi3", engine="optimum-habana", isl=512, osl=128, concurrency=8
    )
    assert found["cost"] is None


def test_parquet_reads_like_csv(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "chip": ["h200-sxm"],
        "model": ["m"],
        "engine": ["vllm"],
        "isl": [100.0],
        "osl": [10.0],
        "tpot_s": [None],
    }
    path = tmp_path / "points.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    (row,) = read_measurements(path)
    assert row.number("isl") == 100.0
    assert row.number("tpot_s") is None
