"""Who sells models by API: the kind of each seller, rows of the lists that are no offer, and prices that follow."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field, ValidationError

from stackwright.catalog.records import Confidence, Record, Sourced
from stackwright.catalog.yaml_files import DATA, read_yaml
from stackwright.errors import CatalogError

Kind = Literal["maker", "cloud", "host", "router", "subscription"]
FILE = DATA / "api" / "sellers.yaml"
_VIA = "huggingface_"


class Seller(Record):
    """A seller by its id in the price lists."""

    id: str
    name: str
    kind: Kind


class Refused(Record):
    """Rows of the lists that are no offer, and why."""

    seller: str
    models: tuple[str, ...]
    reason: str
    source: str = Field(min_length=3)
    confidence: Confidence


class Derived(Sourced):
    """A price list that follows from another: `factor` times the row of seller `of`, for these models.

    `place`: the country or group within which the endpoint processes requests, empty where nothing says so.
    """

    seller: str
    of: str
    endpoint: str
    factor: float = Field(gt=0, le=10)
    batch: bool = False
    place: str = ""
    models: tuple[str, ...]


class Sellers(Record):
    """The whole file."""

    sellers: tuple[Seller, ...]
    refused: tuple[Refused, ...] = ()
    derived: tuple[Derived, ...] = ()

    def seller(self, identifier: str) -> Seller:
        """The seller of an id; one the file does not name is a host, `huggingface_x` is host x behind that router."""
        for known in self.sellers:
            if known.id == identifier:
                return known
        if identifier.startswith(_VIA):
            behind = identifier.removeprefix(_VIA)
            return Seller(id=identifier, name=f"{behind} via Hugging Face", kind="host")
        return Seller(id=identifier, name=identifier, kind="host")


def behind(identifier: str) -> str:
    """The host that a seller's rows are of: `huggingface_x` (or `huggingface_x-ai`) passes requests on to x."""
    return identifier.removeprefix(_VIA).removesuffix("-ai") if identifier.startswith(_VIA) else identifier


@cache
def sellers() -> Sellers:
    """The shipped file. Raises `CatalogError` with the field where it is broken."""
    try:
        return Sellers.model_validate(read_yaml(FILE))
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogError(f"{FILE}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
