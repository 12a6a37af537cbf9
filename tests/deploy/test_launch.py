"""Launch commands: documented flags, consistent sizes, everything that the prediction assumed."""

import dataclasses
import os
import shlex
import subprocess

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stackwright.catalog import load_catalog
from stackwright.deploy import (
    LaunchCommand,
    ServingSettings,
    drafting,
    flag_problems,
    launch_command,
    pool_launch,
    with_adapters,
)
from stackwright.deploy.flags import documented
from stackwright.errors import InputError, UnsupportedError
from stackwright.performance import Layout, Lora, Pools, Speculation

ENGINES = ("vllm", "sglang", "tensorrt-llm")
CHECKPOINTS = {
    "bf16": "meta-llama/Llama-3.3-70B-Instruct",
    "fp8": "deepseek-ai/DeepSeek-V3",
    "mxfp4": "openai/gpt-oss-120b",
}
BASE = ServingSettings(
    max_num_seqs=320,
    max_num_batched_tokens=8192,
    max_model_len=9000,
    memory_fraction=0.9,
    prefix_caching=True,
)
SIZES = st.sampled_from((1, 2, 3, 4, 8, 16))


def chip(name="h100-sxm"):
    return load_catalog().chip(name)


def make(engine, layout=None, hub_id="unlisted/model", serving=BASE, on="h100-sxm", **kw):
    return launch_command(engine, chip(on), layout or Layout(), hub_id, serving, **kw)


def flags(command: LaunchCommand) -> dict[str, str]:
    """Flag to value, in reading order; a switch has the value ''."""
    found, argv = {}, list(command.argv)
    for i, word in enumerate(argv):
        if word.startswith("--"):
            has_value = i + 1 < len(argv) and not argv[i + 1].startswith("--")
            found[word] = argv[i + 1] if has_value else ""
    return found


@st.composite
def layouts(draw):
    """Any sizes at all, in bf16 or fp8: the engine may refuse, but not answer wrongly."""
    tp, pp, dp = draw(SIZES), draw(st.sampled_from((1, 2, 3))), draw(SIZES)
    group = tp * dp
    ep = draw(st.sampled_from([n for n in range(1, group + 1) if group % n == 0]))
    weights, kv = draw(st.sampled_from(("bf16", "fp8"))), draw(st.sampled_from(("bf16", "fp8", "nvfp4")))
    return Layout(tp=tp, pp=pp, ep=ep, attention_dp=dp, weight_precision=weights, kv_precision=kv)


@st.composite
def serving(draw):
    return ServingSettings(
        max_num_seqs=draw(st.integers(1, 5000)),
        max_num_batched_tokens=draw(st.integers(1, 65536)),
        max_model_len=draw(st.integers(1, 200_000)),
        memory_fraction=draw(st.sampled_from((0.5, 0.85, 0.9, 0.92, 1.0))),
        prefix_caching=draw(st.booleans()),
        port=draw(st.integers(1, 65535)),
    )


def attempt(engine, layout, hub_id, s, node_chips=8):
    try:
        return make(engine, layout, hub_id, s, node_chips=node_chips)
    except InputError:
        assume(False)


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@given(layout=layouts(), s=serving(), hub_id=st.sampled_from(("unlisted/model", *CHECKPOINTS.values())))
def test_every_flag_is_documented_given_once_and_takes_its_value(engine, layout, s, hub_id):
    command = attempt(engine, layout, hub_id, s)
    assert flag_problems(engine, command.argv) == []
    for flag, value in flags(command).items():
        if value.lstrip("-").replace(".", "", 1).isdigit() and flag != "--node-rank":
            assert float(value) > 0, flag
    for text in command.files.values():
        keys = documented()["engines"][engine]["config_file"]
        for key, value in flat(yaml.safe_load(text)).items():
            assert value in keys[key].get("choices", [value])


def flat(options, prefix=""):
    found = {}
    for key, value in options.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.filter_too_much])
