"""Write the OpenAPI document: ``python -m decision_service.api docs/openapi.json``."""

from __future__ import annotations

import sys
from pathlib import Path

from decision_service.api.application import Api
from decision_service.api.documentation import openapi_text

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(openapi_text(Api()), encoding="utf-8")
