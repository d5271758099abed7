"""`python -m relaygram_api.openapi [file]` writes `docs/openapi.json`."""

import sys
from pathlib import Path

from relaygram_api import openapi
from relaygram_api.web import create_app

Path(sys.argv[1] if len(sys.argv) > 1 else "docs/openapi.json").write_bytes(openapi.text(create_app(None)))
