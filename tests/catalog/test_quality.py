from __future__ import annotations

from pathlib import Path

import pytest

from stackwright.catalog import load_catalog
from stackwright.catalog.quality import load_quality, shipped_qualities
from stackwright.catalog.tokens.offers import model_listed
from stackwright.errors import InputError, UnknownIdError


@pytest.mark.parametrize("name", shipped_qualities())
def test_shipped_scores_are_of_known_models_and_have_a_source_and_date(name: str) -> None:
    catalog, quality = load_catalog(), load_quality(name)
    assert quality.benchmark
    for s in quality.scores:
        assert 0 < s.score <= 100
        assert len(s.source) > 5
        assert len(s.date) == 10
        assert s.confidence in ("datasheet", "press", "assumption")
        assert s.confidence == "assumption" or "recalled" not in s.source
        assert model_listed(s.model) or catalog.model(s.model)


def test_a_model_is_found_by_its_names() -> None:
    quality = load_quality("gpqa-diamond")
    for name in ("Qwen/Qwen3-32B", "qwen3-32b"):
        found = quality.of(name)
        assert found is not None
        assert found.score == 68.4
    assert quality.of("Qwen/Qwen3-30B-A3B", "no-such") != quality.of("Qwen/Qwen3-32B")
    assert quality.of("nobody/nothing") is None


def test_own_files(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("model,score,source\nqwen3-32b,0.71,our test of May\nclaude-sonnet-5-5,0.9,\n")
    own = load_quality(table)
    assert own.benchmark == "own"
    found = own.of("Qwen/Qwen3-32B")
    assert found is not None
    assert (found.score, found.source) == (0.71, "our test of May")
    plain = tmp_path / "plain.yaml"
    plain.write_text("qwen3-32b: 3\ngpt-5.4: 4.5\n")
    scored = load_quality(str(plain)).of("gpt-5.4")
    assert scored is not None
    assert scored.score == 4.5


def test_benchmarks_are_never_mixed(tmp_path: Path) -> None:
    table = tmp_path / "two.csv"
    table.write_text("model,score,benchmark\na,1,law\nb,2,law\na,9,code\n")
    with pytest.raises(InputError, match=r"2 benchmarks \(law, code\): name one as .*two.csv#law"):
        load_quality(table)
    chosen = load_quality(f"{table}#code")
    assert [s.score for s in chosen.scores] == [9.0]
    with pytest.raises(InputError, match="no benchmark 'tax'; it holds law, code"):
        load_quality(f"{table}#tax")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("model,points\na,1\n", "no column 'score'"),
        ("model,score\na,good\n", "score number 1 .*'good' is not a number"),
        ("model,score\na,nan\n", "is not a number"),
        ("model,score\n,3\n", "number 1: no model"),
        ("model,score\n", "no scores"),
        ("model,score\na,1\nA,2\n", "two scores of A"),
        ("model,score,colour\na,1,red\n", "unknown field 'colour'"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "q.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=said):
        load_quality(file)


def test_unknown_names() -> None:
    with pytest.raises(UnknownIdError, match="did you mean 'gpqa-diamond'"):
        load_quality("gpqa-diamant")
    with pytest.raises(InputError, match=r"no such quality file: nope\.csv"):
        load_quality("nope.csv")
