"""`python -m relaygram_dispatcher`: turns campaigns into send jobs, and completes them."""

import gc

if __name__ == "__main__":
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_common.runner import run_service
    from relaygram_common.settings import load_settings
    from relaygram_dispatcher.app import build
    from relaygram_dispatcher.settings import DispatcherSettings

    raise SystemExit(run_service("dispatcher", load_settings(DispatcherSettings), build))
