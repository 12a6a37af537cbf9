import os
from collections import Counter
from pathlib import Path

import pytest

from stackwright.calibration.gate.__main__ import main
from stackwright.calibration.gate.admit import COLD_START, REPAIRS, SET_DOUBTS, SET_RULES, gate
from stackwright.calibration.gate.report import gate_report
from stackwright.calibration.gate.rules import DOUBTING, REFUSING, Facts, decoding_share, least_step_s
from stackwright.calibration.rows.groups import row_hash
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.llm import parse_config, weight_bytes
from stackwright.measure import Measurement, read_measurements
from stackwright.measure.importers import as_csv, import_silicon_sample
from stackwright.measure.importers.cells import row

CATALOG = load_catalog()
SAMPLE = Path(__file__).parents[1] / "measure" / "importers" / "sample.csv"
DENSE = {
    "id": "dense", "source": "a test", "chip": "h100-sxm", "n_chips": 2, "model": "Qwen/Qwen3-32B",
    "weight_precision": "fp8", "engine": "vllm", "mode": "aggregated", "tp": 2, "pp": 1, "ep": 1, "attention_dp": 1,
    "isl": 1000, "osl": 1000, "length_dist": "fixed", "concurrency": 16,
    "ttft_s": 0.3, "ttft_stat": "mean", "tpot_s": 0.02, "tpot_stat": "mean",
}  # fmt: skip
EXPERTS = DENSE | {
    "id": "experts", "chip": "b200-hgx", "n_chips": 8, "tp": 8, "ep": 8, "model": "deepseek-ai/DeepSeek-R1",
    "weight_precision": "nvfp4", "engine": "tensorrt-llm",
}  # fmt: skip
POOLS = EXPERTS | {
    "id": "pools", "mode": "disaggregated", "tp": None, "pp": None, "ep": None, "attention_dp": None, "n_chips": 16,
    "prefill_workers": 2, "prefill_tp": 4, "prefill_ep": 4, "prefill_attention_dp": 1,
    "decode_workers": 1, "decode_tp": 1, "decode_ep": 8, "decode_attention_dp": 8,
}  # fmt: skip


def dense(**cells: object) -> Measurement:
    return row(DENSE | cells, 1, Path("test"))  # type: ignore[arg-type]


def experts(**cells: object) -> Measurement:
    return row(EXPERTS | cells, 1, Path("test"))  # type: ignore[arg-type]


def pools(**cells: object) -> Measurement:
    return row(POOLS | cells, 1, Path("test"))  # type: ignore[arg-type]


def refusal(m: Measurement) -> str:
    found = gate([m], CATALOG)
    assert len(found.kept) + len(found.refused) == 1
    return found.refused[0].rule if found.refused else ""


def doubt(m: Measurement) -> str:
    found = gate([m], CATALOG)
    assert not found.refused, found.refused
    return found.doubts[0].split(":")[0]


def test_a_sound_row_passes_unchanged():
    m = dense()
    found = gate([m], CATALOG)
    assert (found.kept, found.doubts, found.refused, found.strict) == ([m], [""], [], [True])
    assert found.strict_rows == [m]
    assert doubt(experts(speculative="none")) == doubt(pools(speculative="none")) == ""


NO_LATENCY = {"ttft_s": None, "ttft_stat": None, "tpot_s": None, "tpot_stat": None}


