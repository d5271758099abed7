"""`python -m relaygram_log_writer`: persists delivery events as the message log."""

import gc

if __name__ == "__main__":
    gc.disable()  # nothing that is loaded is garbage; to look for some took a sixth of the start
    from relaygram_common.runner import run_service
    from relaygram_common.settings import load_settings
    from relaygram_log_writer.app import build
    from relaygram_log_writer.settings import LogWriterSettings

    raise SystemExit(run_service("log-writer", load_settings(LogWriterSettings), build))
