from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from stackwright.errors import InputError
from stackwright.measure import read_measurements

COLUMNS = "id,chip,n_chips,model,engine,tp,isl,osl,concurrency,ttft_s,tpot_s"
CELLS = "a,h100-sxm,2,Qwen/Qwen3-8B,vllm,2,1024,256,16,0.1,0.01"
RECORD = dict(zip(COLUMNS.split(","), CELLS.split(","), strict=True))


def written(tmp_path: Path, content: str | bytes, name: str = "points.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_row_keeps_its_cells_and_its_numbers(tmp_path: Path) -> None:
    (m,) = read_measurements(written(tmp_path, f"{COLUMNS}\n{CELLS}\n"))
    assert (m.id, m.row) == ("a", 2)
    assert m.text["chip"] == "h100-sxm"
    assert (m.number("isl"), m.number("tpot_s"), m.number("watts_per_chip")) == (1024.0, 0.01, None)
    assert dict(m.raw) == RECORD


def test_csv_gzip_and_json_lines_say_the_same(tmp_path: Path) -> None:
    text = f"{COLUMNS}\n{CELLS}\n"
    plain = read_measurements(written(tmp_path, text))
    zipped = read_measurements(written(tmp_path, gzip.compress(text.encode()), "points.csv.gz"))
    crlf = read_measurements(written(tmp_path, "\ufeff" + text.replace("\n", "\r\n"), "dos.csv"))
    lines = read_measurements(written(tmp_path, json.dumps(RECORD) + "\n\n", "points.jsonl"))
    assert plain == zipped == crlf
    assert (lines[0].text, lines[0].numbers) == (plain[0].text, plain[0].numbers)


@pytest.mark.parametrize("cell", ["", "nan", "NaN"])
def test_an_empty_cell_is_unknown(tmp_path: Path, cell: str) -> None:
    (m,) = read_measurements(written(tmp_path, f"{COLUMNS}\n{CELLS.replace('1024', cell)}\n"))
    assert m.number("isl") is None


def test_json_null_nan_spaces_and_line_separators(tmp_path: Path) -> None:
    body = {**RECORD, "chip": " h100-sxm ", "tp": None, "ttft_s": float("nan"), "notes": "a\u2028b"}
    (m,) = read_measurements(written(tmp_path, json.dumps(body, ensure_ascii=False), "points.jsonl"))
    assert m.text["chip"] == "h100-sxm"
    assert m.text["notes"] == "a\u2028b"
    assert m.number("tp") is None
    assert m.number("ttft_s") is None


def test_a_row_without_id_is_named_by_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, f"{COLUMNS}\n\n{CELLS.removeprefix('a')}\n")
    assert read_measurements(path)[0].id == "row 3"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "lacks the column 'chip'"),
        ("id,chip\na,h100\n", "lacks the column 'model'"),
        (f"{COLUMNS}\n", "no rows"),
        (f"{COLUMNS}\na,b\n", "line 2: number of cells"),
        (f"{COLUMNS}\n{CELLS},1\n", "line 2: number of cells"),
        (f"{COLUMNS}\n{CELLS.replace('1024', 'many')}\n", "line 2: isl = 'many' is not a number"),
        (f"{COLUMNS}\n{CELLS.replace('1024', '-5')}\n", "isl = -5"),
        (f"{COLUMNS}\n{CELLS.replace('1024', 'inf')}\n", "isl = inf"),
        (f"{COLUMNS}\n{CELLS.replace('1024', '1e300')}\n", "isl = 1e300"),
        (f"{COLUMNS}\n{CELLS.replace('vllm,2', 'vllm,2.5')}\n", "tp = 2.5 is not a whole number"),
        (f"{COLUMNS},isl\n{CELLS},3\n", "the column 'isl' twice"),
        (f"{COLUMNS}\n{CELLS}\n".replace(",", ";"), "separate the cells by commas"),
        (f'{COLUMNS}\n"a,b\n', "not valid CSV"),
        ('"id,chip\n', "not valid CSV"),
        ("a" * 200_000 + f",{COLUMNS}\n", "not valid CSV"),
        (bytes(range(256)), "not a UTF-8 text table"),
    ],
)
def test_a_broken_csv_names_file_line_and_column(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_measurements(written(tmp_path, content))
    assert said in str(refused.value)
    assert "points.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "line 1: not valid JSON"),
        ("[1]", "line 1: expected a JSON object"),
        ('{"chip": 1}', "line 1: lacks 'model'"),
        (json.dumps({**RECORD, "isl": True}), "isl = 'True' is not a number"),
        (json.dumps({**RECORD, "isl": [1]}), "isl = '[1]' is not a number"),
        ("[" * 100_000, "line 1: not valid JSON"),
        (json.dumps(RECORD)[:-1] + ', "tp": ' + "9" * 5000 + "}", "line 1: not valid JSON"),
    ],
)
def test_broken_json_lines_name_the_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_measurements(written(tmp_path, content, "points.jsonl"))
    assert said in str(refused.value)


def test_what_is_no_gzip_is_refused(tmp_path: Path) -> None:
    good = bytearray(gzip.compress(f"{COLUMNS}\n{CELLS}\n".encode()))
    broken = bytearray(good)
    broken[15] ^= 0xFF
    for content in (b"hello", bytes(good[:-12]), bytes(broken)):
        with pytest.raises(InputError, match=r"points\.csv\.gz"):
            read_measurements(written(tmp_path, content, "points.csv.gz"))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            read_measurements(path)
