"""`python -m relaygram_log_writer`: persists delivery events as the message log."""

from relaygram_common.runner import run_service
from relaygram_common.settings import load_settings
from relaygram_log_writer.app import build
from relaygram_log_writer.settings import LogWriterSettings

if __name__ == "__main__":
    raise SystemExit(run_service("log-writer", load_settings(LogWriterSettings), build))
