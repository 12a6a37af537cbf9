from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackwright.measure.importers import as_csv
from tests.calibration.rows import made_up
from tests.cli.commands import Shell


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("points") / "points.csv"
    path.write_text(as_csv(made_up()))
    return path


def test_calibrate_then_predict_and_validate(shell: Shell, points: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    text = shell.answered("calibrate", "--points", str(points), "--out", str(record))
    assert "27 strict rows fitted of 27 read" in text
    assert "unseen pair of model and chip (9 groups)" in text
    assert "pair seen" in text
    document = shell.document(
        "predict", "Qwen/Qwen3-8B", "--chip", "h100-sxm", "--engine", "vllm", "--tp", "4", "--isl", "1024",
        "--osl", "256", "--concurrency", "16", "--calibration", str(record),
    )  # fmt: skip
    assert document["evidence"]["support"] == "pair_seen"
    assert "calibrated on 27 measured points" in document["constants"]
    text = shell.answered("validate", "--points", str(points), "--calibration", str(record))
    assert "27 rows are in sample" in text


def test_quick_calibration_has_no_intervals_of_its_own(shell: Shell, points: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    text = shell.answered("calibrate", "--points", str(points), str(points), "--no-cv", "--out", str(record))
    assert "27 strict rows fitted of 54 read" in text  # the same file twice is the same runs twice
    assert "no cross-validation" in text
    assert json.loads(record.read_text())["factors"] == {}


def test_out_of_fold_scores_are_printed_by_set(shell: Shell, points: Path) -> None:
    text = shell.answered("validate", "--points", str(points), "--cv", "pair", "--by", "model")
    assert "Out of fold, unseen pair of model and chip (9 groups), all rows" in text
    assert "tpot: 90 % intervals cover" in text


def test_calibrate_refuses(shell: Shell, points: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "r.json")
    assert "there is nothing to fit" in shell.refused("calibrate", "--out", out)
    assert "is a .json file" in shell.refused("calibrate", "--points", str(points), "--out", str(tmp_path / "r.yaml"))
    assert "does not exist" in shell.refused("calibrate", "--points", "silicon-sample=/no/such.csv", "--out", out)
    assert "cannot read" in shell.refused("calibrate", "--silicon-sample", "/no/such.csv", "--out", out)
    record = tmp_path / "record.json"
    shell.answered("calibrate", "--points", str(points), "--no-cv", "--out", str(record))
    said = shell.refused("validate", "--points", str(points), "--cv", "pair", "--calibration", str(record))
    assert "takes no --calibration" in said
