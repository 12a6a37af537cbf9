import datetime as dt
import time
from pathlib import Path

import pytest

from stackwright.catalog import Catalog, Price, load_catalog
from stackwright.catalog.store import prices_in_force, shipped_catalog
from stackwright.errors import CatalogError, InputError, UnknownIdError

SCOPE = (
    "a100-sxm-80 a100-sxm-40 l40s h100-sxm h200-sxm b200-hgx b300-hgx gb200 gb300 rtx-pro-6000-bw-server "
    "mi300x mi325x mi355x tpu-v6e tpu-v7-ironwood trainium1 trainium2 gaudi2 gaudi3"
)

CLOUDS = (
    "aws aws-sagemaker azure baseten coreweave crusoe digitalocean gcp hotaisle hyperstack lambda modal nebius novita "
    "oci runpod sfcompute spheron tensorwave together vast verda vultr"
)

NEW_CHIP = """
id: acme-one
name: Acme One
vendor: AMD
family: acme
status: announced
compute: {bf16: 1e15, fp8: 2e15, source: a test, date: 2026-01-01, confidence: assumption}
memory: {capacity_bytes: 100e9, bandwidth_bytes_per_s: 4e12, source: a test, confidence: assumption}
link: {scale_up_bytes_per_s: 4e11, scale_up_domain: 8, scale_up_kind: xgmi, scale_out_bytes_per_s: 5e10,
       source: a test, confidence: assumption}
power: {tdp_w: 900, source: a test, confidence: assumption}
"""


def test_the_chips_engines_and_clouds_of_this_stage_are_there(catalog: Catalog):
    assert set(SCOPE.split()) <= set(catalog.chips)
    engines = "vllm sglang tensorrt-llm atom optimum-habana neuron llama.cpp mlx vendor-runtime"
    assert set(engines.split()) == set(catalog.engines)
    assert len(catalog.chips) == 76
    providers = {offer.provider for offer in catalog.offers.values()}
    assert set(CLOUDS.split()) == providers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("H100", "h100-sxm"),
        ("h200_SXM", "h200-sxm"),
        ("b200_sxm", "b200-hgx"),
        ("MI355X", "mi355x"),
        ("TPU v6e", "tpu-v6e"),
        ("tpu-v7-ironwood", "tpu-v7-ironwood"),
        ("trn2", "trainium2"),
    ],
)
def test_chips_answer_to_aliases_in_any_case(catalog: Catalog, given: str, expected: str):
    assert catalog.chip(given).id == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        ("qwen3-32b", "Qwen/Qwen3-32B"),
        ("Qwen3-32B-FP8", "Qwen/Qwen3-32B"),
        ("nvidia/DeepSeek-R1-FP4", "deepseek-ai/DeepSeek-R1"),
        ("DeepSeek-V3", "deepseek-ai/DeepSeek-V3"),
        ("Llama-3.1-70B-Instruct", "meta-llama/Meta-Llama-3.1-70B"),
        ("Llama-3.3-70B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"),
    ],
)
def test_models_answer_to_hub_ids_checkpoints_and_last_parts(catalog: Catalog, given: str, expected: str):
    assert catalog.model(given).id == expected


def test_engines_answer_to_the_names_people_use(catalog: Catalog):
    assert {catalog.engine(name).id for name in ("trtllm", "trt", "TRT-LLM", "tensorrt_llm")} == {"tensorrt-llm"}
    with pytest.raises(UnknownIdError):
        catalog.engine("optimum")


def test_an_unknown_id_names_the_nearest(catalog: Catalog):
    with pytest.raises(UnknownIdError, match=r"unknown chip 'h2000'; did you mean 'H200'"):
        catalog.chip("h2000")
    with pytest.raises(UnknownIdError, match="Qwen3-32B"):
        catalog.model("Qwen3-33B")


def test_a_name_of_two_records_is_refused(catalog: Catalog):
    h100 = catalog.chips["h100-sxm"]
    twin = h100.model_copy(update={"id": "h100-twin"})
    with pytest.raises(InputError, match="ambiguous: h100-sxm, h100-twin"):
        Catalog(chips={h100.id: h100, twin.id: twin}).chip("H100")


