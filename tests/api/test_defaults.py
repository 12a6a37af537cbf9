"""What a question takes for granted: sector profiles and small questions."""

from __future__ import annotations

from typing import Any

import pytest

from stackwright.api.plans import question_of
from stackwright.errors import InputError
from stackwright.planner import DEFAULT_SLO, RELAXED_SLO, Question
from stackwright.workload import SLO

MODEL = "Qwen/Qwen3-8B"


def question(**options: Any) -> Question:
    return question_of(MODEL, **options)


def test_a_sector_fills_in_what_is_not_given() -> None:
    q = question(sector="medical", rate=3.0)
    assert q.workload.name == "summarise"
    assert q.slo == SLO(2.0, 0.1, 95.0)
    assert (q.market.residency, q.market.certified) == ("eu", ("iso27001", "gdpr-dpa"))
    assert q.sector is not None
    assert set(q.sector.options) == {"workload", "ttft", "tpot", "residency", "certified", "contracts"}


def test_what_is_given_wins() -> None:
    q = question(sector="medical", rate=3.0, ttft=1.0, residency="us", workload="chat")
    assert q.workload.name == "chat"
    assert q.slo.ttft_s == 1.0
    assert (q.market.residency, q.market.certified) == ("us", ("hipaa", "soc2"))
    assert q.sector is not None
    assert not {"ttft", "workload", "residency"} & set(q.sector.options)
    assert question(sector="medical", residency="de").market.certified == ("c5", "gdpr-dpa")
    assert question(sector="medical", residency="nl").market.certified == ("iso27001", "gdpr-dpa")
    assert question(sector="medical", residency="jp").market.certified == ("iso27001",)
    assert "spot" in question(sector="finance", spot=True).market.contracts


def test_a_small_question_is_one_person_with_a_relaxed_promise() -> None:
    for small in (
        {"have": ("l40s",)},
        {"have": ("m4-max",)},
        {"max_usd_per_hour": 0.5},
        {"max_usd_per_hour": "20/day"},
    ):
        q = question(**small)
        assert q.workload.concurrency == 1.0
        assert q.slo == RELAXED_SLO
        assert len(q.assumed) == 2
    q = question(max_usd_per_hour="20/day", ttft=0.5)
    assert q.slo == SLO(0.5, None, 95.0)
    assert len(q.assumed) == 1
    q = question(have=("l40s",), rate=0.1)
    assert (q.workload.rate_per_s, q.workload.concurrency, q.slo) == (0.1, None, RELAXED_SLO)
    assert len(q.assumed) == 1


@pytest.mark.parametrize(
    "options",
    [
        {}, {"max_usd_per_hour": "500/day"}, {"have": ("l40sx2",)}, {"have": ("dgx-h100",)},
    ],
)  # fmt: skip
def test_any_other_question_is_taken_as_it_is(options: dict[str, Any]) -> None:
    q = question(**options)
    assert q.assumed == ()
    assert q.slo == DEFAULT_SLO
    assert q.workload.concurrency is None


def test_budgets_are_per_hour() -> None:
    assert question(max_usd_per_hour="730.5/month", rate=1.0).limits.max_usd_per_hour == pytest.approx(1.0)
    with pytest.raises(InputError, match="cannot read '5/week'"):
        question(max_usd_per_hour="5/week")
    with pytest.raises(InputError, match="max_kw must be a positive number"):
        question(max_kw=0.0)


def test_chips_that_stand_on_desks_only_make_a_small_question() -> None:
    q = question(chips=("m4-max",))
    assert (q.workload.concurrency, q.slo) == (1.0, RELAXED_SLO)
    assert any("--have m4-max" in line for line in q.assumed)
    for chips in (("rtx-4090",), ("m4-max", "h100-sxm"), ()):  # the first is rented too
        assert question(chips=chips).slo == DEFAULT_SLO
