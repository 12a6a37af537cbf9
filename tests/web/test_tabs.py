from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import pytest

from stackwright.web import render_report
from tests.web.choice_documents import Document, by_api, choice_document, compare_document, lock_in, rented
from tests.web.page import DAY, page, with_every_text
from tests.web.plan_documents import document, plan

EVERYTHING = {**document(), "choice": choice_document()["choice"], "refused": choice_document()["refused"]}
EVERYTHING["question"] = {**document()["question"], "models": ["a"], "quality": {"benchmark": "Exam", "unit": "%"}}
DOCUMENTS = {
    "plan": (document(), ["plan", "alternatives", "basis"]),
    "unpriced": (document(plans=[], front=[], unpriced=[plan(1, "maia-200", None)]), ["plan", "alternatives", "basis"]),
    "nothing": (document(plans=[], front=[], rejected_by_reason={}), ["basis"]),
    "choice": (choice_document(), ["models", "basis"]),
    "compare": (compare_document(), ["ecosystems", "basis"]),
    "everything": (EVERYTHING, ["plan", "alternatives", "models", "basis"]),
}
HOSTILE = "</title></script><script>alert(1)</script><img src=x onerror=\"a('b')\">&\x00"


@pytest.fixture(params=DOCUMENTS)
def asked(request: pytest.FixtureRequest) -> tuple[Document, list[str]]:
    return DOCUMENTS[request.param]


def test_a_tab_for_what_the_document_has(asked: tuple[Document, list[str]]) -> None:
    assert page(asked[0]).panels == asked[1]


def test_every_tab_has_a_label_and_a_panel_of_that_name(asked: tuple[Document, list[str]]) -> None:
    found = page(asked[0])
    links = [a for tag, a in found.elements if tag == "a" and a.get("id", "").startswith("tab-")]
    assert len(links) == (len(found.panels) if len(found.panels) > 1 else 0)
    for link in links:
        tag, panel = found.by_id(link["href"][1:])
        assert (tag, panel["class"]) == ("div", "panel")
        assert panel["aria-labelledby"] == link["id"]
        label = re.search(rf'id="{link["id"]}">([^<]+)</a>', found.html)
        assert label is not None
        assert label[1].strip()


def test_every_section_stands_in_a_panel(asked: tuple[Document, list[str]]) -> None:
    found = page(asked[0])
    assert {found.panel_of[s] for s in found.sections} == set(found.panels)


def test_contents_of_a_panel_stay_in_it(asked: tuple[Document, list[str]]) -> None:
    for panel in page(asked[0]).html.split('class="panel"')[1:]:
        sections = re.findall(r'<section id="([^"]+)"', panel)
        listed = re.search(r'<nav class="contents".*?</nav>', panel)
        assert (listed is not None) == (len(sections) > 2)
        if listed:
            assert re.findall(r'href="#([^"]+)"', listed[0]) == sections


def test_no_identifier_twice_and_no_link_to_nowhere(asked: tuple[Document, list[str]]) -> None:
    found = page(asked[0])
    ids = [v for _, k, v in found.attributes if k == "id"]
    assert len(ids) == len(set(ids))
    for _, k, v in found.attributes:
        if k == "href":
            assert v.startswith("#")
            assert v[1:] in ids


def test_the_style_knows_every_tab(asked: tuple[Document, list[str]]) -> None:
    style = files("stackwright.web").joinpath("style.css").read_text()
    for name in asked[1]:
        assert f'.tabs a[href="#{name}"]' in style
        assert f"#{name}:target" in style


def test_the_policy_allows_the_one_script_and_nothing_else(asked: tuple[Document, list[str]]) -> None:
    html = render_report(asked[0], DAY)
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(scripts) == html.count("<script") == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert policy[1].replace("&#x27;", "'").split("; ") == [
        "default-src 'none'", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'",
    ]  # fmt: skip
    assert not re.search(r"url\(|@import|https?://", re.sub(r"<main.*</main>", "", html, flags=re.DOTALL))