def test_every_figure_has_source_and_confidence(catalog: Catalog):
    groups = [g for c in catalog.chips.values() for g in (c.compute, c.memory, c.link, c.power) if g is not None]
    groups += [*catalog.systems.values(), *catalog.models.values(), *catalog.grids.values()]
    groups += [part for e in catalog.engines.values() for part in (e, e.scheduler)]
    groups += [c for m in catalog.models.values() for c in m.checkpoints]
    groups += [p for o in catalog.offers.values() for p in o.prices]
    assert len(groups) > 400
    for group in groups:
        assert len(group.source) > 5, group
        assert group.confidence
    assert all(p.date for o in catalog.offers.values() for p in o.prices)


def test_a_directory_adds_a_chip_with_one_file_and_overrides_by_id(catalog: Catalog, tmp_path: Path):
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "acme-one.yaml").write_text(NEW_CHIP)
    mine = load_catalog(tmp_path)
    assert mine.chip("ACME-ONE").compute.fp8 == 2e15
    assert set(mine.chips) == {*catalog.chips, "acme-one"}
    (tmp_path / "chips" / "h100.yaml").write_text(NEW_CHIP.replace("acme-one", "h100-sxm"))
    assert load_catalog(tmp_path).chip("h100-sxm").name == "Acme One"
    assert "acme-one" not in load_catalog().chips


def test_a_directory_adds_an_offer_with_shared_sources(tmp_path: Path):
    (tmp_path / "offers").mkdir()
    (tmp_path / "offers" / "mine.yaml").write_text(
        "provider: mine\nsources: {s1: our own contract}\noffers:\n"
        "  - {instance: Rack-A, chip: h100-sxm, chips: 8, unit: instance, scale_up_chips: 8, max_replica_chips: 8,\n"
        "     prices: [{contract: on_demand, usd_per_hour: 20, date: 2026-11-01, regions: [home], source: s1,"
        " confidence: measured}]}\n"
    )
    [(offer, price)] = load_catalog(tmp_path).offers_for("h100", providers=["MINE"])
    assert (offer.id, price.source, price.regions) == ("mine/rack-a", "our own contract", ("home",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NEW_CHIP.replace("tdp_w: 900, ", ""), r"bad.yaml: acme-one: power.tdp_w: Field required"),
        (NEW_CHIP.replace("tdp_w: 900", "tdp: 900"), r"bad.yaml: acme-one: power.tdp_w"),
        (NEW_CHIP.replace("tdp_w: 900", "tdp_w: .inf"), r"bad.yaml: acme-one: power.tdp_w: Input should be a finite"),
        (NEW_CHIP + "vendor: AMD\n", r"bad.yaml: not valid YAML.*'vendor' is given twice"),
        ("- 1", r"bad.yaml: expected one mapping"),
        ("name: x", r"bad.yaml: a record without a text `id`"),
        ("{", r"bad.yaml: not valid YAML"),
    ],
)
def test_a_broken_file_is_named_with_its_field(tmp_path: Path, text: str, message: str):
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "bad.yaml").write_text(text)
    with pytest.raises(CatalogError, match=message):
        load_catalog(tmp_path)


def test_a_missing_directory_is_an_error(tmp_path: Path):
    with pytest.raises(CatalogError, match="no such catalogue directory"):
        load_catalog(tmp_path / "nowhere")


def price(date: str, usd: float, confidence: str = "datasheet", regions: tuple[str, ...] = ("a",), **more) -> Price:
    day = dt.date.fromisoformat(date)
    contract = more.get("contract", "on_demand")
    return Price(contract=contract, usd_per_hour=usd, regions=regions, source="test", date=day, confidence=confidence)


def in_force(*prices: Price, as_of: str | None = None) -> dict[tuple[str, str], float]:
    day = dt.date.fromisoformat(as_of) if as_of else None
    return {(p.contract, r): p.usd_per_hour for p in prices_in_force(prices, day) for r in p.regions}


def test_the_newest_price_wins_for_each_contract_and_region():
    old, new = price("2026-01-01", 10, regions=("a", "b")), price("2026-06-01", 12)
    spot = price("2026-03-01", 4, contract="spot")
    assert in_force(new, old, spot) == {("on_demand", "a"): 12, ("on_demand", "b"): 10, ("spot", "a"): 4}
    assert in_force(new, old, as_of="2026-05-01") == {("on_demand", "a"): 10, ("on_demand", "b"): 10}


