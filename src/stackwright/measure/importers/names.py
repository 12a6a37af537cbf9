"""Names of others as ids of the catalogue; a name that it does not know stays as it is."""

from __future__ import annotations

from stackwright.catalog import Catalog, ModelEntry, load_catalog
from stackwright.errors import InputError
from stackwright.llm import parse_config


class Names:
    """Looks names up in a catalogue (the shipped one by default)."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self.catalog = catalog or load_catalog()
        self._native: dict[str, str] = {}

    def chip(self, name: str) -> str:
        """Catalogue id of a chip."""
        try:
            return self.catalog.chip(name).id
        except InputError:
            return name

    def engine(self, name: str) -> str:
        """Catalogue id of an engine."""
        try:
            return self.catalog.engine(name).id
        except InputError:
            return name

    def model(self, name: str) -> str:
        """Catalogue id of a model, given a hub id of it or of one of its quantised checkpoints."""
        entry = self.entry(name)
        return entry.id if entry else name

    def entry(self, name: str) -> ModelEntry | None:
        """The catalogue's record of a model or of one of its checkpoints, None where it has none."""
        try:
            return self.catalog.model(name)
        except InputError:
            return None

    def weight_precision(self, model: str, chip: str, label: str) -> tuple[str, str]:
        """(precision, note) from a label such as `fp4`, '' where nothing is known.

        `fp4` is MXFP4 on AMD chips and for models released in it, otherwise NVFP4; a model released in MXFP4 keeps
        it under any label; without a label the precision is that of the named checkpoint.
        """
        native = self.native_precision(model)
        if native == "mxfp4":
            return native, f"printed precision {label}, weights are MXFP4" if label not in ("", "mxfp4") else ""
        if not label:
            upper = model.upper()
            named = "nvfp4" if "FP4" in upper else "fp8" if "FP8" in upper else native
            return named, f"precision not stated: that of the checkpoint {model}" if named else ""
        if label == "fp4":
            amd = chip in self.catalog.chips and self.catalog.chips[chip].vendor == "AMD"
            return ("mxfp4" if amd else "nvfp4"), ""
        return label, ""

    def native_precision(self, model: str) -> str:
        """The format the model was released in, '' where the catalogue does not know the model."""
        if model not in self._native:
            entry = self.entry(model)
            try:
                self._native[model] = parse_config(entry.config, entry.id).native_precision if entry else ""
            except InputError:
                self._native[model] = ""
        return self._native[model]
