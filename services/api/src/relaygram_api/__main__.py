"""`python -m relaygram_api`."""

from relaygram_api.app import build
from relaygram_api.settings import ApiSettings
from relaygram_common.runner import run_service
from relaygram_common.settings import load_settings

if __name__ == "__main__":
    raise SystemExit(run_service("api", load_settings(ApiSettings), build))