def test_the_best_sourced_price_of_a_day_wins_and_an_assumption_hides_nothing():
    read = price("2026-01-01", 10)
    assert in_force(read, price("2026-06-29", 99, "press")) == {("on_demand", "a"): 99}
    assert in_force(price("2026-01-01", 99, "press"), read) == {("on_demand", "a"): 10}
    assert in_force(read, price("2026-07-01", 99, "assumption")) == {("on_demand", "a"): 10}
    assert in_force(price("2026-01-01", 10, "assumption"), price("2026-02-01", 11, "assumption")) == {
        ("on_demand", "a"): 11
    }


def test_aws_capacity_blocks_follow_the_rise_of_2026(catalog: Catalog):
    def rate(day: str) -> float:
        pairs = catalog.offers_for("b200", ["aws"], ["capacity_block"], ["us-east-1"], as_of=dt.date.fromisoformat(day))
        return pairs[0][1].usd_per_hour / pairs[0][0].chips

    assert [round(rate(d), 3) for d in ("2026-03-02", "2026-08-01", "2026-11-01")] == [9.36, 12.355, 14.208]


def test_offers_are_filtered_and_sorted_by_chip_hour(catalog: Catalog):
    pairs = catalog.offers_for("h100-sxm", contracts=("on_demand", "spot"))
    rates = [p.usd_per_hour / o.chips for o, p in pairs]
    assert rates == sorted(rates)
    azure = catalog.offers_for("H100", ["azure"], regions=["eastus"])
    assert {p.regions for _, p in azure} == {("eastus",)}
    assert {o.instance for o, _ in azure} == {"Standard_ND96isr_H100_v5", "Standard_ND96is_H100_v5"}
    assert all(o.chip == "h100-sxm" for o, _ in pairs)


def test_filters_ignore_case_and_refuse_what_nobody_sells(catalog: Catalog):
    assert catalog.offers_for("H100", ["Azure"], ["On_Demand"], ["EastUS"]) == catalog.offers_for(
        "H100", ["azure"], ["on_demand"], ["eastus"]
    )
    assert len(catalog.offers_for("H100", contracts=None)) > len(catalog.offers_for("H100"))
    for filters, message in (
        ({"providers": ["azur"]}, "unknown cloud 'azur'; did you mean 'azure'"),
        ({"contracts": ["ondemand"]}, "unknown contract 'ondemand'; did you mean 'on_demand'"),
        ({"regions": ["eastus9"]}, "unknown region 'eastus9'; did you mean 'eastus"),
        ({"providers": ["zzz"]}, "unknown cloud 'zzz'; known: aws, aws-sagemaker, azure"),
    ):
        with pytest.raises(UnknownIdError, match=message):
            catalog.offers_for("H100", **filters)


def test_rack_and_slice_offers_carry_their_domain(catalog: Catalog):
    assert catalog.offers["azure/standard_nd128isr_ndr_gb200_v6"].scale_up_chips == 72
    assert catalog.offers["gcp/ct6e-standard"].unit == "chip"
    tpu = catalog.offers["gcp/tpu7x-standard-4t"]
    assert {p.usd_per_hour for p in tpu.prices if p.contract == "on_demand"} == {48.0, 52.8}


def test_the_host_share_comes_from_the_system(catalog: Catalog):
    system = catalog.system_for("b200", 1)
    assert system is not None
    assert (system.power_w, system.high["power_w"], system.confidence) == (10401.0, 14300.0, "measured")
    assert catalog.system_for("gb200", 500) == catalog.system("gb200-nvl72")
    assert all(catalog.system_for(chip, 1) is not None for chip in catalog.chips)


def test_every_priced_region_has_electricity(catalog: Catalog):
    places = {(o.provider, r) for o in catalog.offers.values() for p in o.prices for r in p.regions}
    assert len(places) > 30
    assert all(catalog.grid_for(*place) is not None for place in places)
    assert catalog.grid_for("azure", "moon") is None
    sweden = catalog.grid_for("azure", "swedencentral")
    assert sweden is not None
    assert sweden.carbon_g_per_kwh < 60  # the marginal figure of the same source is about 780


def test_prices_know_their_age():
    assert price("2026-11-01", 1).age_days(dt.date(2026, 11, 23)) == 22


def test_loading_is_quick(catalog: Catalog):
    shipped_catalog.cache_clear()
    start = time.process_time()
    load_catalog()
    assert time.process_time() - start < 0.2  # about 0.01 s; generous for a busy machine
