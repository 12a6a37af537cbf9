"""`stackwright catalog refresh` as a shell sees it, and the age of prices where prices are listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackwright.catalog.refresh import user, web
from tests.catalog.refresh.answers import Answer, always, azure, azure_row, opener
from tests.cli.commands import Shell


def offline(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """Puts made-up answers in the place of the network."""
    opened = opener(answer)
    monkeypatch.setattr(web.Web.__init__, "__defaults__", (None, opened, lambda s: None, None))


def test_it_says_what_was_read_and_what_was_left(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch, azure(azure_row(), azure_row(skuName="ND96isr H100 v5 Spot", retailPrice=98.32)))
    out = shell.answered("catalog", "refresh", "azure", "--data-dir", tmp_path)
    assert out.startswith("azure: 1 prices of 1 offers, read 2")
    assert "left out: 1 x spot is not below on demand, such as Standard_ND96isr_H100_v5 eastus spot" in out
    assert (tmp_path / "offers" / "azure.yaml").is_file()
    held = shell.answered("catalog", "refresh", "--offline", "--data-dir", tmp_path)
    assert "0 days old" in held
    shown = shell.answered("catalog", "show", "azure/standard_nd96isr_h100_v5", "--catalog", tmp_path)
    assert "Azure Retail Prices API" in shown


def test_one_document(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch, azure(azure_row()))
    document = shell.document("catalog", "refresh", "azure", "--dry-run", "--data-dir", tmp_path)
    [source] = document["sources"]
    assert document["kind"] == "catalog_refresh"
    assert (source["status"], source["rows_kept"]) == ("read", 1)
    assert {"retrieved", "urls", "sha256", "left_out", "files", "warnings", "rows_left_out"} <= source.keys()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_one_line_and_status_2(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch, always("<html>"))
    said = shell.refused("catalog", "refresh", "azure", "--data-dir", tmp_path)
    assert said.startswith("error: azure: prices.azure.com: answered with a web page")
    status, out, _ = shell("catalog", "refresh", "azure", "--data-dir", tmp_path, "--json")
    assert (status, json.loads(out)["sources"][0]["status"]) == (2, "failed")


def test_bad_questions(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch, lambda request: pytest.fail("asked the network"))
    assert "did you mean 'azure'" in shell.refused("catalog", "refresh", "azurr")
    assert "name what to refresh" in shell.refused("catalog", "refresh")
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    assert "GOOGLE_API_KEY" in shell.refused("catalog", "refresh", "gcp", "--data-dir", tmp_path)
    assert "STACKWRIGHT_CATALOG_DIR=none" in shell.refused("catalog", "refresh", "azure")


def test_the_key_is_written_nowhere(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "secret-key")
    offline(monkeypatch, lambda request: (403, {}, "secret-key"))
    assert "secret-key" not in "".join(map(str, shell("catalog", "refresh", "gcp", "--data-dir", tmp_path)))
    assert not list(tmp_path.rglob("*"))


def test_listed_prices_show_their_age(shell: Shell) -> None:
    out = shell.answered("catalog", "list", "offers")
    assert " age " in out.splitlines()[1]
    assert " d *" in out
    assert "prices were read more than 90 days ago" in out


def test_refreshed_prices_reach_a_plan(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch, azure(azure_row(retailPrice=9.5)))
    shell.answered("catalog", "refresh", "azure", "--data-dir", tmp_path)
    monkeypatch.setenv(user.VARIABLE, str(tmp_path))
    plan = shell.document("plan", "Qwen/Qwen3-8B", "--chips", "h100-sxm", "--clouds", "azure", "--engines", "vllm")
    assert plan["plans"][0]["stack"]["offer"]["price_age_days"] == 0
    assert any("Azure Retail Prices API (prices.azure.com)" in text for text in plan["plans"][0]["sources"])