@given(layout=layouts(), s=serving(), node_chips=st.sampled_from((4, 8, 72)))
def test_sizes_multiply_to_the_chips_and_limits_hold_for_the_replica(engine, layout, s, node_chips):
    command = attempt(engine, layout, "unlisted/model", s, node_chips)
    f, dp = flags(command), layout.attention_dp
    nodes = -(-layout.n_chips // node_chips)
    if engine == "vllm":
        sizes = [f["--tensor-parallel-size"], f["--data-parallel-size"], f["--pipeline-parallel-size"]]
        seqs, tokens = int(f["--max-num-seqs"]) * dp, int(f["--max-num-batched-tokens"])
        assert ("--enable-expert-parallel" in f) == (layout.ep > 1)
        assert int(f.get("--nnodes", 1)) == nodes
        assert f["--max-model-len"] == str(s.max_model_len)
        assert ("--enable-prefix-caching" in f, "--no-enable-prefix-caching" in f) == (
            s.prefix_caching,
            not s.prefix_caching,
        )
    elif engine == "sglang":
        sizes = [f["--tp-size"], f["--pp-size"]]
        assert int(f["--dp-size"]) == dp
        assert ("--enable-dp-attention" in f) == (dp > 1)
        assert int(f["--ep-size"]) == layout.ep
        seqs, tokens = int(f["--max-running-requests"]), int(f["--chunked-prefill-size"]) // dp
        assert seqs % dp == 0
        assert int(f["--max-prefill-tokens"]) == tokens
        assert int(f.get("--nnodes", 1)) == nodes
        assert ("--disable-radix-cache" in f) != s.prefix_caching
    else:
        options = yaml.safe_load(command.files[f["--extra_llm_api_options"]])
        sizes = [f["--tp_size"], f["--pp_size"]]
        assert options["enable_attention_dp"] == (dp > 1)
        assert int(f["--ep_size"]) == layout.ep
        seqs, tokens = int(f["--max_batch_size"]) * dp, int(f["--max_num_tokens"])
        assert options["kv_cache_config"]["enable_block_reuse"] == s.prefix_caching
        assert float(f["--kv_cache_free_gpu_memory_fraction"]) == s.memory_fraction
        assert options["kv_cache_config"]["free_gpu_memory_fraction"] == s.memory_fraction
        if nodes > 1:
            assert int(f["--ntasks"]) == layout.n_chips == int(f["--nodes"]) * int(f["--gpus_per_node"])
    product = 1
    for size in sizes:
        product *= int(size)
    assert product == layout.n_chips
    assert s.max_num_seqs <= seqs < s.max_num_seqs + dp
    assert tokens == s.max_num_batched_tokens


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.filter_too_much])
@given(layout=layouts(), s=serving(), hub_id=st.sampled_from(("unlisted/model", "a dir/it's a model", "$HOME/m")))
def test_shell_text_reads_back_as_the_same_words(engine, layout, s, hub_id):
    command = attempt(engine, layout, hub_id, s)
    text = command.shell()
    last = text[text.rindex("\nEOF\n") + 5 :] if command.files else text
    words = shlex.split(last.replace("\\\n", " "), comments=True)
    assert words == [f"{k}={v}" for k, v in command.env.items()] + list(command.argv)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("nodes", [1, 2])
def test_a_shell_runs_the_words_writes_the_files_and_sets_the_environment(engine, nodes, tmp_path):
    on = "mi300x" if engine == "vllm" else "h100-sxm"
    command = make(engine, Layout(tp=8 * nodes), "a dir/it's a model", on=on)
    program = tmp_path / "bin" / command.argv[0]
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nenv > seen_env\nprintf "%s\\0" "$@" > seen\n')
    program.chmod(0o755)
    run = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-euc", command.shell()], cwd=tmp_path, env=run, check=True)
    assert (tmp_path / "seen").read_text().split("\0")[:-1] == list(command.argv[1:])
    for name, text in command.files.items():
        assert (tmp_path / name).read_text() == text
    seen = (tmp_path / "seen_env").read_text().splitlines()
    assert all(f"{k}={v}" in seen for k, v in command.env.items())


CHANGES = {
    "max_num_seqs": 640, "max_num_batched_tokens": 4096, "max_model_len": 5000, "memory_fraction": 0.8,
    "prefix_caching": False, "port": 8123,
}  # fmt: skip
LAYOUT_CHANGES = {
    "tp": Layout(tp=4),
    "pp": Layout(pp=2),
    "ep": Layout(tp=8, ep=8),
    "attention_dp": Layout(attention_dp=8),
    "weight_precision": Layout(weight_precision="fp8"),
    "kv_precision": Layout(kv_precision="fp8"),
}


