import shutil
from pathlib import Path

from stackwright.catalog.index import INDEX_NAME, content_hash, read_index, read_shipped, write_index
from stackwright.catalog.yaml_files import DATA, read_directory


def test_the_shipped_index_is_fresh(tmp_path: Path):
    assert read_index() is not None, "run `python -m stackwright.catalog.index`"
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    assert write_index(copy).read_bytes() == (DATA / INDEX_NAME).read_bytes()


def test_index_and_yaml_say_the_same():
    records, index = read_directory(DATA), read_index()
    assert index is not None
    assert {k: [r["id"] for r in v] for k, v in index.items()} == {k: [r["id"] for r in v] for k, v in records.items()}


def test_an_edited_file_is_read_in_place_of_a_stale_index(tmp_path: Path):
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    before = content_hash(copy)
    chip = copy / "chips" / "l40s.yaml"
    chip.write_text(chip.read_text().replace("name: NVIDIA L40S", "name: Edited"))
    assert content_hash(copy) != before
    assert read_index(copy) is None
    assert "Edited" in {r["name"] for r in read_shipped(copy)["chips"]}
    write_index(copy)
    assert read_index(copy) is not None


def test_a_broken_index_is_ignored(tmp_path: Path):
    (tmp_path / INDEX_NAME).write_text("not json")
    assert read_index(tmp_path) is None
