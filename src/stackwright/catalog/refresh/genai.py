"""genai-prices (https://github.com/pydantic/genai-prices, MIT): the newest list of token prices of models by API.

The address is the one that the package's own `UpdatePrices` reads; the file is checked by the package's own schema and
kept as it came. `catalog/tokens/prices.py` then answers from it.
"""

from __future__ import annotations

import json
from typing import Any

from stackwright.catalog.refresh.readings import Asked, lists
from stackwright.errors import SourceError

LEAST_SHARE = 0.5  # a list with fewer models than this share of the installed one was cut or is another file


def read(asked: Asked) -> tuple[bytes, int]:
    """The file as it came, and how many models it prices. Raises `SourceError`."""
    from genai_prices.data_snapshot import _bundled_snapshot

    content = asked.web.get(lists()["genai"]["url"])
    models = sum(len(p.models) for p in parse(content))
    installed = sum(len(p.models) for p in _bundled_snapshot().providers)
    if models < LEAST_SHARE * installed:
        raise SourceError(f"genai-prices: {models} models, the installed package has {installed}; not taken")
    return content, models


def parse(content: bytes) -> list[Any]:
    """Providers with their models, as `genai_prices.types.Provider`. Raises `SourceError`."""
    try:
        from genai_prices.types import _providers_from_raw

        raw = json.loads(content)
        if not isinstance(raw, list):
            raise ValueError("not a list of providers")
        return _providers_from_raw(raw)
    except ImportError:
        raise SourceError("genai-prices: the installed version cannot read a downloaded list") from None
    except ValueError as error:
        detail = " ".join(str(error).split())[:120]
        raise SourceError(f"genai-prices: the list does not fit the installed package ({detail})") from None
