"""The two types of which every body of a caller is made: a pydantic model, and a faster msgspec struct."""

from __future__ import annotations

from functools import cache
from typing import Any, Self

import msgspec
from msgspec import NODEFAULT
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema


class Body(BaseModel):
    """A body that pydantic reads: strict types, no unknown field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class StructBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that msgspec reads, many times faster than pydantic.

    pydantic reads such a type too, by a model with the same fields: the model names the mistakes of a body, and its
    JSON schema documents the body. The annotation of a field holds its limits twice: in `msgspec.Meta` and in
    `pydantic.Field`. A check that only Python can make is a pydantic validator in the annotation, and `__post_init__`
    repeats the check.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read the body as a model, and make a struct of the model."""
        return core_schema.no_info_after_validator_function(cls._from_model, handler(_model_of(cls)))

    @classmethod
    def _from_model(cls, model: BaseModel) -> Self:
        return cls(**{name: getattr(model, name) for name in cls.__struct_fields__})


@cache
def _model_of(kind: type[StructBody]) -> type[Body]:
    """Return the model with the fields of a struct."""
    fields: dict[str, Any] = {field.name: (field.type, _default(field)) for field in msgspec.structs.fields(kind)}
    return create_model(kind.__name__, __base__=Body, __doc__=kind.__doc__, __module__=kind.__module__, **fields)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not NODEFAULT:
        return field.default
    return ... if field.default_factory is NODEFAULT else field.default_factory()
