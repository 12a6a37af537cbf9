"""Writes docs/models.md from the catalogue: parameters, cache and formats of every model: `make pages`."""

from __future__ import annotations

from pathlib import Path

from stackwright.catalog import ModelEntry, load_catalog
from stackwright.llm import Model, weight_bytes
from stackwright.llm.quantised import LINEAR
from stackwright.performance.models import model_of

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
LIMIT_PCT = 2.0
CONTEXT = 32768
EXCEPTIONS = {
    "moonshotai/Kimi-K2-Instruct": "1 T is a rounded name: 61 layers of 384 experts make 1.03 T",
    "moonshotai/Kimi-K2.5": "as Kimi K2",
    "moonshotai/Kimi-K2.6": "as Kimi K2",
    "moonshotai/Kimi-K2.7-Code": "as Kimi K2",
    "XiaomiMiMo/MiMo-7B-Base": "7 B is a rounded name: 36 layers make 6.4 B, two separate embeddings 1.2 B",
}
"""Models whose count differs from the published one by more than the limit, and why."""

SIZES = (
    ("openai/gpt-oss-120b", "mxfp4", 65.2e9, "model card, recalled (60.8 GiB)"),
    ("moonshotai/Kimi-K2.5", "int4", 594e9, "the hub, recalled"),
    ("moonshotai/Kimi-K3", "mxfp4", 1.56e12, "lyogavin/airllm pull request 316 (full checkpoint of 1.56 TB)"),
    ("deepseek-ai/DeepSeek-V4-Pro", "mxfp4", 862e9, "named in public source code; holds the prediction module, 14 GB"),
)
"""Repositories whose size is known: model, precision, bytes, where from."""

_HEAD = f"""# Models

Every model of the catalogue, counted from the fields of its config.json. `make pages` writes this page; a test fails
where it is not what the catalogue says, or where a total differs from the published one by more than {LIMIT_PCT:g} %
without a reason below.

Parameters are in billions and leave out modules of multi-token prediction and the encoders of multimodal models (their
image tokens are not modelled). Active parameters count the embedding and the head, which some publishers leave out:
that is most of the difference for small active counts. Cache and state are of one sequence, BF16 cache, index keys and
states as they are kept: the cache that one more token adds, and all of a sequence of {CONTEXT:,} tokens.
"""

_KINDS = """## Traits

An engine must know the layers of a model: `architectures` of its record lists the traits it runs.

| trait | layers | what a sequence keeps in each |
| --- | --- | --- |
| `dense`, `moe` | feed-forward; routed experts | |
| (none) | grouped-query attention | 2 G d elements per token |
| `sliding` | the same in a window of W tokens | 2 G d elements for W tokens at most |
| `mla` | multi-head latent attention (arXiv 2405.04434, section 2.1) | latent and rotary key, r + p per token |
| `sparse` | MLA to the tokens an indexer picks (DeepSeek-V3.2 report, section 2.1) | r + p, and an FP8 index key |
| `block_sparse` | grouped-query attention to picked blocks (MiniMax-M3) | 2 G d, and a BF16 index key |
| `compressed` | windows and compressed entries (DeepSeek-V4 report, 2.3) | d per token of a window and per 4 or 128 |
| `linear` | gated delta rule (arXiv 2412.06464, section 3) | a state, FP32 |
| `kda` | Kimi Delta Attention (arXiv 2510.26692, section 4) | a state, FP32, and the last inputs of its convolutions |
| `attention_residuals` | each block weighs the outputs of earlier ones (Kimi K3) | |
| `mamba` | Mamba-2 (arXiv 2405.21060, section 7.1) | a state, FP32, and the last inputs of the convolution |

A config.json of another `model_type` is refused with the fields that no reader knows and the nearest families. A hub
id that is not here is read from the hub with the extra `hub` (`pip install 'stackwright[hub]'`): its config.json only.
"""