def test_no_data_for_a_script(asked: tuple[Document, list[str]]) -> None:
    html = render_report(asked[0], DAY)
    assert "application/json" not in html
    assert '"usd_per_mtok_output"' not in html
    assert "&quot;value&quot;" not in html


@pytest.mark.parametrize("d", [choice_document(), compare_document(), EVERYTHING], ids=["choice", "compare", "all"])
def test_markup_in_names_stays_text(d: Document) -> None:
    found = page(with_every_text(d, HOSTILE))
    assert found.html.count("<script") == 1
    assert "img" not in found.names
    assert not [a for a in found.attributes if a[1].startswith("on") or a[1] == "src"]
    assert "alert(1)" in found.text


def test_choice_is_told_in_sentences() -> None:
    found = page(choice_document())
    assert "Which of Thinker-32B, closed-1 and Tiny serves this best at 20 requests per second" in found.text
    assert "0.50 USD per million output tokens" in found.text
    assert "the cheapest is Thinker-32B from Other API : 0.60 USD" in found.text
    assert "The highest score has closed-1 from Acme Cloud API" in found.text
    assert "Exam at least 10" in found.text
    assert "Exam 5 is below the floor of 10" in found.text
    assert "which is cheaper is too close to say" in found.text
    assert found.sections[:3] == ["quality", "model-costs", "choice"]


def test_rented_and_bought_differ_by_shape_and_by_word() -> None:
    found = page(choice_document())
    chart = found.html[found.html.index('<section id="quality"') : found.html.index('<section id="model-costs"')]
    plot = chart[chart.index("<svg", chart.index('class="labels"')) :]
    assert len(re.findall(r'href="#m0"', plot)) == 1
    assert len(re.findall(r'href="#m2"', plot)) == 2
    assert "circle: open model on rented chips" in found.text
    assert "diamond: by API" in found.text
    assert "self-hosted" in found.text


def test_without_scores_there_is_no_scatter_chart() -> None:
    d = choice_document(choice=[rented(points=None), by_api(points=None)], refused=[])
    d["question"]["quality"] = d["question"]["min_quality"] = None
    found = page(d)
    assert "quality" not in found.sections
    assert "Exam" not in found.text


def test_a_model_without_a_score_is_named_not_drawn() -> None:
    found = page(choice_document(choice=[rented(), by_api("unknown-9", 2.0, None)]))
    assert "Without a score, so not drawn: unknown-9" in found.text


def test_further_sellers_are_folded_but_all_there() -> None:
    sellers = [by_api("closed-1", 4.0 + i, 80.0, how=f"Seller {i} API", on_front=False) for i in range(9)]
    found = page(choice_document(choice=[rented(), *sellers]))
    assert "6 more sellers by API" in found.text
    assert all(f"Seller {i} API" in found.text for i in range(9))


def test_nothing_rented_keeps_the_promise() -> None:
    found = page(choice_document(choice=[by_api(), rented(meets_slo=False, p_meets_slo=0.2)]))
    assert "Nothing found on rented chips keeps the promise" in found.text
    assert "recommendation unkept" in found.html


def test_ecosystems_in_sentences_and_in_the_matrix() -> None:
    found = page(compare_document())
    assert "Seven ways to serve a shop" in found.text
    assert "0 of 1 pairs" in found.text
    assert "No way at all: Third" in found.text
    assert "≈ 66 %" in found.text
    assert "≈ 34 %" in found.text
    assert "nothing keeps the promise" in found.text
    assert {"ecosystem-costs", "standings", "order", "like-for-like", "ecosystem-locks", "ways"} <= set(found.sections)


def test_what_can_be_told_carries_no_tilde() -> None:
    d = compare_document(cheaper={"names": ["Own stack", "Bought"], "p": [[0.5, 0.95], [0.05, 0.5]]}, verdicts=["x"])
    found = page(d)
    assert "1 of 1 pairs" in found.text
    assert "≈ 9" not in found.text
    assert "<b>95" in found.html


def test_no_ecosystem_has_an_answer() -> None:
    rows = [{**r, "best": None, "options": [], "refusal": "no price"} for r in compare_document()["compare"]]
    found = page(compare_document(compare=rows, cheaper={"names": [], "p": []}, verdicts=[]))
    assert found.panels == ["ecosystems", "basis"]
    assert found.sections[0] == "ecosystems-left-out"


