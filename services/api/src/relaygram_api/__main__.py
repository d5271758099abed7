"""`python -m relaygram_api`."""

import gc

from relaygram_api.settings import ApiSettings
from relaygram_common.settings import load_settings

if __name__ == "__main__":
    settings = load_settings(ApiSettings)  # what is wrong there is told at once
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_api.app import build
    from relaygram_common.runner import run_service

    raise SystemExit(run_service("api", settings, build))