def words_and_files(command):
    return command.argv, command.files


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(ServingSettings)])
def test_every_setting_that_the_prediction_assumed_is_in_the_command(engine, name):
    changed = make(engine, serving=dataclasses.replace(BASE, **{name: CHANGES[name]}))
    assert words_and_files(changed) != words_and_files(make(engine))
    if name != "prefix_caching":
        assert str(CHANGES[name]) in changed.argv


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Layout) if f.name != "cp"])
def test_every_field_of_the_layout_is_in_the_command(engine, name):
    base = Layout(tp=8) if name == "ep" else Layout()
    changed, before = make(engine, LAYOUT_CHANGES[name]), make(engine, base)
    if name == "weight_precision":
        assert "fp8 weights" in changed.note
        assert "bf16 weights" in before.note
        if engine != "tensorrt-llm":
            assert flags(before)["--dtype"] == "bfloat16"
            assert flags(changed)["--dtype"] == "auto"
    else:
        assert words_and_files(changed) != words_and_files(before)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_checkpoint_in_the_precision_of_the_layout_needs_no_quantization_flag(engine):
    for precision, hub_id in CHECKPOINTS.items():
        command = make(engine, Layout(tp=8, weight_precision=precision), hub_id)
        assert "--quantization" not in flags(command)
        assert f"{precision} weights, as {hub_id} is published" in command.note


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bf16_checkpoint_is_quantised_to_fp8_while_loading_or_refused(engine):
    layout = Layout(tp=8, weight_precision="fp8")
    if engine == "tensorrt-llm":
        with pytest.raises(InputError, match="give a checkpoint in fp8"):
            make(engine, layout, CHECKPOINTS["bf16"])
    else:
        command = make(engine, layout, CHECKPOINTS["bf16"])
        assert flags(command)["--quantization"] == "fp8"
        assert "quantised while loading the bf16 checkpoint" in command.note
    with pytest.raises(InputError, match="published in fp8"):
        make(engine, Layout(tp=8), CHECKPOINTS["fp8"])
    with pytest.raises(InputError, match="give a checkpoint in nvfp4"):
        make(engine, Layout(weight_precision="nvfp4"), CHECKPOINTS["bf16"], on="b200-hgx")


def test_vllm_spreads_experts_over_all_ranks_or_none():
    assert "--enable-expert-parallel" in make("vllm", Layout(tp=2, attention_dp=4, ep=8)).argv
    with pytest.raises(UnsupportedError, match="not over 4"):
        make("vllm", Layout(tp=2, attention_dp=4, ep=4))


def test_tensorrt_llm_has_attention_copies_of_one_chip():
    with pytest.raises(UnsupportedError, match="4 copies of 2 chips"):
        make("tensorrt-llm", Layout(tp=2, attention_dp=4, ep=8))


@pytest.mark.parametrize(
    ("engine", "kv", "name"), [("vllm", "fp8", "fp8"), ("vllm", "bf16", "auto"), ("sglang", "bf16", "bf16")]
)
def test_kv_cache_names(engine, kv, name):
    assert flags(make(engine, Layout(kv_precision=kv)))["--kv-cache-dtype"] == name


def test_a_kv_cache_that_an_engine_has_no_name_for_is_refused():
    with pytest.raises(UnsupportedError, match="no documented nvfp4 KV cache"):
        make("sglang", Layout(kv_precision="nvfp4"))


def test_node_0_over_several_machines():
    layout = Layout(tp=8, pp=2)
    v, s, t = (make(e, layout) for e in ENGINES)
    assert flags(v)["--nnodes"] == "2"
    assert flags(v)["--node-rank"] == "0"
    assert "--headless" in v.note
    assert flags(s)["--dist-init-addr"].startswith("NODE_0_ADDRESS:")
    assert t.argv[0] == "srun"
    assert flags(t)["--ntasks"] == "16"
    one = make("vllm", layout, on="gb200", node_chips=72)
    assert "--nnodes" not in one.argv
    ray = make("vllm", Layout(tp=16), on="tpu-v6e", node_chips=8)
    assert flags(ray)["--distributed-executor-backend"] == "ray"


def test_machines_that_the_ranks_do_not_fit_are_refused():
    with pytest.raises(UnsupportedError, match="cannot place"):
        make("vllm", Layout(tp=4, attention_dp=3))
    with pytest.raises(InputError, match="do not split evenly"):
        make("sglang", Layout(tp=9))
    with pytest.raises(UnsupportedError, match="cannot place"):
        make("sglang", Layout(tp=4, pp=3))


def test_amd_chips_turn_their_kernels_on_only_in_vllm():
    assert make("vllm", on="mi355x").env == {"VLLM_ROCM_USE_AITER": "1"}
    assert make("sglang", on="mi355x").env == {}
    assert make("vllm").env == {}


@pytest.mark.parametrize("name", ["trainium2", "tpu-v7-ironwood"])
def test_chips_whose_ranks_are_not_chips_are_refused(name):
    with pytest.raises(UnsupportedError, match="no launch command"):
        make("vllm", on=name)


def test_wrong_questions_say_what_is_wrong():
    with pytest.raises(InputError, match="did you mean"):
        make("vlm")
    with pytest.raises(InputError, match="does not run on mi300x"):
        make("tensorrt-llm", on="mi300x")
    with pytest.raises(InputError, match="is not a model"):
        make("vllm", hub_id="--port")
    with pytest.raises(InputError, match="node_chips"):
        make("vllm", node_chips=0)
    for name, value in (("max_num_seqs", 0), ("max_model_len", 1.5), ("memory_fraction", 1.2), ("port", 0)):
        with pytest.raises(InputError, match=name):
            dataclasses.replace(BASE, **{name: value})


