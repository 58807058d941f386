"""A path stays the same path in a URL and back, and the files of a data directory lie in this directory."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_service.app import open_log, open_registry
from decision_service.database.sqlite_url import find_file, make_url
from decision_service.evaluation.logs import log_url, registry_url
from decision_service.evaluation.readers import open_existing_log
from decision_service.settings import Settings

ROOT = Path(__file__).parents[3]
ODD = ["50%", "a%20b", "%2e%2e", "a?b=c", "a#b", "a b", "größe", "a\nb", "x:memory:", "a:b@c", "日本", "'\"", "a+b&c"]


@given(st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1))
def test_every_path_survives_its_url(name: str) -> None:
    file = Path("/data") / name / "log.sqlite"
    assert find_file(make_url(file)) == file


@pytest.mark.parametrize("name", ODD)
def test_the_log_and_the_models_lie_in_the_data_directory(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / name
    data_dir.mkdir()
    (tmp_path / "a b").mkdir(exist_ok=True)  # where a decoded path would lead
    settings = Settings.load({"data_dir": str(data_dir)}, {})
    again = Settings.model_validate_json(settings.model_dump_json())
    open_log(again).close()
    open_registry(again).close()
    assert set(tmp_path.rglob("*.sqlite*")) == {data_dir / file for file in ("decisions.sqlite", "models.sqlite")}


@pytest.mark.parametrize("name", ODD)
def test_a_log_is_evaluated_where_it_lies(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / name
    data_dir.mkdir()
    settings = Settings.load({"data_dir": str(data_dir)}, {})
    open_log(settings).close()
    open_registry(settings).close()
    assert log_url(str(data_dir)) == settings.database_url
    assert registry_url(settings.database_url) == registry_url(str(data_dir)) is not None
    with open_existing_log(settings.database_url) as log:
        assert log.head().position == 0


def test_an_escaped_url_names_the_file_of_its_path(tmp_path: Path) -> None:
    settings = Settings.load({"database_url": f"sqlite:///{tmp_path}/50%25 off%3F.sqlite"}, {})
    assert find_file(settings.database_url) == tmp_path / "50% off?.sqlite"


def find_pasted_urls(source: str) -> list[str]:
    """Return the f-strings that paste a value into the URL of a file."""
    strings = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr))
    texts = (ast.unparse(string) for string in strings)
    return [text for text in texts if re.search(r"(sqlite|unix|file):/.*\{(?!quote\()", text)]


def test_no_path_is_pasted_into_a_url() -> None:
    modules = [path for package in ("decision_service", "benchmarks") for path in (ROOT / package).rglob("*.py")]
    assert {path: pasted for path in modules if (pasted := find_pasted_urls(path.read_text()))} == {}
    assert find_pasted_urls("f'sqlite:///{path}'") == ["f'sqlite:///{path}'"]
    assert find_pasted_urls("f'unix://{quote(path)}'") == []
