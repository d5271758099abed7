"""`python -m relaygram_dispatcher`: turns campaigns into send jobs, and completes them."""

from relaygram_common.runner import run_service
from relaygram_common.settings import load_settings
from relaygram_dispatcher.app import build
from relaygram_dispatcher.settings import DispatcherSettings

if __name__ == "__main__":
    raise SystemExit(run_service("dispatcher", load_settings(DispatcherSettings), build))
