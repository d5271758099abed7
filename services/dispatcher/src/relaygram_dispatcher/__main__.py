"""`python -m relaygram_dispatcher`: turns campaigns into send jobs, and completes them."""

import gc

from relaygram_common.settings import load_settings
from relaygram_dispatcher.settings import DispatcherSettings

if __name__ == "__main__":
    settings = load_settings(DispatcherSettings)  # what is wrong there is told at once
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_common.runner import run_service
    from relaygram_dispatcher.app import build

    raise SystemExit(run_service("dispatcher", settings, build))
