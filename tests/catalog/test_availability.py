from __future__ import annotations

from stackwright.catalog import availability_of, load_catalog
from stackwright.catalog.availability import _shipped


def test_every_note_has_a_source_and_holds_for_some_offer() -> None:
    facts = load_catalog()
    pairs = [(offer, price) for offer in facts.offers.values() for price in offer.prices if offer.chip in facts.chips]
    for note in _shipped():
        assert note.confidence != "assumption"
        assert note.date is not None
        assert any(note in availability_of(o, p, facts.chips[o.chip]) for o, p in pairs), note.text


def test_a_note_holds_for_its_contract_and_family_only() -> None:
    facts = load_catalog()
    h100, tpu = facts.chip("h100-sxm"), facts.chip("tpu-v6e")
    for chip, provider in ((h100, "aws"), (tpu, "gcp")):
        for offer, price in facts.offers_for(chip.id, (provider,), None):
            texts = [a.text for a in availability_of(offer, price, chip)]
            assert any("ahead" in t for t in texts) == (provider == "aws" and price.contract == "capacity_block")
            assert any("quota" in t for t in texts) == (chip is tpu and price.contract == "on_demand")
