from pathlib import Path

import pytest
import yaml

from stackwright.errors import InputError, UnknownIdError
from stackwright.workload import Lengths, load_workload, profile, profile_names, profile_record, workload


def test_the_five_profiles_are_there() -> None:
    assert profile_names() == ("chat", "code", "summarise", "rag", "agent")


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_says_what_it_rests_on(name: str) -> None:
    record = profile_record(name)
    load, facts = record.workload, record.facts
    assert load.rate_per_s is None
    assert load.concurrency is None
    assert facts["licence"] in load.source
    assert facts["url"].startswith("https://github.com/")
    assert len(facts["commit"]) == 40
    assert facts["date"][:2] == "20"
    assert facts["fitted"]["requests"] > 3000
    assert facts["notes"]
    for part, mean in ((load.input, "input_mean_tokens"), (load.output, "output_mean_tokens")):
        assert part.mean == pytest.approx(facts["fitted"][mean], rel=0.016)
        assert 14 <= len(part.values) <= 16


def test_profiles_are_ordered_as_their_use_suggests() -> None:
    means_in = {name: profile(name).input.mean for name in profile_names()}
    assert means_in["chat"] < means_in["code"] < means_in["summarise"] < means_in["rag"] < means_in["agent"]
    assert profile("code").output.mean < min(profile(n).output.mean for n in profile_names() if n != "code")
    assert profile("chat").prefix_hit_rate == 0 < profile("rag").prefix_hit_rate < profile("agent").prefix_hit_rate
    assert profile("code").arrival_cv > 10


def test_unknown_profile_suggests() -> None:
    with pytest.raises(UnknownIdError, match="'summarise'"):
        profile("summarize")
    with pytest.raises(UnknownIdError, match="known: chat"):
        workload("qqq")


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shape_of_length_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "input: 1024\noutput: {uniform: [800, 1000]}\nconcurrency: 64\nrounds: 10\n")
    found = workload(path)
    assert (found.name, found.input, found.output) == ("mine", Lengths.fixed(1024), Lengths.uniform(800, 1000))
    assert (found.concurrency, found.rounds) == (64, 10)
    path = write(tmp_path, "name: x\ninput: {mean: 900, cv: 0.5}\noutput: {quantiles: {0: 1, 0.5: 9, 1: 20}}\n")
    found = workload(str(path))
    assert found.name == "x"
    assert found.input == Lengths.lognormal(900, 0.5)
    assert found.output == Lengths.empirical([0, 0.5, 1], [1, 9, 20])
    assert load_workload(write(tmp_path, "input: {mean: 900, cv: 0}\noutput: 5")).input == Lengths.fixed(900)


def test_a_file_may_start_from_a_profile(tmp_path: Path) -> None:
    found = load_workload(write(tmp_path, "base: rag\nprefix_hit_rate: 0.1\noutput: 50\nrate_per_s: 2\n"))
    assert found.input == profile("rag").input
    assert found.output == Lengths.fixed(50)
    assert (found.prefix_hit_rate, found.rate_per_s) == (0.1, 2)
    assert "profile rag" in found.source


def test_the_example_in_the_docs_is_read(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "workload.md"
    blocks = [part.split("```")[0] for part in page.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    assert blocks
    for block in blocks:
        assert load_workload(write(tmp_path, block)).input.mean > 1


BROKEN = [
    ("", "keys such as input"),
    ("- 1\n", "keys such as input"),
    ("input: 10\n", "missing 'output'"),
    ("input: 10\noutput: 5\nrate: 3\n", "line 3: rate: unknown key 'rate'; did you mean"),
    ("input: 10\noutput: 5\nttft: 3\n", "line 3: ttft: .*--ttft"),
    ("input: 10\noutput: 5\ninput: 3\n", "line 3: input: given twice"),
    ("input: 10\noutput: [\n", "line 3: not valid YAML"),
    ("input: 10\noutput: 0\n", "line 2: output: .*at least 1"),
    ("input: 10\noutput: .nan\n", "line 2: output: .*finite"),
    ("input: 10\noutput: yes\n", "line 2: output: must be a number"),
    ("input: 10\noutput: {mean: 5}\n", "line 2: output: must be .* got keys mean"),
    ("input: 10\noutput: {}\n", "line 2: output: .*got keys none"),
    ("input: 10\noutput: {uniform: [5]}\n", "line 2: output: must be"),
    ("input: 10\noutput: {uniform: [9, 5]}\n", "line 2: output: .*above"),
    ("input: 10\noutput:\n  mean: 5\n  cv: x\n", "line 4: output.cv: must be a number, got 'x'"),
    ("input: 10\noutput:\n  quantiles: {0: 5, 0.5: 4, 1: 9}\n", "output: values of a length table"),
    ("input: 10\noutput:\n  quantiles: {0: 5, p50: 4, 1: 9}\n", "line 3: output.quantiles: must be a number"),
    ("input: 10\noutput: 5\nrate_per_s: fast\n", "line 3: rate_per_s: must be a number, got 'fast'"),
    ("input: 10\noutput: 5\nrate_per_s: true\n", "line 3: rate_per_s: must be a number"),
    ("input: 10\noutput: 5\nrate_per_s: .inf\n", "line 3: rate_per_s: .*finite"),
    (f"input: 10\noutput: 5\nrate_per_s: 1{400 * '0'}\n", "line 3: rate_per_s: .*finite"),
    ("input: 10\noutput: 5\nprefix_hit_rate: 1.2\n", "prefix hit rate"),
    ("input: 10\noutput: 5\nrate_per_s: 1\nconcurrency: 2\n", "contradict"),
    ("input: 10\noutput: 5\nname: 7\n", "line 3: name: must be text"),
    ("base: chatt\n", "line 1: base: unknown workload profile 'chatt'; did you mean 'chat'"),
    ("base: [chat]\n", "line 1: base: "),
    ("input: !!python/object:os.system 10\noutput: 3", "not valid YAML"),
    ("input: &a [*a]\noutput: 3", "line 1: input: must be"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_broken_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        load_workload(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read workload file .*No such file"):
        workload(str(tmp_path / "none.yaml"))
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        workload(binary)


def test_a_profile_written_out_as_a_file_is_the_same_workload(tmp_path: Path) -> None:
    chat = profile("chat")
    data = {
        k: {"quantiles": dict(zip(d.probabilities, d.values, strict=True))}
        for k, d in (("input", chat.input), ("output", chat.output))
    }
    found = load_workload(write(tmp_path, yaml.safe_dump(data)))
    assert (found.input, found.output) == (chat.input, chat.output)