@pytest.mark.parametrize("engine", ENGINES)
def test_commands_are_for_the_version_of_the_catalogue(engine):
    record = documented()["engines"][engine]
    assert record["version"] == load_catalog().engine(engine).version == make(engine).engine_version
    assert record["source"]
    assert record["date"]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_documented_argument_that_is_marked_used_is_used_somewhere(engine):
    written = set()
    for layout in (
        Layout(tp=8, attention_dp=1, pp=2, ep=8),
        Layout(attention_dp=8, weight_precision="fp8", ep=8),
    ):
        for hub_id in ("unlisted/model", CHECKPOINTS["bf16"]):
            for caching in (True, False):
                try:
                    s = dataclasses.replace(BASE, prefix_caching=caching)
                    command = drafting(engine, make(engine, layout, hub_id, s), Speculation("mtp", 2))
                    pools = pool_launch(engine, (chip(), chip()), Pools(layout, 1, layout, 1), hub_id, (s, s))
                    written |= {*command.argv, *pools.prefill.argv}
                    written |= {*with_adapters(engine, command, Lora(2, 16)).argv}
                except InputError:
                    continue
    arguments = documented()["engines"][engine]["arguments"]
    assert {n for n, a in arguments.items() if a.get("used", True)} <= written


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (("vllm", "serve", "m", "--seed", "1", "--seed", "2"), "twice"),
        (("vllm", "serve", "m", "--kv-cache-dtype", "int3"), "does not take"),
        (("vllm", "serve", "m", "--nnodes"), "needs a value"),
        (("vllm", "serve", "m", "--nnodes", "two"), "needs a number"),
        (("vllm", "serve", "m", "--enable-prefix-caching", "--no-enable-prefix-caching"), "twice"),
        (("vllm", "bench"), "is not called"),
    ],
)
def test_the_check_of_flags_finds_what_is_wrong(argv, problem):
    assert any(problem in p for p in flag_problems("vllm", argv))


DESK = dataclasses.replace(BASE, max_num_seqs=4, max_num_batched_tokens=2048)


@pytest.mark.parametrize(("engine", "on"), [("llama.cpp", "rtx-4090"), ("llama.cpp", "xeon-6980p"), ("mlx", "m4-max")])
@pytest.mark.parametrize("weights", ["bf16", "int8", "int4"])
def test_desk_engines_start_with_documented_flags_on_what_their_converter_makes(engine, on, weights):
    command = make(engine, Layout(weight_precision=weights), CHECKPOINTS["bf16"], DESK, on=on)
    assert flag_problems(engine, command.argv) == []
    f = flags(command)
    assert f["--host"] == "127.0.0.1"
    if engine == "llama.cpp":
        assert int(f["--ctx-size"]) == int(f["--parallel"]) * DESK.max_model_len
        assert ("--n-gpu-layers" in f) == (on == "rtx-4090")
        form = {"bf16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}[weights]
        assert f["--model"] == f"Llama-3.3-70B-Instruct-{form}.gguf"
    else:
        assert f["--decode-concurrency"] == "4"
        converted = {"bf16": CHECKPOINTS["bf16"], "int8": "Llama-3.3-70B-Instruct-8bit"}
        assert f["--model"] == converted.get(weights, "Llama-3.3-70B-Instruct-4bit")
    assert weights == "bf16" or "make the" in command.note


def test_llama_cpp_holds_whole_layers_on_each_card_and_refuses_other_splits():
    over = make("llama.cpp", Layout(pp=2, weight_precision="int4"), serving=DESK, on="rtx-4090", node_chips=4)
    assert flags(over)["--split-mode"] == "layer"
    for layout in (Layout(tp=2), Layout(tp=2, ep=2), Layout(attention_dp=2, ep=2)):
        with pytest.raises(UnsupportedError, match="by layers only"):
            make("llama.cpp", layout, serving=DESK, on="rtx-4090")
    with pytest.raises(UnsupportedError, match="one machine"):
        make("mlx", Layout(pp=2), serving=DESK, on="m4-max")


@pytest.mark.parametrize("on", ["trainium1", "trainium3", "inferentia2", "xeon-6980p", "tt-wormhole-n150"])
def test_vllm_is_not_launched_where_its_plugin_counts_or_budgets_otherwise(on):
    with pytest.raises(UnsupportedError, match=f"no launch command for vllm on {on}"):
        make("vllm", on=on)


def test_vllm_names_its_plugin_and_takes_fp16_where_a_chip_has_no_bf16():
    assert "Gaudi plugin" in make("vllm", Layout(tp=8), on="gaudi3").note
    assert flags(make("vllm", on="t4"))["--dtype"] == "half"
