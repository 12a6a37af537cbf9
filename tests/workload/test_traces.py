import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.errors import InputError
from stackwright.workload import Trace, read_trace
from stackwright.workload.fit import fit_profile

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
GOOD = HEADER + "2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n"
ROW = {"timestamp": 3000, "input_length": 700, "output_length": 5, "hash_ids": [0, 1]}


def write(path: Path, text: str) -> Path:
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_bytes(text.encode())
    return path


def rows(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def without(key: str) -> dict[str, object]:
    return {k: v for k, v in ROW.items() if k != key}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_azure_csv_is_read(tmp_path: Path, name: str) -> None:
    trace = read_trace(write(tmp_path / name, GOOD))
    assert trace.name == "t"
    assert trace.arrival_s.tolist() == pytest.approx([0, 4.314579], abs=1e-6)
    assert trace.input_tokens.tolist() == [374, 396]
    assert trace.output_tokens.tolist() == [44, 109]
    assert trace.hash_ids is None
    assert trace.prefix_hit_rate == 0


def test_azure_csv_with_zones_other_columns_and_seconds(tmp_path: Path) -> None:
    text = "X,GeneratedTokens,ContextTokens,TIMESTAMP\na,1,2,2024-05-10 00:00:00.009930+00:00\n"
    assert read_trace(write(tmp_path / "a.csv", text)).input_tokens.tolist() == [2]
    assert read_trace(write(tmp_path / "b.csv", HEADER + "5,1,2\n7.5,3,4\n\n")).arrival_s.tolist() == [0, 2.5]


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_mooncake_json_lines_are_read(tmp_path: Path, name: str) -> None:
    trace = read_trace(write(tmp_path / name, rows(ROW, ROW | {"timestamp": 4500}) + "\n"), "mine", "me")
    assert (trace.name, trace.source, len(trace)) == ("mine", "me", 2)
    assert trace.arrival_s.tolist() == [0, 1.5]
    assert trace.hash_ids == ((0, 1), (0, 1))


def test_a_vllm_log_is_read(tmp_path: Path) -> None:
    log = [{"arrival_time": 1777142838.5 + i, "input_toks": 10, "output_toks": 3, "other": 1} for i in range(3)]
    trace = read_trace(write(tmp_path / "r.jsonl", rows(*log)))
    assert trace.arrival_s.tolist() == [0, 1, 2]
    assert trace.hash_ids is None


BAD_CSV = [
    ("", 1, "missing column TIMESTAMP"),
    ("TIMESTAMP,ContextTokens\n1,2\n", 1, "missing column GeneratedTokens"),
    (GOOD + "2023-11-16 18:15:51,3\n", 4, "has 2 fields"),
    (GOOD + "2023-11-16 18:15:51,3,4,5\n", 4, "has 4 fields"),
    (GOOD + "2023-11-16 18:15:49,3,4\n", 4, "time goes back"),
    (GOOD + "2023-11-15 18:15:49,3,4\n", 4, "time goes back"),
    (GOOD + "yesterday,3,4\n", 4, "not a date-time"),
    (GOOD + ",3,4\n", 4, "not a date-time"),
    (GOOD + "12.5,3,4\n", 4, "not a date-time"),
    (GOOD + "2023-11-16 18:15:51+00:00,3,4\n", 4, "not a date-time"),
    (GOOD + "2023-11-16 18:15:51,0,4\n", 4, "ContextTokens must be at least 1"),
    (GOOD + "2023-11-16 18:15:51,3,0\n", 4, "GeneratedTokens must be at least 1"),
    (GOOD + "2023-11-16 18:15:51,-3,4\n", 4, "ContextTokens must be at least 1"),
    (GOOD + "2023-11-16 18:15:51,nan,4\n", 4, "ContextTokens is not a whole number"),
    (GOOD + "2023-11-16 18:15:51,inf,4\n", 4, "ContextTokens is not a whole number"),
    (GOOD + "2023-11-16 18:15:51,3.5,4\n", 4, "not a whole number"),
    (GOOD + "2023-11-16 18:15:51,3,\n", 4, "GeneratedTokens is not a whole number"),
    (HEADER + "-1,3,4\n", 2, "TIMESTAMP is negative"),
    (HEADER + "nan,3,4\n", 2, "TIMESTAMP is not a finite number"),
    (HEADER + "2,3,4\n1,3,4\n", 3, "time goes back by 1 s"),
]


@pytest.mark.parametrize(("text", "line", "message"), BAD_CSV)
def test_a_broken_csv_row_is_named(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(InputError, match=message) as caught:
        read_trace(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")


BAD_ROWS = [
    ("{", "not valid JSON"),
    ("[" * 100_000, "not valid JSON"),
    ("[1]", "not a JSON object"),
    (without("timestamp"), "missing 'timestamp'"),
    (without("input_length"), "missing 'input_length'"),
    (without("output_length"), "missing 'output_length'"),
    (without("hash_ids"), "every row or on none"),
    (ROW | {"timestamp": 2999}, "time goes back"),
    (ROW | {"timestamp": -1}, "timestamp is negative"),
    (ROW | {"timestamp": "4000"}, "not a finite number"),
    (ROW | {"timestamp": True}, "not a finite number"),
    (ROW | {"timestamp": float("nan")}, "not a finite number"),
    (ROW | {"timestamp": 10**400}, "not a finite number"),
    (ROW | {"input_length": 0}, "input_length must be at least 1"),
    (ROW | {"output_length": 0}, "output_length must be at least 1"),
    (ROW | {"output_length": float("nan")}, "output_length is not a whole number"),
    (ROW | {"output_length": 1.5}, "output_length is not a whole number"),
    (ROW | {"output_length": None}, "output_length is not a whole number"),
    (ROW | {"output_length": True}, "output_length is not a whole number"),
    (ROW | {"hash_ids": [1]}, "has 1 blocks, but 700 tokens are 2 of 512"),
    (ROW | {"hash_ids": [1, 2, 3]}, "has 3 blocks"),
    (ROW | {"hash_ids": [1, "a"]}, "not a list of whole numbers"),
    (ROW | {"hash_ids": None}, "not a list of whole numbers"),
]


@pytest.mark.parametrize(("row", "message"), BAD_ROWS)
def test_a_broken_json_row_is_named(tmp_path: Path, row: object, message: str) -> None:
    path = write(tmp_path / "bad.jsonl", rows(ROW) + (row if isinstance(row, str) else json.dumps(row)))
    with pytest.raises(InputError, match=message) as caught:
        read_trace(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")


def test_files_that_are_no_traces(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_trace(tmp_path / "none.csv")
    with pytest.raises(InputError, match="ends in"):
        read_trace(write(tmp_path / "t.txt", GOOD))
    with pytest.raises(InputError, match="no requests"):
        read_trace(write(tmp_path / "head.csv", HEADER))
    with pytest.raises(InputError, match="no requests"):
        read_trace(write(tmp_path / "empty.jsonl", ""))
    (tmp_path / "z.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(InputError, match="cannot read trace"):
        read_trace(tmp_path / "z.csv.gz")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(GOOD.encode())[:-12])
    with pytest.raises(InputError, match="cannot read trace"):
        read_trace(tmp_path / "cut.csv.gz")
    (tmp_path / "b.csv").write_bytes(HEADER.encode() + b"\xff\xff,1,1\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_trace(tmp_path / "b.csv")


def made(arrival: list[float], hash_ids: list[list[int]] | None = None, n_in: list[int] | None = None) -> Trace:
    n = len(arrival)
    return Trace(
        np.array(arrival, dtype=float),
        np.array(n_in or [600] * n),
        np.arange(1, n + 1),
        None if hash_ids is None else tuple(tuple(ids) for ids in hash_ids),
        "made",
        "by hand",
    )


def test_prefix_hits_by_hand() -> None:
    trace = made([0, 1, 2, 3], [[0, 1], [0, 2], [0, 1], [5, 1]], [600, 600, 600, 1024])
    assert trace.prefix_hit_tokens().tolist() == [0, 512, 600, 0]  # a hit never exceeds the prompt; the chain breaks
    assert trace.prefix_hit_rate == pytest.approx(1112 / 2824)


def test_rate_cv_and_dispersion_by_hand() -> None:
    even = made([0.0, 1, 2, 3, 4])
    assert even.rate_per_s == 1
    assert even.arrival_cv == 0
    assert even.dispersion(2.0) == 0
    assert even.dispersion(3.0) is None
    assert made([0.0, 1]).arrival_cv is None
    with pytest.raises(InputError, match="same instant"):
        _ = made([0.0, 0.0]).rate_per_s


def test_quantised_stamps_give_no_cv_and_are_spread_within_the_tick() -> None:
    trace = made([0.0] * 10 + [3.0] * 10 + [6.0] * 10)
    assert trace.is_quantised
    assert trace.arrival_cv is None
    load = trace.to_workload()
    assert load.arrival_cv == 1.0
    assert "Poisson assumed" in load.source
    spread = trace.jittered(np.random.default_rng(0))
    assert not spread.is_quantised
    assert (np.diff(spread.arrival_s) >= 0).all()
    moved = spread.arrival_s - trace.arrival_s
    assert moved.max() < 3
    assert moved.min() > -3
    assert spread.output_tokens is trace.output_tokens


def test_to_workload_takes_what_was_measured() -> None:
    load = made([0.0, 1, 3, 4, 8], [[i, 99 + i] for i in range(5)]).to_workload()
    assert load.rate_per_s == 0.5
    assert load.arrival_cv == pytest.approx(np.std([1, 2, 1, 4]) / 2)
    assert load.input.mean == 600
    assert load.output.mean == pytest.approx(3, rel=0.05)
    assert load.prefix_hit_rate == 0
    assert load.source == "by hand"


@given(st.lists(st.floats(0.001, 100), min_size=2, max_size=50), st.floats(0.01, 100))
def test_with_rate_stretches_time_only(gaps: list[float], rate: float) -> None:
    trace = made([0.0, *np.cumsum(gaps).tolist()])
    scaled = trace.with_rate(rate)
    assert scaled.rate_per_s == pytest.approx(rate)
    if trace.arrival_cv is not None:
        assert scaled.arrival_cv == pytest.approx(trace.arrival_cv, rel=1e-6, abs=1e-6)


def test_head_keeps_the_first_requests() -> None:
    trace = made([0.0, 1, 2], [[0, 1], [0, 2], [0, 3]]).head(2)
    assert len(trace) == 2
    assert trace.hash_ids == ((0, 1), (0, 2))
    with pytest.raises(InputError):
        trace.head(0)


def test_fit_profile_is_plain_data() -> None:
    found = fit_profile(made([0.0, 1, 3, 4, 8]))
    assert json.loads(json.dumps(found))["fitted"]["requests"] == 5
    assert found["arrival_cv"] == pytest.approx(0.6124, abs=1e-4)
    assert found["fitted"]["length_correlation"] is None
