"""Launch of drafts and pools: documented flags, one role to a worker, a reason where nothing is documented."""

import json

import pytest
import yaml

from stackwright.catalog import load_catalog
from stackwright.deploy import ServingSettings, drafting, flag_problems, launch_command, pool_launch
from stackwright.errors import UnsupportedError
from stackwright.performance import Layout, Pools, Speculation

ENGINES = ("vllm", "sglang", "tensorrt-llm")
BASE = ServingSettings(64, 8192, 9000, 0.9, prefix_caching=False)
CHIP = load_catalog().chip("h200-sxm")
MTP2 = Speculation("mtp", 2)


def value(argv, flag):
    return argv[argv.index(flag) + 1]


def pair(engine, **kw):
    pools = Pools(Layout(tp=4), 2, Layout(tp=8), 1)
    return pool_launch(engine, (CHIP, CHIP), pools, "unlisted/model", (BASE, BASE), **kw)


@pytest.mark.parametrize("engine", ENGINES)
def test_flags_of_drafts_and_pools_are_documented(engine):
    plain = launch_command(engine, CHIP, Layout(tp=8), "unlisted/model", BASE)
    launched = pair(engine, speculation=MTP2)
    for command in (drafting(engine, plain, MTP2), launched.prefill, launched.decode):
        assert flag_problems(engine, command.argv) == []


def test_every_engine_says_how_many_tokens_it_drafts():
    made = {e: drafting(e, launch_command(e, CHIP, Layout(tp=8), "unlisted/model", BASE), MTP2) for e in ENGINES}
    config = json.loads(value(made["vllm"].argv, "--speculative-config"))
    assert config == {"method": "mtp", "num_speculative_tokens": 2}
    assert value(made["sglang"].argv, "--speculative-num-steps") == "2"
    assert value(made["sglang"].argv, "--speculative-num-draft-tokens") == "3"
    (options,) = (yaml.safe_load(text) for text in made["tensorrt-llm"].files.values())
    assert options["speculative_config"]["num_nextn_predict_layers"] == 2
    assert options["kv_cache_config"]["free_gpu_memory_fraction"] == 0.9


def test_each_worker_has_its_role_size_and_port():
    vllm, sglang, trt = (pair(e) for e in ENGINES)
    for name, role in (("prefill", "kv_producer"), ("decode", "kv_consumer")):
        assert json.loads(value(getattr(vllm, name).argv, "--kv-transfer-config"))["kv_role"] == role
        assert value(getattr(sglang, name).argv, "--disaggregation-mode") == name
    assert value(vllm.prefill.argv, "--tensor-parallel-size") == "4"
    assert value(vllm.decode.argv, "--tensor-parallel-size") == "8"
    first, second = (yaml.safe_load(next(iter(c.files.values()))) for c in (trt.prefill, trt.decode))
    assert first["disable_overlap_scheduler"] is True
    assert "disable_overlap_scheduler" not in second
    assert first["cache_transceiver_config"] == second["cache_transceiver_config"]
    assert set(trt.prefill.files).isdisjoint(trt.decode.files)
    for launched in (vllm, sglang, trt):
        assert value(launched.prefill.argv, "--port") != value(launched.decode.argv, "--port")


def test_the_router_knows_both_pools():
    assert pair("vllm").router is None
    assert "llm-d" in pair("vllm").note
    assert {"--prefill", "--decode"} <= set(pair("sglang").router.argv)
    config = yaml.safe_load(pair("tensorrt-llm").router.files["disagg_config.yaml"])
    assert config["context_servers"]["num_instances"] == 2
    assert config["generation_servers"]["num_instances"] == 1
    for engine in ENGINES:
        text = pair(engine).shell()
        assert text.index(pair(engine).prefill.shell()) < text.index(pair(engine).decode.shell())


def test_what_is_not_documented_is_refused():
    plain = launch_command("vllm", CHIP, Layout(tp=8), "unlisted/model", BASE)
    with pytest.raises(UnsupportedError, match="eagle"):
        drafting("vllm", plain, Speculation("eagle", 2))
    with pytest.raises(UnsupportedError, match="pools of atom"):
        pair("atom")
    with pytest.raises(UnsupportedError, match="context parallelism"):
        launch_command("sglang", CHIP, Layout(tp=4, cp=2), "unlisted/model", BASE)
