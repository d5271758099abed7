"""`python -m relaygram_log_writer`: persists delivery events as the message log."""

import gc

from relaygram_common.settings import load_settings
from relaygram_log_writer.settings import LogWriterSettings

if __name__ == "__main__":
    settings = load_settings(LogWriterSettings)  # what is wrong there is told at once
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_common.runner import run_service
    from relaygram_log_writer.app import build

    raise SystemExit(run_service("log-writer", settings, build))