def deviation_pct(entry: ModelEntry, model: Model) -> float | None:
    """Computed over published total, in per cent; None where none is published."""
    return 100.0 * (model.parameters / entry.published_parameters - 1.0) if entry.published_parameters else None


def cache_bytes(model: Model, context: float | None) -> float:
    """Bytes that a sequence keeps: of one more token (context None, states left out), or of `context` tokens in all."""
    total = 2.0 * model.kv_elements_per_token(context) * (context or 1.0)
    for a in model.attentions:
        total += a.layers * a.index_elements * (context or 1.0) / (a.compression or 1.0)
        total += a.layers * a.state_bytes * (context is not None)
    return total


def page() -> str:
    """The page."""
    entries = sorted(load_catalog().models.values(), key=lambda e: e.id.lower())
    models = {e.id: model_of(e) for e in entries}
    lines = [_HEAD, "## Parameters and cache\n"]
    lines.append(
        "| model | total | published | difference | active | published | cache KB per token "
        f"| MB at {CONTEXT // 1024} K | state MB | prediction modules | traits |"
    )
    lines.append("| --- |" + " ---: |" * 9 + " --- |")
    lines += [_row(e, models[e.id]) for e in entries]
    lines.append(f"\n## Differences of more than {LIMIT_PCT:g} %\n")
    lines += [f"- {name}: {why}" for name, why in EXCEPTIONS.items()]
    lines.append("\n## What the published figures count\n")
    lines += [f"- {e.id}: {e.parameters_note}" for e in entries if e.parameters_note]
    lines.append("\n## Checkpoints\n")
    lines.append(
        "Weights in GB, without prediction modules and encoders, which a repository ships beside them. Where a "
        "checkpoint mixes formats, it is called by the one that holds most of its parameters.\n"
    )
    lines.append("| size on disk, known | GB | counted | difference | source |\n| --- | ---: | ---: | ---: | --- |")
    for name, precision, size, source in SIZES:
        counted = weight_bytes(models[name], precision)
        difference = 100.0 * (counted / size - 1.0)
        lines.append(f"| {name} | {size / 1e9:,.4g} | {counted / 1e9:,.1f} | {difference:+.1f} % | {source} |")
    lines.append("")
    lines.append("| checkpoint | model | precision | GB | formats by role |\n| --- | --- | --- | ---: | --- |")
    for e in entries:
        lines += _checkpoints(e, models[e.id])
    lines.append(f"\n{_KINDS}")
    return "\n".join(lines)


def _row(e: ModelEntry, m: Model) -> str:
    difference = deviation_pct(e, m)
    state = sum(a.layers * a.state_bytes for a in m.attentions)
    cells = (
        e.id if e.confidence != "assumption" else f"{e.id} (recalled)",
        _billions(m.parameters),
        _billions(e.published_parameters),
        "" if difference is None else f"{difference:+.1f} %",
        _billions(m.active_parameters) if m.experts else "",
        _billions(e.published_active_parameters),
        f"{cache_bytes(m, None) / 1e3:.1f}",
        f"{cache_bytes(m, CONTEXT) / 1e6:,.0f}",
        f"{state / 1e6:.1f}" if state else "",
        str(m.prediction_modules or ""),
        " ".join(sorted(m.traits)),
    )
    return f"| {' | '.join(cells)} |"


def _checkpoints(e: ModelEntry, m: Model) -> list[str]:
    found = []
    for c in e.checkpoints:
        stated = {role: form for precision, role, form in m.formats if precision == c.precision}
        formats = ", ".join(f"{role} {stated[role]}" for role in LINEAR if role in stated)
        found.append(f"| {c.hub_id} | {e.id} | {c.precision} | {weight_bytes(m, c.precision) / 1e9:,.1f} | {formats} |")
    return found


def _billions(n: float | None) -> str:
    return "" if n is None else f"{n / 1e9:,.4g}"


if __name__ == "__main__":
    PAGE.write_text(page())
