"""`python -m relaygram_api`."""

import gc

if __name__ == "__main__":
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_api.app import build
    from relaygram_api.settings import ApiSettings
    from relaygram_common.runner import run_service
    from relaygram_common.settings import load_settings

    raise SystemExit(run_service("api", load_settings(ApiSettings), build))
