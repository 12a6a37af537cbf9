"""Hub ids that the catalogue lacks: fetched once, kept, refused in one line. No test touches a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackwright.catalog import load_catalog
from stackwright.errors import InputError, UnsupportedError
from stackwright.planner import resolve_model
from stackwright.planner.stacks import hub
from stackwright.planner.stacks.models import checkpoint_of
from tests.llm.configs import LLAMA_8B

FACTS = load_catalog()
HUB_ID = "some-lab/Some-Model-8B"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "stackwright" / "hub" / "some-lab--Some-Model-8B"


def serving(files: dict[str, str]):
    asked = []

    def fetch(hub_id: str, name: str, folder: Path) -> bool:
        asked.append((hub_id, name))
        if name in files:
            (folder / name).write_text(files[name])
        return name in files

    return fetch, asked


def test_only_the_configs_are_fetched_and_only_once(cache: Path) -> None:
    quantised = json.dumps({"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}})
    fetch, asked = serving({"config.json": json.dumps(LLAMA_8B), "hf_quant_config.json": quantised})
    model, entry = resolve_model(HUB_ID, FACTS, fetch)
    assert (model.id, entry, model.native_precision) == (HUB_ID, None, "nvfp4")
    assert asked == [(HUB_ID, "config.json"), (HUB_ID, "hf_quant_config.json")]
    again, _ = resolve_model(HUB_ID, FACTS, fetch)
    assert again == model
    assert len(asked) == 2
    assert {p.name for p in cache.iterdir()} == {"config.json", "hf_quant_config.json"}


def test_an_unknown_architecture_is_refused_by_its_hub_id() -> None:
    fetch, _ = serving({"config.json": json.dumps({"model_type": "mamba", "state_size": 16})})
    with pytest.raises(UnsupportedError, match=rf"^{HUB_ID}: architecture 'mamba' .*state_size"):
        resolve_model(HUB_ID, FACTS, fetch)


def test_the_cache_serves_without_the_extra(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "can_fetch", lambda: False)
    with pytest.raises(InputError, match=r"unknown model .*config\.json; pip install 'stackwright\[hub\]'"):
        resolve_model(HUB_ID, FACTS)
    cache.mkdir(parents=True)
    (cache / "config.json").write_text(json.dumps(LLAMA_8B))
    assert resolve_model(HUB_ID, FACTS)[0].parameters == 8_030_261_248


def test_a_refusal_of_the_hub_is_one_line() -> None:
    def gated(hub_id: str, name: str, folder: Path) -> bool:
        raise OSError("401 Client Error\nCannot access gated repo")

    with pytest.raises(InputError, match=r"cannot fetch its config\.json \(401 Client Error\).*HF_TOKEN") as error:
        resolve_model(HUB_ID, FACTS, gated)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"no config\.json"):
        resolve_model(HUB_ID, FACTS, serving({})[0])


@pytest.mark.parametrize("name", ["no-such-model", "../etc/passwd", "a/b/c", "some lab/x", "-x/y"])
def test_other_names_are_never_asked_of_the_hub(name: str) -> None:
    fetch, asked = serving({"config.json": json.dumps(LLAMA_8B)})
    with pytest.raises(InputError, match="unknown model"):
        resolve_model(name, FACTS, fetch)
    assert not asked


def test_a_fetched_model_is_launched_by_its_id() -> None:
    assert checkpoint_of(HUB_ID, None, "bf16")[0] == HUB_ID
