"""`python -m relaygram_telegram_gateway`."""

from relaygram_common.runner import run_service
from relaygram_common.settings import load_settings
from relaygram_telegram_gateway.app import build
from relaygram_telegram_gateway.settings import GatewaySettings

if __name__ == "__main__":
    raise SystemExit(run_service("telegram-gateway", load_settings(GatewaySettings), build))
