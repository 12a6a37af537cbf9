from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from stackwright.web import render_report, write_report
from tests.web.page import DAY, page, with_every_text
from tests.web.plan_documents import document, front, interval, offer, plan


def test_whole_document_tells_its_story_in_order() -> None:
    found = page(document())
    assert found.sections == [
        "figures", "latency", "rent", "launch",
        "side-by-side", "plans", "costs", "front", "contracts", "rejected",
        "assumptions", "sources",
    ]  # fmt: skip
    assert "Which stack serves Thinker-32B at 20 requests per second" in found.text
    assert "Run Thinker-32B (NVFP4) on 4 × NVIDIA B200-HGX 180 GB at RunPod" in found.text.replace("  ", " ")
    assert "0.40 USD per million output tokens" in found.text
    assert "Tied with it" in found.text
    assert "Generated 1 Jul 2026" in found.text
    assert "uncalibrated" in found.text


def test_nothing_is_loaded_from_anywhere() -> None:
    found = page(document())
    for tag, name, value in found.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert value.startswith("#"), (tag, name, value)
    html = render_report(document(), DAY)
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html.replace("&#x27;", "'")
    assert not {"link", "img", "iframe", "object", "embed"} & found.names


def test_links_inside_the_page_lead_somewhere() -> None:
    found = page(document())
    ids = [v for _, k, v in found.attributes if k == "id"]
    assert len(ids) == len(set(ids))
    assert {v[1:] for _, k, v in found.attributes if k == "href"} <= set(ids)


HOSTILE = "</title></script><script>alert(1)</script><img src=http://evil.example/x onerror=\"a('b')\">&\x00\ud800"


def test_markup_in_the_data_stays_text(tmp_path: Path) -> None:
    hostile = with_every_text(
        document(compare={"today": plan(0), "changes": ["x"]}, unpriced=[plan(1, "x", None)]), HOSTILE
    )
    hostile["rejected_by_reason"] = {HOSTILE: 2}
    found = page(hostile)
    scripts = re.findall(r"<script", render_report(hostile, DAY))
    assert len(scripts) == 1
    assert "img" not in found.names
    assert not [a for a in found.attributes if a[1].startswith("on") or a[1] in ("src", "onerror")]
    assert "alert(1)" in found.text
    write_report(hostile, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_text_that_looks_like_a_template_is_left_alone() -> None:
    d = document()
    d["question"]["workload"]["source"] = "$style ${script} $$"
    assert "$style ${script} $$" in page(d).text


def test_no_plan_keeps_the_promise() -> None:
    missed = {"meets_slo": False, "p_meets_slo": 0.31, "tied_with_first": False}
    found = page(document(plans=[plan(**missed), plan(2, **missed)]))
    assert "Nothing found keeps the promise reliably" in found.text
    assert "Misses the promise too often" in found.text
    assert "31 %" in found.text
    assert "Tied with it" not in found.text


def test_only_unpriced_stacks() -> None:
    found = page(document(plans=[], front=[], unpriced=[plan(1, "maia-200", None)]))
    assert "No published price" in found.text
    assert "unpriced" in found.sections
    assert not {"plans", "rent", "costs", "front", "contracts"} & set(found.sections)


def test_nothing_at_all() -> None:
    found = page(document(plans=[], unpriced=[], front=[], rejected=[], rejected_by_reason={}))
    assert "No stack in the catalogue" in found.text
    assert found.sections == ["assumptions"]


def test_one_plan_without_neighbours() -> None:
    found = page(document(plans=[plan()], front=front(n=1)))
    assert "Tied with it" not in found.text
    assert {"front", "costs"} <= set(found.sections)


def test_missing_figures_leave_a_dash() -> None:
    bare = plan(kgco2_per_mtok=None, e2e_mean_s=None, utilisation=float("nan"), other_contracts=[])
    bare["ttft_p95_s"] = {"value": None, "low": None, "high": None}
    bare["usd_per_mtok_output"] = {"value": 0.4, "low": None, "high": None}
    bare["stack"]["offer"]["price_date"] = bare["stack"]["offer"]["price_age_days"] = None
    found = page(document(plans=[bare]))
    assert "no electricity data" in found.text
    assert "undated" in found.text


@pytest.mark.parametrize("changes", [{"ttft_s": None}, {"tpot_s": None}, {"ttft_s": None, "tpot_s": None}])
def test_promise_with_fewer_limits(changes: dict[str, None]) -> None:
    d = document()
    d["question"]["slo"].update(changes)
    found = page(d)
    assert ("TTFT ≤" in found.text) == ("ttft_s" not in changes)
    assert ("both hold" in found.text) == (not changes)


def test_other_percentile() -> None:
    d = document()
    d["question"]["slo"]["percentile"] = 99.0
    for p in d["plans"]:
        for name in ("ttft", "tpot", "e2e"):
            p[f"{name}_p99_s"] = p.pop(f"{name}_p95_s")
    found = page(d)
    assert "p99 TTFT 130 ms (limit 1 s)" in found.text
    assert "p95 T" not in found.text


def test_comparison_with_today() -> None:
    today = plan(0, "h100-sxm", 55.0, meets_slo=False)
    found = page(document(compare={"today": today, "changes": []}))
    assert "costs 49.00 USD per hour less than today's: 35,794 USD per month" in found.text
    assert found.sections[1] == "today"


def test_cautions() -> None:
    p = plan()
    p["stack"]["offer"] = offer(price_age_days=400, price_confidence="press", contract="spot", region="eastus2")
    found = page(document(plans=[p]))
    assert "The price was read 400 days ago" in found.text
    assert "weakly sourced (press)" in found.text
    assert "can be taken away at short notice" in found.text


def test_other_contracts_against_the_price_used() -> None:
    p = plan(other_contracts=[{"contract": "reserved_3y", "usd_per_hour": 3.0, "region": "eastus2"}])
    found = page(document(plans=[p]))
    assert "3-year reservation" in found.text
    assert "× 0.50" in found.text


def test_plan_without_a_launch_command_says_why() -> None:
    p = plan(launch={"command": None, "engine_version": "1", "env": {}, "files": {}, "note": "no documented arguments"})
    assert "no documented arguments" in page(document(plans=[p])).text


def test_sources_once_with_the_plans_that_rest_on_them() -> None:
    found = page(document())
    assert found.text.count("a data sheet, 2026-03-31") == 1
    assert "(plans 1, 2)" in found.text


def test_long_report_stays_small() -> None:
    plans = [plan(i, f"chip-{i}", 5.0 + i) for i in range(1, 31)]
    points = [p for i in range(30) for p in front(f"chip-{i}", f"maker {i % 9}", 40)]
    for p in points:
        p["usd_per_mtok_output"] = min(p["usd_per_mtok_output"], 15.0)
    assert len(render_report(document(plans=plans, front=points), DAY).encode()) < 600_000


def test_document_is_not_changed() -> None:
    d = document()
    before = copy.deepcopy(d)
    render_report(d, DAY)
    assert d == before


def test_tiny_and_huge_money() -> None:
    cheap, dear = plan(usd_per_hour=0.004), plan(2, usd=123456.0)
    cheap["usd_per_mtok_output"] = interval(0.0002)
    found = page(document(plans=[cheap, dear]))
    assert "0.00020" in found.text
    assert "123,456" in found.text