def test_one_and_the_same_model_needs_two_ecosystems() -> None:
    rows = compare_document()["compare"]
    assert "like-for-like" in page(compare_document()).sections
    assert "like-for-like" not in page(compare_document(compare=rows[:1])).sections


def test_locks_count_what_exists_elsewhere() -> None:
    found = page(choice_document(choice=[rented(lock_in=lock_in())]))
    assert 'title="aws, oci">2<' in found.html
    assert "the price binds for 12 months" in found.text
    assert "to another model: 3.0 – 96" in found.text


def test_three_plans_side_by_side() -> None:
    plans = [plan(), plan(2, "mi300x", 9.0), plan(3, "h100-sxm", 12.0), plan(4, "l40s", 15.0)]
    plans[1]["stack"]["vendor"] = "AMD"
    found = page(document(plans=plans))
    assert "The first three side by side" in found.text
    assert "makers" in found.sections
    assert "× 1.5" in found.text
    assert "side-by-side" not in page(document(plans=plans[:1])).sections


def test_drafting_is_said_where_there_is_some() -> None:
    plans = [plan(), plan(2, "mi300x", 9.0)]
    assert "Drafting" not in page(document(plans=plans)).text
    plans[0]["stack"]["speculation"] = {"method": "mtp", "draft_tokens": 3}
    found = page(document(plans=plans))
    assert "Drafting mtp, 3 tokens ahead –" in found.text
    assert "NVFP4 / FP8, mtp, 3 tokens ahead" in found.text


def test_pools_on_two_chips_name_both() -> None:
    p = plan()
    p["stack"]["pools"] = {"prefill": {"chip": "h200-sxm"}, "decode": {"chip": "b200-hgx"}}
    p["stack"]["prefill_offer"] = {**p["stack"]["offer"], "id": "aws/p5en", "units": 2}
    found = page(document(plans=[p]))
    assert "4 chips: h200-sxm for prompts, NVIDIA B200-HGX 180 GB for output" in found.text
    assert "for prompts 2 × aws/p5en" in found.text
    p["stack"]["pools"]["prefill"]["chip"] = "b200-hgx"
    assert "4 × NVIDIA B200-HGX 180 GB" in page(document(plans=[p])).text


def test_constraints_are_said_where_they_are_given() -> None:
    d = document(
        left_out_offers={"count": 7, "by_reason": [{"provider": "oci", "reason": "no region in eu", "offers": 7}]},
        api=[{"provider": "acme", "provider_name": "Acme", "endpoint": "global", "usd_per_mtok_output": 1.25,
              "usd_per_mtok_input": 0.1, "usd_per_mtok_output_list": 0.5, "date": "2026-06-01"}],
    )  # fmt: skip
    d["question"] |= {
        "ways": ["pipelined"], "kv_precision": "fp8", "mixed_pools": True,
        "residency": "eu", "certified": ["soc2"], "have": ["2 x h100-sxm"], "max_kw": 12.5, "penalty": "10%<99",
        "sector": {"name": "medical", "description": "a clinic", "assumes": [
            {"option": "certified", "value": ["hipaa"], "why": "health data", "source": None}]},
    }  # fmt: skip
    d["plans"][0]["penalty"] = {
        "expected_usd_per_month": 123.0,
        "fee_usd_per_month": 4000.0,
        "tiers": [{"below_percent": 99.0, "probability": 0.31}],
    }
    found = page(d)
    for words in (
        "ways of serving pipelined", "KV cache fp8", "pools on different chips",
        "data stay in eu", "certified for soc2", "at hand 2 x h100-sxm", "at most 12.5 kW", "penalty clause 10%<99",
        "sector medical assumes a value for certified", "no region in eu", "Expected penalty", "123",
        "health data", "1.25", "31 %", "7 offers are left out",
    ):  # fmt: skip
        assert words in found.text
    assert found.text.count("certified for soc2") == 1
    assert {"outside", "by-api", "sector", "penalty"} <= set(found.sections)
