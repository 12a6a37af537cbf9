from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.calibration.rows.groups import data_hash, fold_groups, folds, row_hash, same_run
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.measure import Measurement
from stackwright.measure.importers.cells import row

BASE = {
    "id": "a", "chip": "h200-sxm", "n_chips": 8, "model": "deepseek-ai/DeepSeek-R1", "engine": "sglang",
    "mode": "aggregated", "tp": 8, "isl": 1024, "osl": 1024, "concurrency": 16, "ttft_s": 0.25, "ttft_stat": "mean",
    "tpot_s": 0.018, "tpot_stat": "mean", "length_dist": "fixed",
}  # fmt: skip


def measured(**cells: object) -> Measurement:
    return row(BASE | cells, 1, Path("test"))  # type: ignore[arg-type]


def test_two_labels_of_one_network_are_one_group():
    rows = [measured(), measured(model="deepseek-ai/DeepSeek-V3"), measured(model="DeepSeek-V3.1")]
    for how in ("pair", "model", "random"):
        assert len(set(fold_groups(rows, how))) == 1


def test_groups_are_the_chip_the_network_or_both():
    rows = [measured(), measured(chip="B200"), measured(model="Qwen/Qwen3-32B"), measured(chip="h200")]
    assert fold_groups(rows, "chip") == ["h200-sxm", "b200-hgx", "h200-sxm", "h200-sxm"]
    assert len(set(fold_groups(rows, "pair"))) == 3
    assert len(set(fold_groups(rows, "model"))) == 2


def test_repeats_of_a_point_stay_together_other_points_do_not():
    rows = [measured(), measured(tpot_s=0.02, date="2026-01-01", engine_version="9"), measured(concurrency=32)]
    first, again, other = fold_groups(rows, "random")
    assert first == again != other


def test_an_unknown_model_is_its_own_group():
    assert fold_groups([measured(model="Acme/New")], "model") == ["acme/new"]


def test_an_unknown_grouping_is_refused():
    with pytest.raises(InputError, match="unknown grouping 'moon'"):
        fold_groups([measured()], "moon", load_catalog())  # type: ignore[arg-type]


@given(st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=200), st.integers(2, 6), st.integers(0, 9))
def test_folds_keep_groups_whole_and_are_balanced(keys: list[str], k: int, seed: int):
    if len(set(keys)) < 2:
        return
    found = folds(keys, k, seed)
    assert found == folds(keys, k, seed)
    of_key: dict[str, set[int]] = {}
    for key, fold in zip(keys, found, strict=True):
        of_key.setdefault(key, set()).add(fold)
    assert all(len(f) == 1 for f in of_key.values())
    filled = Counter(found)
    assert len(filled) == min(k, len(set(keys)))
    assert max(filled.values()) - min(filled.values()) <= max(Counter(keys).values())


def test_folds_do_not_depend_on_the_order_of_rows():
    keys = list("aabbbcdddde")
    of_key = dict(zip(keys, folds(keys, 3, 7), strict=True))
    assert dict(zip(keys[::-1], folds(keys[::-1], 3, 7), strict=True)) == of_key


def test_too_few_groups_are_refused():
    with pytest.raises(InputError, match="both must be at least 2"):
        folds(["a", "a"], 5)


def test_a_row_keeps_its_hash_through_repair_and_rewriting():
    a = measured()
    same = measured(id="b", source="elsewhere", tp=1, attention_dp=8, speculative="none", notes="repaired")
    assert row_hash(a) == row_hash(same)
    assert row_hash(a) != row_hash(measured(tpot_s=0.019))
    assert row_hash(a) != row_hash(measured(tpot_stat="p50"))


def test_a_set_of_rows_has_one_hash_in_any_order():
    rows = [measured(), measured(tpot_s=0.019)]
    assert data_hash(rows) == data_hash(rows[::-1]) != data_hash(rows[:1])


def test_latencies_identify_a_run_and_round_throughputs_do_not():
    assert same_run(measured()) == same_run(measured(model="deepseek-ai/DeepSeek-V3", tpot_s=0.018 * (1 + 1e-9)))
    bare = {"ttft_s": None, "ttft_stat": None, "tpot_s": None, "tpot_stat": None, "output_tokens_per_s_per_chip": 500}
    assert same_run(measured(**bare)) != same_run(measured(**bare, n_chips=4))
    assert same_run(measured(**bare)) == same_run(replace(measured(**bare), row=9))
