"""Catalogue files in YAML: read a file, or name every mistake with its line."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from decision_service.catalogues.collisions import find_collisions
from decision_service.catalogues.yaml_text import NotYaml, YamlText
from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError, Mistake


@dataclass(frozen=True)
class FileMistake:
    """A mistake in a file: its line, its dotted path in the document (empty for the whole document), and the reason."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}: {self.path}: {self.message}" if self.path else f"{self.line}: {self.message}"


class CatalogueFileError(ValueError):
    """The file does not hold a valid catalogue. The text has one line per mistake: ``file:line: path: reason``.

    A file that cannot be read has no ``mistakes``.
    """

    def __init__(self, text: str, mistakes: tuple[FileMistake, ...] = ()) -> None:
        super().__init__(text)
        self.mistakes = mistakes

    @classmethod
    def of(cls, name: str, mistakes: tuple[FileMistake, ...]) -> CatalogueFileError:
        """Return the error that names these mistakes in a file."""
        return cls("\n".join(f"{name}:{mistake}" for mistake in mistakes), mistakes)


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises
    ------
    CatalogueFileError
        When the file cannot be read, is not YAML, or does not hold a valid catalogue.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueFileError(f"{path}: cannot be read: {error}") from None
    return parse_catalogue(text, str(path))


def example() -> Catalogue:
    """Return the example catalogue that comes with the service."""
    source = files("decision_service") / "catalogues" / "example.yaml"
    return parse_catalogue(source.read_text(encoding="utf-8"), "example.yaml")


def parse_catalogue(text: str, name: str) -> Catalogue:
    """Return the catalogue in a YAML text.

    Parameters
    ----------
    name
        Name of the file in error messages.

    Raises
    ------
    CatalogueFileError
        When the text is not YAML or does not hold a valid catalogue.
    """
    try:
        yaml_text = YamlText.read(text)
    except NotYaml as error:
        raise CatalogueFileError.of(name, (FileMistake(error.line or 1, "", str(error)),)) from None
    if not isinstance(yaml_text.document, dict):
        problem = FileMistake(1, "", "must be a mapping of the catalogue's keys")
        raise CatalogueFileError.of(name, (problem,))
    mistakes, catalogue = list(yaml_text.mistakes), None
    misread = {mistake.path for mistake in mistakes}
    try:
        catalogue = Catalogue.from_document(yaml_text.document)
        mistakes += find_collisions(catalogue)
    except CatalogueError as error:
        mistakes += [yaml_text.explain(mistake) for mistake in error.mistakes if mistake.path not in misread]
    if catalogue is None or mistakes:
        raise CatalogueFileError.of(name, _by_line(mistakes, yaml_text))
    return catalogue


def _by_line(mistakes: list[Mistake], yaml_text: YamlText) -> tuple[FileMistake, ...]:
    lines = [FileMistake(yaml_text.find_line(mistake.path), mistake.path, mistake.message) for mistake in mistakes]
    return tuple(sorted(lines, key=lambda mistake: mistake.line))
