"""Ids as the field writes them, and the words for one plan that several parts share."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from stackwright.web.numbers import ABSENT, count, finite

Document = dict[str, Any]

_PROVIDERS = {
    "at-hand": "your own machine",
    "aws": "AWS",
    "aws-sagemaker": "Amazon SageMaker",
    "azure": "Azure",
    "baseten": "Baseten",
    "coreweave": "CoreWeave",
    "crusoe": "Crusoe",
    "digitalocean": "DigitalOcean",
    "gcp": "Google Cloud",
    "hotaisle": "Hot Aisle",
    "hyperstack": "Hyperstack",
    "lambda": "Lambda",
    "modal": "Modal",
    "nebius": "Nebius",
    "novita": "Novita AI",
    "oci": "Oracle Cloud",
    "owned": "Bought",
    "runpod": "RunPod",
    "sfcompute": "SF Compute",
    "spheron": "Spheron",
    "tensorwave": "TensorWave",
    "together": "Together AI",
    "vast": "Vast.ai",
    "verda": "Verda",
    "vultr": "Vultr",
}
_ENGINES = {"vllm": "vLLM", "sglang": "SGLang", "tensorrt-llm": "TensorRT-LLM"}
_ASIDE = re.compile(r"\s*\([^()]*\)$")
_CONTRACTS = {
    "reserved": "reservation",
    "reserved_3m": "3-month reservation",
    "reserved_6m": "6-month reservation",
    "reserved_1y": "1-year reservation",
    "reserved_3y": "3-year reservation",
    "reserved_5y": "5-year reservation",
    "savings_plan_1y": "1-year savings plan",
    "savings_plan_3y": "3-year savings plan",
}


def provider(plan: Document) -> str:
    """The cloud of a plan; empty where it has no offer."""
    offer = plan["stack"].get("offer")
    return provider_name(offer["provider"]) if offer else ""


def provider_name(identifier: str) -> str:
    """A cloud as it writes itself."""
    return _PROVIDERS.get(identifier, identifier)


def engine_name(identifier: str) -> str:
    """An engine as it writes itself."""
    return _ENGINES.get(identifier, identifier)


def engine(plan: Document) -> str:
    """Engine and version."""
    stack = plan["stack"]
    return f"{engine_name(stack['engine'])} {stack['engine_version']}".strip()


def contract_name(identifier: str) -> str:
    """A contract in words."""
    return _CONTRACTS.get(identifier, identifier.replace("_", " "))


def region_name(identifier: str) -> str:
    """A region, or a dash where the price list names none."""
    return ABSENT if identifier in ("", "unspecified") else identifier


def terms(offer: Document) -> str:
    """Contract and, where the price list names one, region."""
    region = str(offer["region"])
    named = f", {region}" if region not in ("", "unspecified") else ""
    return contract_name(str(offer["contract"])) + named


def chip_short(plan: Document) -> str:
    """The chip without its maker and without what its name says in brackets."""
    name, vendor = str(plan["stack"]["chip_name"]), str(plan["stack"]["vendor"])
    own = name[len(vendor) :].strip() if name.lower().startswith(f"{vendor.lower()} ") else name
    return _ASIDE.sub("", own) or name


def chip_name(plan: Document) -> str:
    """The chip with its maker."""
    return f"{plan['stack']['vendor']} {chip_short(plan)}"


def chips(plan: Document) -> str:
    """Number and name: `8 × AMD Instinct MI300X`."""
    return f"{count(plan['n_chips'])}\u00a0× {chip_name(plan)}"


def precision(plan: Document) -> str:
    """Weight precision in capitals."""
    return str(plan["stack"]["layout"]["weight_precision"]).upper()


def model_name(identifier: str) -> str:
    """The model without its owner: `Qwen3-32B` of `Qwen/Qwen3-32B`; a path stays a path."""
    owner, slash, name = identifier.partition("/")
    return name if slash and owner and name and "/" not in name and not name.endswith(".json") else identifier


def date_name(text: object) -> str:
    """An ISO date as `15 Jun 2026`; what is no date stays as it is."""
    try:
        day = dt.date.fromisoformat(str(text))
    except ValueError:
        return str(text or "")
    return f"{day.day}\u00a0{day:%b}\u00a0{day.year}"


def place(plan: Document) -> str:
    """Cloud, contract and region of the price used."""
    offer = plan["stack"].get("offer")
    if not offer:
        return "no published price"
    return f"{provider_name(offer['provider'])}, {terms(offer)}"


def percentile(document: Document) -> str:
    """The promised percentile as the document's keys spell it: `p95`."""
    return f"p{finite(document['question']['slo']['percentile']) or 95.0:g}"
