"""YAML read with its lines, and with a mistake where YAML would read something else than what people write.

YAML 1.1 reads ``no`` as false, ``21:30`` as 1290, ``0100`` as 64 and ``2026-11-21`` as a date. Where a catalogue could
not mean that, the text is refused by its line; where it might, a hint stands beside the mistake that follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from policies.catalogue.mistakes import Mistake

_MOST_NODES = 200_000
"""More values than any catalogue has: aliases of aliases can make a small file endless."""

_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "value"})
_NAMES = {"bool": "true or false", "int": "a number", "float": "a number", "null": "nothing", "timestamp": "a date"}
_octal = re.compile(r"[-+]?0[0-7_]+")
_looks_like_a_number = re.compile(r"[-+]?[0-9.][0-9_.eE+-]*")


class NotYaml(ValueError):
    """The text is not YAML; ``line`` is where reading stopped, None where that is not known."""

    def __init__(self, line: int | None, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass
class YamlText:
    """What a YAML text holds.

    Parameters
    ----------
    document
        The document, with texts as keys.
    lines
        The line of each path.
    hints
        By path: how YAML read a value that may have been meant otherwise.
    mistakes
        What a catalogue cannot mean.
    """

    document: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> YamlText:
        """Read a text.

        Raises
        ------
        NotYaml
            When the text is not YAML.
        """
        read = cls()
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            read.document = None if root is None else _Walk(read).read(root, ())
        except RecursionError:
            raise NotYaml(None, "is nested too deeply") from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise NotYaml(line, f"holds the character U+{error.character:04X}, which YAML does not allow") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            raise NotYaml(None if mark is None else mark.line + 1, _describe(error)) from None
        return read

    def find_line(self, path: str) -> int:
        """Return the line of a path, or of the nearest path that encloses it."""
        parts = path.split(".")
        while parts and ".".join(parts) not in self.lines:
            parts.pop()
        return self.lines.get(".".join(parts), 1)

    def explain(self, mistake: Mistake) -> Mistake:
        """Return a mistake of type with a hint where YAML read something else."""
        hint = self.hints.get(mistake.path)
        if hint is None or not mistake.message.startswith("should be a valid"):
            return mistake
        return Mistake(mistake.path, f"{mistake.message}; {hint}")


def _describe(error: yaml.MarkedYAMLError) -> str:
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    return f"is not YAML: {problem}" + (": indent with spaces, not with tabs" if "\\t" in problem else "")


class _Walk:
    """A walk over the nodes of a text, which fills in what the text holds."""

    def __init__(self, text: YamlText) -> None:
        self._text = text
        self._constructor = yaml.SafeLoader("")
        self._open: list[yaml.Node] = []
        self._left = _MOST_NODES

    def read(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        self._text.lines.setdefault(".".join(path), node.start_mark.line + 1)
        self._left -= 1
        if any(node is other for other in self._open):
            return self._refuse(path, "refers to itself")
        if self._left < 0:
            raise NotYaml(node.start_mark.line + 1, f"holds more than {_MOST_NODES} values")
        self._open.append(node)
        try:
            return self._read_inside(node, path)
        finally:
            self._open.pop()

    def _read_inside(self, node: yaml.Node, path: tuple[str, ...]) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, path)
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            return self._refuse(path, f"has the tag {node.tag}, which means nothing here")
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, str(number))) for number, item in enumerate(node.value)]
        return {name: self.read(value, (*path, name)) for name, value in self._entries(node, path).items()}

    def _entries(self, node: yaml.Node, path: tuple[str, ...]) -> dict[str, yaml.Node]:
        """Return the entries of a mapping; those that are merged in (``<<``) come first and are replaced by its own."""
        merged: dict[str, yaml.Node] = {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                for source in self._sources(value, path):
                    merged = self._entries(source, path) | merged
                continue
            name = self._read_key(key, path)
            here = (*path, name)
            if name in entries:
                self._refuse(here, f"stands twice, again in line {key.start_mark.line + 1}")
            self._text.lines.setdefault(".".join(here), key.start_mark.line + 1)
            entries[name] = value
        return merged | entries

    def _sources(self, value: yaml.Node, path: tuple[str, ...]) -> Iterator[yaml.Node]:
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(source, yaml.MappingNode) and not any(source is other for other in self._open):
                yield source
            else:
                self._refuse((*path, "<<"), "must name a mapping to merge in")

    def _read_key(self, key: yaml.Node, path: tuple[str, ...]) -> str:
        if not isinstance(key, yaml.ScalarNode):
            self._refuse((*path, "?"), "a key must be a text")
            return "?"
        name, kind = str(key.value), key.tag.removeprefix(_TAG)
        if kind not in ("str", "value"):
            self._text.lines.setdefault(".".join((*path, name)), key.start_mark.line + 1)
            read_as = _NAMES.get(kind, "something else")
            self._refuse((*path, name), f"YAML reads the key {name or '~'} as {read_as}: write it in quotes")
        return name

    def _read_scalar(self, node: yaml.ScalarNode, path: tuple[str, ...]) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind not in _KNOWN_TAGS:
            return self._refuse(path, f"has the tag {node.tag}, which means nothing here")
        if kind in ("str", "value"):
            return self._read_text(text, path, is_plain=node.style is None)
        try:
            value = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            return self._refuse(path, f"{text[:40]!r} cannot be read: write it in quotes")
        if kind == "timestamp":
            return self._refuse(path, f"YAML reads {text} as a date: write it in quotes")
        if kind in ("int", "float") and (":" in text or _octal.fullmatch(text)):
            return self._refuse(path, f"YAML reads {text} as the number {value}: write it in quotes, or as {value}")
        self._hint(path, f"YAML reads {text or 'an empty value'} as {_NAMES[kind]}: write it in quotes")
        return value

    def _read_text(self, text: str, path: tuple[str, ...], *, is_plain: bool) -> str | None:
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self._refuse(path, "holds half of a character")
            return None
        if is_plain and _looks_like_a_number.fullmatch(text):
            self._hint(path, f"YAML reads {text} as text: write the number with its digits alone")
        return text

    def _hint(self, path: tuple[str, ...], hint: str) -> None:
        self._text.hints[".".join(path)] = hint

    def _refuse(self, path: tuple[str, ...], message: str) -> None:
        self._text.mistakes.append(Mistake(".".join(path), message))