@pytest.mark.parametrize(
    ("m", "rule"),
    [
        (dense(**NO_LATENCY), "nothing measured"),
        (dense(ttft_stat=None), "mean or median"),
        (dense(tpot_stat="p95"), "mean or median"),
        (dense(length_dist=None), "length distribution"),
        (dense(length_dist="normal(3)"), "length distribution"),
        (dense(concurrency=None), "load"),
        (dense(n_chips=16, tp=16), "deployment total"),
        (experts(chip="gb200", n_chips=28, tp=28, ep=1), "deployment total"),
        (dense(tp=1), "layout"),
        (dense(ep=4), "layout"),
        (experts(moe_tp=4), "layout"),
        (experts(n_chips=1, tp=1, ep=1), "weights fit"),
        (dense(tpot_s=0.003), "faster than light"),
        (dense(ttft_s=60.0), "hidden queue"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_each_rule_refuses_the_row_it_is_for(m: Measurement, rule: str):
    assert refusal(m) == rule


@pytest.mark.parametrize(
    "m",
    [
        dense(**NO_LATENCY, output_tokens_per_s_per_chip=500, concurrency=None),
        dense(concurrency=None, request_rate=2.0),
        dense(ttft_s=60.0, osl=100),
        dense(tpot_s=0.003, speculative="mtp"),
        experts(chip="gb200", n_chips=16, tp=1, attention_dp=16, ep=16, speculative="none"),
        experts(moe_tp=1, speculative="none"),
        experts(tp=1, attention_dp=8, moe_tp=1, speculative="none"),
        dense(chip="acme-one", ttft_s=0.001, tpot_s=0.0001),
        dense(model="Acme/New", ttft_s=0.001, tpot_s=0.0001),
    ],
)
def test_a_rule_does_not_reach_beyond_its_case(m: Measurement):
    assert refusal(m) == ""


def test_rows_physics_cannot_judge_are_counted():
    assert gate([dense(), dense(id="x", model="Acme/New", tpot_s=0.03)], CATALOG).unchecked == 1


def test_the_least_step_streams_the_weights_at_nominal_bandwidth():
    entry = CATALOG.model("Qwen/Qwen3-32B")
    model = parse_config(entry.config, entry.id)
    facts = Facts(CATALOG)
    least = least_step_s(dense(isl=1, osl=1, concurrency=1), facts)
    embedding = 2.0 * model.head_parameters  # BF16; looked up, not streamed
    expected = (weight_bytes(model, "fp8") - embedding) / 2 / CATALOG.chip("h100").memory.bandwidth_bytes_per_s
    assert least == pytest.approx(expected, rel=1e-3)


def test_the_least_step_grows_with_load_and_length_and_falls_with_chips():
    facts = Facts(CATALOG)

    def least(**cells: object) -> float:
        found = least_step_s(dense(**cells), facts)
        assert found is not None
        return found

    assert least() < least(concurrency=64) < least(concurrency=64, isl=4000)
    assert least(n_chips=4, tp=4) < least()
    assert least(kv_precision="bf16") > least()
    assert least_step_s(dense(concurrency=None), facts) is None


def test_the_share_of_decoding():
    assert decoding_share(dense(ttft_s=1.0, tpot_s=0.003, osl=1000)) == pytest.approx(0.75)
    assert decoding_share(dense(ttft_s=None, ttft_stat=None)) is None


def test_a_run_under_two_labels_is_kept_once_under_the_soundest():
    printed = experts(id="v3", model="deepseek-ai/DeepSeek-V3", notes="layout repaired, printed tp 64")
    plain = experts(id="r1", tpot_s=0.02 * (1 + 1e-9))
    for rows in ([printed, plain], [plain, printed]):
        found = gate(rows, CATALOG)
        assert [m.id for m in found.kept] == ["r1"]
        assert [(r.rule, r.measurement.id) for r in found.refused] == [("several labels", "v3")]
    again = gate([dense(), dense(id="again")], CATALOG)
    assert [r.rule for r in again.refused] == ["exact duplicate"]
    assert "the run of again" in again.refused[0].reason or "the run of dense" in again.refused[0].reason


def test_a_run_printed_with_fewer_digits_is_the_same_run():
    full = dense(id="full", ttft_s=0.123456, tpot_s=0.0115234, date="2026-03-24")
    short = dense(id="short", ttft_s=0.1235, tpot_s=0.01152)
    again = dense(id="another run", ttft_s=0.1240, tpot_s=0.01152)
    elsewhere = dense(id="another load", ttft_s=0.12351, tpot_s=0.01152, concurrency=17)
    found = gate([short, full, again, elsewhere], CATALOG)
    assert [m.id for m in found.kept] == ["full", "another run", "another load"]
    assert [(r.rule, r.measurement.id) for r in found.refused] == [("rounded duplicate", "short")]
    assert "the run of full" in found.refused[0].reason


def test_data_parallel_ranks_in_tp_are_divided_out():
    found = gate([experts(attention_dp=8, speculative="none")], CATALOG)
    assert (found.kept[0].number("tp"), found.kept[0].raw["tp"]) == (1.0, "1")
    assert found.repairs == {"tp holds the data-parallel ranks": 1}
    assert "printed tp 8" in found.kept[0].text["notes"]
    assert row_hash(found.kept[0]) == row_hash(experts(attention_dp=8))


def test_cores_are_turned_into_chips():
    found = gate([dense(chip="tpu-v7-ironwood", n_chips=4, tp=8, engine="vllm")], CATALOG)
    assert (found.kept[0].number("tp"), found.repairs) == (4.0, {"cores counted as chips": 1})


def test_hidden_speculation_is_recovered_from_a_matching_row():
    stated = [experts(id="none", source="b", speculative="none", tpot_stat="p50", tpot_s=0.0201)]
    stated += [experts(id="mtp", source="b", speculative="mtp", tpot_stat="p50", tpot_s=0.011)]
    for tpot, flag, strict in ((0.02, "none", True), (0.0112, "mtp", True), (0.015, "", False)):
        found = gate([experts(tpot_s=tpot), *stated], CATALOG)
        assert found.kept[0].text["speculative"] == flag
        assert found.strict[0] is strict
    elsewhere = gate([experts(concurrency=32), *stated], CATALOG)
    assert elsewhere.doubts[0].startswith("hidden speculation")


@pytest.mark.parametrize(
    ("m", "rule"),
    [
        (experts(), "hidden speculation"),
        (experts(speculative="unknown"), "hidden speculation"),
        (experts(engine="sglang"), ""),
        (experts(engine="sglang", speculative="mtp2"), ""),
        (experts(engine="sglang", speculative="medusa"), "speculation"),
        (pools(engine="sglang", speculative="mtp2"), "speculation"),
        (pools(engine="sglang"), "hidden speculation"),
        (dense(engine="tensorrt-llm"), ""),
        (dense(router="dynamo 0.9.0"), "router"),
        (dense(output_tokens_per_s_per_chip=20.0), "contradictory rate"),
        (dense(output_tokens_per_s_per_chip=390.0), ""),
        (pools(speculative="none", router="dynamo 0.9.0"), ""),
        (pools(speculative="none", decode_workers=None), "pools"),
        (pools(speculative="none", n_chips=20), "pools"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_is_not_stated_keeps_a_row_out_of_the_strict_set(m: Measurement, rule: str):
    assert doubt(m) == rule


def test_a_repaired_row_keeps_the_hash_it_was_published_with():
    """Or a record would not know its own rows again."""
    printed = pools(speculative="none", output_tokens_per_s_per_chip=800.0, total_tokens_per_s_per_chip=800.0)
    doubled = experts(ep=1, notes="MoE models use attention DP (enable_attention_dp) + EP")
    for raw in (printed, doubled):
        found = gate([raw], CATALOG)
        assert found.repairs
        assert row_hash(found.kept[0]) == row_hash(raw)


def test_ranks_that_only_notes_state_are_put_where_they_belong():
    """Notes of the table of TensorRT-LLM 1.0; a dense model of the same table keeps its tensor parallelism."""
    notes = "MoE models use attention DP (enable_attention_dp) + EP"
    found = gate([experts(ep=1, notes=notes), dense(notes=notes, tpot_s=0.03)], CATALOG)
    sizes = [[m.number(k) for k in ("tp", "attention_dp", "ep")] for m in found.kept]
    assert sizes == [[1.0, 8.0, 8.0], [2.0, 1.0, 1.0]]
    assert found.repairs == {"attention data parallelism in the notes": 1}
    assert not gate([experts(ep=1, notes="enable_attention_dp: false")], CATALOG).repairs


@pytest.mark.parametrize(("mean_s", "doubtful"), [(3.0, True), (0.6, False)])
def test_a_mean_far_above_the_median_of_its_run_puts_its_campaign_in_doubt(mean_s: float, doubtful: bool):
    """16 users and 10 rounds: the first round lifts the mean to 2.6 medians at most; 5.2 is beyond noise."""
    day = {"date": "2026-01-02", "rounds": 10}
    mean = dense(id="mean", ttft_s=mean_s, **day)
    same = dense(id="same", ttft_s=0.3, ttft_stat="p50", tpot_stat="p50", **day)
    later = dense(id="later", ttft_s=0.4, tpot_s=0.03, concurrency=32, **day)
    other = dense(id="other", ttft_s=0.5, tpot_s=0.04, concurrency=64, **(day | {"date": "2026-01-03"}))
    found = gate([mean, same, later, other], CATALOG)
    cold = {m.id for m, d in zip(found.kept, found.doubts, strict=True) if d.startswith(COLD_START)}
    assert cold == ({"mean", "later"} if doubtful else set())


def test_every_rule_has_a_name_a_meaning_and_a_source():
    rules = [*REFUSING, *DOUBTING]
    names = [r.name for r in rules] + list(SET_RULES) + list(REPAIRS) + list(SET_DOUBTS)
    assert len(set(names)) == len(names)
    assert all(r.meaning.endswith(".") and len(r.source) > 10 for r in rules)
    assert not any(":" in name for name in names)


def test_the_report_accounts_for_every_row():
    rows = import_silicon_sample(SAMPLE)
    found = gate_report(rows, CATALOG)
    refused = sum(c.rows for c in found.counts if c.effect == "refused")
    doubted = sum(c.rows for c in found.counts if c.effect == "not strict")
    assert sum(found.read.values()) == sum(found.kept.values()) + refused == 10
    assert sum(found.strict.values()) == sum(found.kept.values()) - doubted
    by_rule = {c.rule: c.rows for c in found.counts if c.rows}
    assert by_rule == {"several labels": 1, "deployment total": 1, "hidden speculation": 2, "router": 1}
    assert "| several labels | refused | 1 |" in found.text()


def test_the_report_is_printed_for_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = tmp_path / "table.csv"
    table.write_text(as_csv([dense()]))
    assert main([f"silicon-sample={SAMPLE}", str(table)]) == 0
    assert "| aggregated | 10 | 8 |" in capsys.readouterr().out
    assert main([str(tmp_path / "absent.csv")]) == 2
    assert main([]) == 2


@pytest.mark.shared
def test_the_published_operating_points_pass():
    folder = os.environ.get("STACKWRIGHT_DATA")
    path = Path(folder or ".") / "measurements" / "operating_points.csv.gz"
    if not folder or not path.is_file():
        pytest.skip("STACKWRIGHT_DATA with measurements/operating_points.csv.gz is not set")
    rows = read_measurements(path)
    found = gate(rows, CATALOG)
    assert len(found.kept) + len(found.refused) == len(rows)
    assert len(found.refused) < 0.01 * len(rows)


@pytest.mark.shared
def test_the_counts_of_the_wheel_are_those_of_the_study():
    """De-duplication and refusals as first counted by hand: 2,949 aggregated points, 55 totals, 19, 6 and 8."""
    given = os.environ.get("STACKWRIGHT_SILICON_SAMPLE")
    try:
        rows = import_silicon_sample(Path(given) if given else None)
    except InputError as error:
        pytest.skip(str(error))
    found = gate(rows, CATALOG)
    aggregated = [r for r in found.refused if r.measurement.text["mode"] == "aggregated"]
    counts = Counter(r.rule for r in aggregated)
    repeated = counts.pop("exact duplicate") + counts.pop("several labels")
    assert 3619 - repeated == 2949
    assert counts.pop("rounded duplicate") == 122
    assert counts == {"deployment total": 55, "layout": 19, "faster than light": 6, "hidden queue": 8}
