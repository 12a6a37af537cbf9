import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from stackwright.errors import InputError
from stackwright.measure import Measurement
from stackwright.measure.importers import import_inferencex

AGGREGATED: dict[str, Any] = {
    "hardware": "b200", "framework": "trt", "model": "dsr1", "precision": "fp4", "spec_method": "none",
    "disagg": False, "prefill_tp": 8, "prefill_ep": 8, "prefill_dp_attention": True, "prefill_num_workers": 0,
    "decode_tp": 8, "decode_ep": 8, "decode_dp_attention": True, "decode_num_workers": 0,
    "num_prefill_gpu": 64, "num_decode_gpu": 64, "isl": 1024, "osl": 1024, "conc": 256,
    "image": "nvcr.io#nvidia/tensorrt-llm/release:1.1.0rc2.post2", "date": "2026-03-01T00:00:00Z",
    "run_url": "https://example.org/run/1",
    "metrics": {
        "median_ttft": 0.4, "mean_ttft": 0.9, "p99_ttft": 2.5, "median_tpot": 0.02, "mean_tpot": 0.021,
        "tput_per_gpu": 2500.0, "output_tput_per_gpu": 1250.0, "avg_power_w": 790.0, "joules_per_output_token": 0.6,
    },
}  # fmt: skip
DISAGGREGATED = AGGREGATED | {
    "framework": "dynamo-sglang", "hardware": "gb200", "precision": "fp8", "spec_method": "mtp", "disagg": True,
    "prefill_tp": 4, "prefill_ep": 4, "prefill_dp_attention": False, "prefill_num_workers": 2, "num_prefill_gpu": 8,
    "decode_tp": 16, "decode_ep": 16, "decode_dp_attention": True, "decode_num_workers": 1, "num_decode_gpu": 16,
    "metrics": {"mean_ttft": 1.5, "mean_tpot": 0.015},
}  # fmt: skip
AGENT = AGGREGATED | {"isl": None, "osl": None}


def imported(path: Path, rows: list[dict[str, Any]]) -> list[Measurement]:
    path.write_text(json.dumps(rows))
    return import_inferencex(path)


def test_chips_of_expert_parallel_rows_are_not_counted_twice(tmp_path: Path):
    (m,) = imported(tmp_path / "dump.json", [AGGREGATED])
    assert [m.number(k) for k in ("n_chips", "tp", "attention_dp", "ep", "pp")] == [8, 1, 8, 8, 1]
    assert "printed num_decode_gpu 64" in m.text["notes"]
    assert m.number("output_tokens_per_s_per_chip") == 1250.0


def test_a_row_is_normalised(tmp_path: Path):
    (m,) = imported(tmp_path / "dump.json", [AGGREGATED])
    assert (m.text["chip"], m.text["engine"]) == ("b200-hgx", "tensorrt-llm")
    assert (m.text["model"], m.text["weight_precision"]) == ("deepseek-ai/DeepSeek-R1", "nvfp4")
    assert (m.number("ttft_s"), m.text["ttft_stat"], m.number("ttft_p99_s")) == (0.4, "p50", 2.5)
    assert (m.text["length_dist"], m.number("rounds"), m.text["speculative"]) == ("uniform(0.8,1.0)", 10, "none")
    assert (m.text["engine_version"], m.text["date"]) == ("1.1.0rc2.post2", "2026-03-01")
    assert (m.number("watts_per_chip"), m.number("joules_per_output_token")) == (790.0, 0.6)


def test_disaggregated_pools_and_means_where_there_is_no_median(tmp_path: Path):
    (m,) = imported(tmp_path / "dump.json", [DISAGGREGATED])
    assert (m.text["mode"], m.text["engine"], m.raw["router"]) == ("disaggregated", "sglang", "dynamo")
    assert [m.raw[f"prefill_{k}"] for k in ("workers", "tp", "ep", "attention_dp")] == ["2", "4", "4", "1"]
    assert [m.raw[f"decode_{k}"] for k in ("workers", "tp", "ep", "attention_dp")] == ["1", "1", "16", "16"]
    assert (m.number("n_chips"), m.text["ttft_stat"], m.text["speculative"]) == (24, "mean", "mtp")


def test_four_bits_on_amd_are_mxfp4(tmp_path: Path):
    row = AGGREGATED | {"hardware": "mi355x", "framework": "atom"}
    (m,) = imported(tmp_path / "dump.json", [row])
    assert (m.text["chip"], m.text["engine"], m.text["weight_precision"]) == ("mi355x", "atom", "mxfp4")


def test_rows_without_lengths_are_left_out(tmp_path: Path):
    assert len(imported(tmp_path / "dump.json", [AGGREGATED, AGENT])) == 1
    with pytest.raises(InputError, match="no rows with isl and osl"):
        imported(tmp_path / "agents.json", [AGENT])


def test_every_form_of_the_dump_gives_the_same_rows(tmp_path: Path):
    rows = [AGGREGATED, DISAGGREGATED]
    (tmp_path / "a.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    flat = [
        {f"config_{k}": v for k, v in r.items() if k != "metrics"}
        | {f"metrics_{k}": v for k, v in r["metrics"].items()}
        for r in rows
    ]
    with (tmp_path / "c.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, sorted({k for r in flat for k in r}))
        writer.writeheader()
        writer.writerows(flat)
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress((tmp_path / "c.csv").read_bytes()))
    found = [import_inferencex(tmp_path / name) for name in ("a.json", "b.jsonl", "c.csv", "d.csv.gz")]
    assert all([m.numbers for m in f] == [m.numbers for m in found[0]] for f in found)
    assert all([m.id for m in f] == [m.id for m in found[2]] for f in found[2:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('[{"hardware": "h100"}]', "lacks 'framework'"),
        ("[1]", "expected a list of objects"),
        (json.dumps([AGGREGATED | {"conc": "many"}]), "conc = 'many' is not a number"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str):
    path = tmp_path / "dump.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        import_inferencex(path)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="cannot read"):
        import_inferencex(tmp_path / "absent.json")
