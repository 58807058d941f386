"""How documents are read and written: the form of texts, refused in words, and fields that may be left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

IF_SAID = Field(exclude_if=lambda value: not value)
"""A field that a document holds only where the field says something: documents of earlier versions stay as they are."""


IF_NOT_NULL = Field(exclude_if=lambda value: value is None)
"""A field that a document holds unless the field is null."""


def if_not(neutral: object) -> Any:
    """Return a field that a document holds only where the field has another value than the neutral one."""
    return Field(exclude_if=lambda value: value == neutral)


@dataclass(frozen=True)
class Form:
    """The form of a text, as metadata of an annotated ``str``.

    Parameters
    ----------
    pattern
        The regular expression that the whole text must match.
    words
        What the error says about another text, such as "must be a time of the day, as in 21:30".

    Examples
    --------
    >>> from typing import Annotated
    >>> from pydantic import TypeAdapter
    >>> Digit = Annotated[str, Form("[0-9]", "must be a digit")]
    >>> TypeAdapter(Digit).validate_python("7")
    '7'
    """

    pattern: str
    words: str

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def check(self, text: str) -> str:
        """Return the text, or raise a `ValueError` with the words."""
        if self._compiled.fullmatch(text) is None:
            raise ValueError(self.words)
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}
