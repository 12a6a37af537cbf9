"""The readers of price lists against hand-written answers: what they take, what they leave and why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stackwright.catalog.refresh import aws, azure, gcp, genai, gpuhunt
from stackwright.catalog.refresh.gate import gate
from stackwright.catalog.refresh.readings import Snapshot, lists
from stackwright.catalog.store import shipped_catalog
from stackwright.errors import InputError, SourceError, UnknownIdError
from tests.catalog.refresh import answers
from tests.catalog.refresh.answers import DAY, always, asked, aws_csv, aws_row, azure_page, azure_row, google_sku


def prices(snapshot: Snapshot) -> dict[tuple[str, str, str], float]:
    return {(r.offer.instance, r.contract, r.region): r.usd_per_hour for r in snapshot.readings}


def reasons(snapshot: Snapshot, instance: str) -> set[str]:
    return {row.reason for row in snapshot.left_out if row.what.startswith(instance)}


H100 = "Standard_ND96isr_H100_v5"


def test_azure_reads_every_kind_of_contract() -> None:
    plan = [{"unitPrice": 60.0, "retailPrice": 60.0, "term": "3 Years"}]
    found = azure.read(asked(answers.azure(
        azure_row(savingsPlan=plan),
        azure_row(skuName="ND96isr H100 v5 Spot", meterName="ND96isr H100 v5 Spot", retailPrice=18.984),
        azure_row(type="Reservation", reservationTerm="1 Year", retailPrice=551221.0),
        azure_row(type="Reservation", reservationTerm="3 Years", retailPrice=1134310.0),
    )))  # fmt: skip
    read = prices(found)
    assert read[H100, "on_demand", "eastus"] == 98.32
    assert read[H100, "spot", "eastus"] == 18.984
    # a reservation is priced for its whole term: 551,221 / 8,760 h and 1,134,310 / 26,280 h
    assert read[H100, "reserved_1y", "eastus"] == pytest.approx(62.9248, abs=1e-4)
    assert read[H100, "reserved_3y", "eastus"] == pytest.approx(43.1625, abs=1e-4)
    assert read[H100, "savings_plan_3y", "eastus"] == 60.0
    assert "no meter in the answer" in reasons(found, "Standard_ND96isr_H200_v5")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"productName": "Virtual Machines NDsrH100v5 Series Windows"}, "Windows, cloud service or dedicated host"),
        ({"type": "DevTestConsumption"}, "price for development and test subscriptions"),
        ({"skuName": "ND96isr H100 v5 Low Priority"}, "low-priority capacity of Batch, not rentable as such"),
        ({"effectiveStartDate": "2026-12-01T00:00:00Z"}, "not in force yet"),
        ({"effectiveEndDate": "2026-11-01T00:00:00Z"}, "no longer in force"),
        ({"unitOfMeasure": "1 Month"}, "in USD per 1 Month, not USD per 1 Hour"),
        ({"currencyCode": "EUR"}, "in EUR per 1 Hour, not USD per 1 Hour"),
        (
            {"type": "Reservation", "reservationTerm": "5 Years"},
            "reservation of 5 Years: no such contract in the catalogue",
        ),
        ({"type": "Barter"}, "price type 'Barter' is not known"),
    ],
)
def test_azure_leaves_out_with_a_reason(given: dict[str, Any], reason: str) -> None:
    found = azure.read(asked(answers.azure(azure_row(**given))))
    assert prices(found) == {}
    assert reason in reasons(found, H100)


def test_azure_takes_the_price_in_force_and_only_the_regions_asked_for() -> None:
    rows = (
        azure_row(retailPrice=98.32, effectiveStartDate="2025-10-01T00:00:00Z"),
        azure_row(retailPrice=90.0, effectiveStartDate="2026-10-01T00:00:00Z"),
        azure_row(armRegionName="westus3", retailPrice=99.0),
    )
    assert prices(azure.read(asked(answers.azure(*rows), frozenset({"eastus"})))) == {
        (H100, "on_demand", "eastus"): 90.0
    }


def test_azure_follows_pages_but_no_other_host() -> None:
    def paged(request: Any) -> Any:
        if "H100_v5" not in request.full_url or "isr" not in request.full_url:
            return 200, {}, azure_page()
        if "skip=1000" in request.full_url:
            return 200, {}, azure_page(azure_row(armRegionName="westus2"))
        return 200, {}, azure_page(azure_row(), link=request.full_url + "&$skip=1000")

    assert {region for _, _, region in prices(azure.read(asked(paged)))} == {"eastus", "westus2"}
    away = always(azure_page(azure_row(), link="https://example.org/next"))
    with pytest.raises(SourceError, match="another host"):
        azure.read(asked(away))


def test_azure_says_that_the_format_changed() -> None:
    with pytest.raises(SourceError, match="no list `Items`"):
        azure.read(asked(always({"Rows": []})))


def test_aws_reads_on_demand_and_reservations() -> None:
    term = {"TermType": "Reserved", "LeaseContractLength": "3yr", "OfferingClass": "standard"}
    upfront = {**term, "PurchaseOption": "All Upfront", "Instance_Type": "p5en.48xlarge"}
    text = aws_csv(
        aws_row(),
        aws_row(**{**term, "PurchaseOption": "No Upfront", "PricePerUnit": "23.7773"}),
        aws_row(**{**term, "PurchaseOption": "All Upfront", "PricePerUnit": "0"}),
        aws_row(**{**upfront, "PricePerUnit": "525600", "Unit": "Quantity"}),
        aws_row(**{**upfront, "PricePerUnit": "0"}),
        aws_row(Operating_System="Windows", PricePerUnit="70"),
        aws_row(Tenancy="Dedicated", PricePerUnit="60"),
        aws_row(CapacityStatus="AllocatedCapacityReservation", PricePerUnit="0"),
        aws_row(MarketOption="CapacityBlock", PricePerUnit="0"),
        aws_row(Instance_Type="c7i.large", PricePerUnit="0.1"),
    )
    found = aws.read(asked(answers.aws(text)))
    # 525,600 USD for three years of 8,760 hours are 20 USD per hour
    assert prices(found) == {
        ("p5.48xlarge", "on_demand", "us-east-1"): 55.04,
        ("p5.48xlarge", "reserved_3y", "us-east-1"): 23.7773,
        ("p5en.48xlarge", "reserved_3y", "us-east-1"): 20.0,
    }
    [note] = [r.note for r in found.readings if r.offer.instance == "p5en.48xlarge"]
    assert note == "all upfront, spread over the term without interest"
    assert {"Operating System Windows", "Tenancy Dedicated"} <= reasons(found, "p5.48xlarge")
    assert "not in the price file" in reasons(found, "p5e.48xlarge")
    assert not reasons(found, "c7i.large")


def test_aws_refuses_an_unknown_region_and_a_changed_file() -> None:
    with pytest.raises(UnknownIdError, match="us-east-1"):
        aws.read(asked(answers.aws(aws_csv()), frozenset({"us-east-9"})))
    with pytest.raises(SourceError, match="no column Instance Type"):
        aws.read(asked(answers.aws(aws_csv(columns=tuple(c for c in answers.AWS_COLUMNS if c != "Instance Type")))))


# Rates of published price lists (2026): they add up to the published prices of the whole machines
A2 = (
    google_sku("A2 Instance Core running in Americas", 0.031611),
    google_sku("A2 Instance Ram running in Americas", 0.004237, "GiBy.h"),
)
SSD = google_sku("SSD backed Local Storage", 0.08, "GiBy.mo")
A100_40 = google_sku("Nvidia Tesla A100 GPU running in Americas", 2.933908)
A100_80 = google_sku("Nvidia Tesla A100 80GB GPU running in Americas", 3.92808)
MEGA = (
    google_sku("A3Plus Instance Core running in Americas", 0.026924),
    google_sku("A3Plus Instance Ram running in Americas", 0.002344, "GiBy.h"),
    google_sku("Nvidia H100 80GB Plus GPU running in Americas", 10.344275712),
)


def google(*skus: dict[str, Any]) -> Any:
    return asked(always({"skus": list(skus), "nextPageToken": ""}), GOOGLE_API_KEY="k")


def test_google_machines_are_the_sum_of_their_parts() -> None:
    read = prices(gcp.read(google(*A2, SSD, A100_40, A100_80, *MEGA)))
    assert read["a2-highgpu-8g", "on_demand", "us-central1"] == pytest.approx(29.3871, abs=1e-3)
    assert read["a2-ultragpu-1g", "on_demand", "us-central1"] == pytest.approx(5.0688, abs=1e-4)
    assert read["a3-megagpu-8g", "on_demand", "us-central1"] == pytest.approx(93.4007, abs=1e-3)


def test_google_refuses_an_accelerator_without_its_host() -> None:
    found = gcp.read(google(A100_40))
    assert prices(found) == {}
    assert "'A2 Instance Core' is missing: not the price of a whole machine" in reasons(found, "a2-highgpu-8g")
    assert "the parts of this machine type are not in the catalogue" in reasons(found, "ct6e-standard")


def test_google_takes_spot_and_no_commitment() -> None:
    slice_ = "A4 Nvidia B200 (1 gpu slice) running in Americas"
    found = gcp.read(google(
        google_sku(f"Spot Preemptible {slice_}", 4.9542, usage="Preemptible"),
        google_sku(slice_, 9.0, usage="Commit1Yr"),
    ))  # fmt: skip
    assert prices(found) == {("a4-highgpu-8g", "spot", "us-central1"): pytest.approx(39.6336)}


def test_google_sends_the_key_in_a_header_only_and_asks_for_it() -> None:
    seen = []

    def answer(request: Any) -> Any:
        seen.append(request)
        return 200, {}, {"skus": [*A2, A100_40]}

    question = asked(answer, GOOGLE_API_KEY="secret-key")
    gcp.read(question)
    assert seen[0].get_header("X-goog-api-key") == "secret-key"
    assert "secret-key" not in " ".join(question.web.urls)
    with pytest.raises(InputError, match="GOOGLE_API_KEY"):
        gcp.read(asked(answer))


def item(**given: Any) -> SimpleNamespace:
    """The fields of `gpuhunt.CatalogItem` that are read."""
    plain = {"provider": "verda", "instance_name": "8H100.80S.176V", "location": "FIN-01", "price": 15.9, "spot": False,
             "gpu_count": 8, "gpu_name": "H100", "gpu_memory": 80.0}  # fmt: skip
    return SimpleNamespace(**(plain | given))


def test_gpuhunt_names_become_chips_and_claim_no_network() -> None:
    items = [item(), item(price=16.5), item(spot=True, price=6.0), item(instance_name="2H100", gpu_count=2, price=4.0)]
    found = gpuhunt.readings_of(items, asked(always("")))
    assert prices(found) == {
        ("8H100.80S.176V", "on_demand", "FIN-01"): 15.9,
        ("8H100.80S.176V", "spot", "FIN-01"): 6.0,
        ("2H100", "on_demand", "FIN-01"): 4.0,
    }
    offer = found.readings[0].offer
    assert (offer.id, offer.chip, offer.max_replica_chips) == ("verda/8h100.80s.176v", "h100-sxm", 8)
    assert found.confidence == "press"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"gpu_name": "P100", "gpu_memory": 16.0}, "accelerator 'P100' is not in the catalogue"),
        ({"instance_name": "1x H100 PCIe"}, "H100 on another board (PCIe or NVL)"),
        ({"gpu_memory": 94.0}, "H100 with 94 GB: neither GB nor GiB of a chip of that name"),
        ({"gpu_name": "MI325X", "gpu_memory": 288.0}, "MI325X with 288 GB: neither GB nor GiB of a chip of that name"),
        ({"provider": "vastai"}, "provider 'vastai' is not read"),
    ],
)
def test_gpuhunt_refuses_what_it_cannot_name(given: dict[str, Any], reason: str) -> None:
    found = gpuhunt.readings_of([item(**given)], asked(always("")))
    assert not found.readings
    assert [row.reason for row in found.left_out] == [reason]


def test_every_name_of_the_lists_is_known() -> None:
    """The chips that the names stand for, and the machine types that have parts, exist in the catalogue."""
    catalog = shipped_catalog()
    assert {row["chip"] for row in lists()["gpuhunt"]["chips"]} <= catalog.chips.keys()
    assert {f"gcp/{name}" for name in lists()["gcp"]["machines"]} <= catalog.offers.keys()
    for name in ("azure", "aws", "gcp", "genai", "gpuhunt", "instances"):
        assert {"source", "date", "confidence"} <= lists()[name].keys()


def test_token_prices_are_checked_by_the_schema_of_the_package() -> None:
    provider = {"id": "acme", "name": "Acme", "api_pattern": "https://api\\.acme\\.test", "models": [
        {"id": "acme-1", "match": {"equals": "acme-1"}, "prices": {"input_mtok": 1.5, "output_mtok": 6}}]}  # fmt: skip
    import json

    [read] = genai.parse(json.dumps([provider]).encode())
    assert read.models[0].id == "acme-1"
    for broken in (b'{"id": 1}', b'[{"id": "acme"}]', b"[{"):
        with pytest.raises(SourceError, match="does not fit"):
            genai.parse(broken)
    with pytest.raises(SourceError, match="1 models, the installed package has"):
        genai.read(asked(always([provider])))


@pytest.mark.parametrize(
    ("on_demand", "spot", "message"),
    [
        (98.32, 98.32, "spot is not below on demand in eastus"),
        (98.32, 9.832, "spot is exactly a tenth of on demand in eastus"),
        (98.32, 700.0, "700 USD is a placeholder, not a price"),
        (98.32, 0.0, "0 USD is a placeholder, not a price"),
        (700.0 * 8, 20.0, "5600 USD is a placeholder, not a price"),
    ],
)
def test_the_rules_of_the_check_refuse_rows(on_demand: float, spot: float, message: str) -> None:
    rows = (azure_row(retailPrice=on_demand), azure_row(skuName="ND96isr H100 v5 Spot", retailPrice=spot))
    snapshot = azure.read(asked(answers.azure(*rows)))
    [offer], refused = gate(snapshot, shipped_catalog(), DAY)
    assert [row.reason for row in refused] == [message]
    assert len(offer.prices) == 1


def test_gpuhunt_reads_its_published_files() -> None:
    """The real package on a file in its published form; skips where the extra is not installed."""
    pytest.importorskip("gpuhunt")
    import io
    import zipfile

    columns = ("instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,"
               "cpu_arch,provider_data")  # fmt: skip
    row = "8H100.80S.176V,FIN-01,15.9,176,1480.0,8,H100,80.0,False,,nvidia,,x86,{}"

    def answer(request: Any) -> Any:
        *_, provider, name = request.full_url.removesuffix("/catalog.zip").split("/")
        if name == "version":
            return 200, {}, "20261119-1\n"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as made:
            made.writestr(f"{provider}.csv", f"{columns}\n{row}\n")
        return 200, {}, packed.getvalue()

    found = gpuhunt.read(asked(answer))
    assert {o.offer.provider for o in found.readings} == set(lists()["gpuhunt"]["providers"].values())
    assert {o.usd_per_hour for o in found.readings} == {15.9}
