import os
from collections import Counter
from pathlib import Path

import pytest

from stackwright.errors import InputError, UnknownIdError
from stackwright.measure import Measurement, read_measurements
from stackwright.measure.importers import as_csv, import_file, import_silicon_sample, silicon_sample
from stackwright.measure.importers.layouts import Sizes, repair_product

SAMPLE = Path(__file__).parent / "sample.csv"


@pytest.fixture(scope="module")
def rows() -> dict[str, Measurement]:
    found = import_silicon_sample(SAMPLE)
    return {m.text["notes"].rsplit("printed id ", 1)[1]: m for m in found}


def sizes(m: Measurement) -> tuple[float | None, ...]:
    return tuple(m.number(name) for name in ("n_chips", "tp", "attention_dp", "ep"))


def test_a_plain_row_is_normalised(rows: dict[str, Measurement]):
    m = rows["plain"]
    assert (m.text["chip"], m.text["model"], m.text["engine"]) == ("h200-sxm", "Qwen/Qwen3-32B", "vllm")
    assert (m.number("ttft_s"), m.number("tpot_s")) == (0.9725, 0.0335)
    assert (m.text["ttft_stat"], m.text["tpot_stat"], m.text["mode"]) == ("mean", "mean", "aggregated")
    assert (m.number("concurrency"), m.number("rounds"), m.text["date"]) == (128, 10, "2026-04-17")
    assert (m.text["length_dist"], m.text["weight_precision"]) == ("uniform(0.8,1.0)", "fp8")
    assert m.text["speculative"] == ""
    assert sizes(m) == (4, 4, 1, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("product-tp", (8, 8, 1, 8)), ("product-dp", (8, 1, 8, 8)), ("vllm-dp", (4, 1, 4, 4))],
)
def test_chips_counted_twice_are_counted_once(rows: dict[str, Measurement], name: str, expected: tuple[int, ...]):
    assert sizes(rows[name]) == expected
    assert "layout repaired, printed tp" in rows[name].text["notes"]


@pytest.mark.parametrize("printed", [Sizes(8, 1, 1, 8), Sizes(8, 1, 8, 1), Sizes(4, 1, 1, 1), Sizes(1, 8, 8, 1)])
def test_sound_sizes_are_left_alone(printed: Sizes):
    assert repair_product(printed) is None


def test_weights_are_named_as_they_are_stored(rows: dict[str, Measurement]):
    assert rows["vllm-dp"].text["weight_precision"] == "mxfp4"
    assert "weights are MXFP4" in rows["vllm-dp"].text["notes"]
    assert rows["product-tp"].text["weight_precision"] == "nvfp4"
    assert rows["gap"].text["weight_precision"] == "bf16"
    assert "precision not stated" in rows["gap"].text["notes"]


def test_the_gap_analysis_has_fixed_lengths_and_no_rounds(rows: dict[str, Measurement]):
    assert rows["gap"].text["length_dist"] == "fixed"
    assert rows["gap"].number("rounds") is None
    assert "gap analysis" in rows["gap"].text["source"]


def test_a_router_is_named_with_the_replicas_behind_it(rows: dict[str, Measurement]):
    assert rows["routed"].raw["router"] == "dynamo 0.9.0"
    assert "about 2 replicas" in rows["routed"].text["notes"]


def test_pools_of_a_disaggregated_row(rows: dict[str, Measurement]):
    raw = rows["pools"].raw
    assert [raw[f"prefill_{k}"] for k in ("workers", "tp", "ep", "attention_dp")] == ["2", "4", "1", "1"]
    assert [raw[f"decode_{k}"] for k in ("workers", "tp", "ep", "attention_dp")] == ["1", "1", "8", "8"]
    assert rows["pools"].number("n_chips") == 16


def test_ids_depend_on_content_alone(rows: dict[str, Measurement], tmp_path: Path):
    head, *lines = SAMPLE.read_text().splitlines()
    other = tmp_path / "reversed.csv"
    other.write_text("\n".join([head, *reversed(lines)]))
    assert {m.id for m in import_silicon_sample(other)} == {m.id for m in rows.values()}
    assert len({m.id for m in rows.values()}) == len(rows)


def test_what_is_written_reads_back(tmp_path: Path):
    found = import_silicon_sample(SAMPLE)
    path = tmp_path / "table.csv"
    path.write_text(as_csv(found))
    again = read_measurements(path)
    assert [(m.text, m.numbers) for m in again] == [(m.text, m.numbers) for m in found]
    assert [m.raw["moe_tp"] for m in again] == [m.raw["moe_tp"] for m in found]


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(silicon_sample, "PACKAGES", ("no_such_package_of_ours",))
    with pytest.raises(InputError, match=r"pip install aiconfigurator-core==0.12.0"):
        import_silicon_sample()


def test_the_wheel_is_found_under_either_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "aisimulate_core" / silicon_sample.FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(SAMPLE.read_bytes())
    (tmp_path / "aisimulate_core" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.setattr(silicon_sample, "PACKAGES", ("no_such_package_of_ours", "aisimulate_core"))
    monkeypatch.syspath_prepend(tmp_path)
    assert silicon_sample.sample_path() == file
    assert len(import_silicon_sample()) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("silicon_tpot_ms", "tpot"), "10 rows"),
        (("system,", "machine,"), "lacks the column 'system'"),
        ((",8192,1024,fp8", ",8k,1024,fp8"), "isl = '8k' is not a number"),
        ((",agg,", ",both,"), "neither agg nor disagg"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path, change: tuple[str, str], message: str):
    path = tmp_path / "bad.csv"
    path.write_text(SAMPLE.read_text().replace(*change))
    if message == "10 rows":  # a metric that is not there is unknown, not an error
        assert len(import_silicon_sample(path)) == 10
        return
    with pytest.raises(InputError, match=message):
        import_silicon_sample(path)


def test_files_are_imported_by_kind():
    assert len(import_file(SAMPLE, "silicon-sample")) == 10
    with pytest.raises(UnknownIdError, match="silicon-sample"):
        import_file(SAMPLE, "silicon")
    with pytest.raises(InputError, match="cannot read"):
        import_file(SAMPLE.with_name("absent.csv"), "silicon-sample")


@pytest.mark.shared
def test_the_whole_file_of_the_wheel():
    given = os.environ.get("STACKWRIGHT_SILICON_SAMPLE")
    try:
        found = import_silicon_sample(Path(given) if given else None)
    except InputError as error:
        pytest.skip(str(error))
    assert len(found) == len({m.id for m in found}) == 5221
    assert Counter(m.text["mode"] for m in found) == {"aggregated": 3619, "disaggregated": 1602}
