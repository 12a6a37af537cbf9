"""The power table of splitwise-sim: what a row means, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackwright.errors import InputError
from stackwright.measure.importers import import_file

HEAD = (
    "model,hardware,prompt_size,batch_size,token_size,peak_power,average_power,prompt_time,token_time,e2e_time,"
    "tensor_parallel"
)
RUNS = (
    "llama2-70b,a100-80gb,512,4,128,1.03,0.75,840,60.0,8500,2",
    "llama2-70b,a100-80gb,512,4,128,1.03,0.75,850,61.0,8600,2",
    "llama2-70b,a100-80gb,512,4,128,1.03,0.75,860,62.0,8700,2",
    "llama2-70b,h100-80gb,512,4,128,0.0,0.0,300,40.0,5300,2",
    "llama2-70b,a100-80gb,8192,1,128,1.01,0.18,2974,57.1,9000,2",
)


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "perf_model.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_one_row_for_each_configuration_with_power(tmp_path):
    (row,) = import_file(table(tmp_path, HEAD, *RUNS), "splitwise-power")
    assert (row.text["chip"], row.text["model"]) == ("a100-sxm-80", "meta-llama/Llama-2-70b-hf")
    assert row.numbers["watts_per_chip"] == pytest.approx(0.75 * 400)
    assert (row.numbers["ttft_s"], row.numbers["tpot_s"]) == (0.85, 0.061)
    rate = 4 * 128 / 8.6 / 2
    assert row.numbers["output_tokens_per_s_per_chip"] == pytest.approx(rate)
    assert row.numbers["joules_per_output_token"] == pytest.approx(300 / rate)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((HEAD, RUNS[3]), "no row with power"),
        ((HEAD.replace("average_power,", ""), RUNS[0]), "lacks the column 'average_power'"),
        ((HEAD, RUNS[0].replace("0.75", "much")), "not the perf_model.csv"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, lines, said):
    with pytest.raises(InputError, match=said):
        import_file(table(tmp_path, *lines), "splitwise-power")
    with pytest.raises(InputError, match="cannot read"):
        import_file(tmp_path / "absent.csv", "splitwise-power")
