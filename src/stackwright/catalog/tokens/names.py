"""Names of one model in different lists: compared without maker, endpoint, case, punctuation and version suffix."""

from __future__ import annotations

import re

_ENDPOINT = re.compile(r"^(global|regional)\.")
_MAKER = re.compile(r"^[a-z]+\.(?=[a-z])")
_VERSION = re.compile(r"-v?\d+:\d+$")
_DATE = re.compile(r"-20\d{6}$|-20\d\d-\d\d-\d\d$|-latest$")
_WORDS = ("databricks-", "meta-", "-instruct-turbo", "-instruct", "-versatile")


def endpoint_of(listed: str) -> str:
    """`global` or `regional` where the id of a list names the endpoint, else empty.

    >>> endpoint_of("regional.anthropic.claude-sonnet-5-5")
    'regional'
    """
    found = _ENDPOINT.match(listed)
    return found.group(1) if found else ""


def is_variant(listed: str) -> bool:
    """Whether an id names a way of selling (`:batch`, `:free`, `:nitro`) and not a model.

    >>> is_variant("openai/gpt-oss-120b:batch"), is_variant("amazon.nova-pro-v1:0")
    (True, False)
    """
    tail = listed.rpartition(":")[2] if ":" in listed else ""
    return bool(tail) and not tail.isdigit()


def name_keys(model: str) -> frozenset[str]:
    """The keys under which a model's name is compared: with and without the maker.

    >>> name_keys("meta-llama/Llama-3.3-70B-Instruct") & name_keys("meta.llama3-3-70b-instruct-v1:0")
    frozenset({'llama3370b'})
    """
    name = _ENDPOINT.sub("", model.strip().lower())
    maker, name = name.rsplit("/", 1) if "/" in name else ("", name)
    if not maker and (found := _MAKER.match(name)):
        maker, name = found.group(0).rstrip("."), name[found.end() :]
    name = _DATE.sub("", _VERSION.sub("", name))
    for word in _WORDS:
        name = name.replace(word, "-" if word.startswith("-") else "")
    bare = _letters(name)
    owner = _letters(maker.rsplit("/", 1)[-1])
    return frozenset(k for k in (bare, owner + bare if owner else "") if k)


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())
