from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from policies.catalogue.wording import Form

Digit = Annotated[str, Form("[0-9]", "must be a digit")]


@pytest.mark.parametrize("text", ["x", "", "12", "7\n"])
def test_another_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(Digit).validate_python(text)
    assert [detail["msg"] for detail in error.value.errors()] == ["Value error, must be a digit"]


def test_the_schema_shows_the_pattern() -> None:
    class Part(BaseModel):
        digit: Digit

    assert Part.model_json_schema()["properties"]["digit"] == {"title": "Digit", "type": "string", "pattern": "^[0-9]$"}
