"""Every model of the catalogue is counted: totals against published ones, and the page that says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stackwright.catalog import load_catalog
from stackwright.llm import weight_bytes
from stackwright.performance.models import model_of

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from models_page import EXCEPTIONS, LIMIT_PCT, SIZES, cache_bytes, deviation_pct, page  # noqa: E402


def test_totals_are_the_published_ones_but_for_explained_exceptions():
    for entry in load_catalog().models.values():
        assert entry.published_parameters, f"{entry.id}: no published total"
        difference = deviation_pct(entry, model_of(entry))
        assert difference is not None
        assert (abs(difference) > LIMIT_PCT) == (entry.id in EXCEPTIONS), f"{entry.id}: {difference:+.1f} %"


def test_the_committed_page_is_what_the_script_writes():
    assert (ROOT / "docs" / "models.md").read_text() == page(), "run `make pages`"


@pytest.mark.parametrize(("name", "precision", "size", "_"), SIZES)
def test_known_sizes_on_disk(name, precision, size, _):
    assert weight_bytes(model_of(load_catalog().model(name)), precision) == pytest.approx(size, rel=0.02)


def test_cache_by_hand():
    """DeepSeek-V3.2: 61 x (576 BF16 elements and an index key of 128 bytes); Mistral 7B: a window of 4,096."""
    catalog = load_catalog()
    v32, mistral = (model_of(catalog.model(n)) for n in ("deepseek-ai/DeepSeek-V3.2", "mistralai/Mistral-7B-v0.1"))
    assert cache_bytes(v32, None) == 61 * (576 * 2 + 128)
    assert cache_bytes(mistral, 32768) == pytest.approx(2 * 32 * 2 * 8 * 128 * 4096)
