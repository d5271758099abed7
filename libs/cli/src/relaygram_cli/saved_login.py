"""Where the API is and the token for it: from the environment, or as `relaygram login` has saved them."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from relaygram_cli.errors import CommandError

DEFAULT_URL = "http://127.0.0.1:8080"
URL_VARIABLE = "RELAYGRAM_API_URL"
TOKEN_VARIABLE = "RELAYGRAM_API_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Login:
    """What a call to the API needs."""

    url: str
    token: str | None = field(repr=False)


def login_file() -> Path:
    """The file in the user's own folder of settings."""
    from platformdirs import user_config_path

    return user_config_path("relaygram") / "login.json"


def current_login() -> Login:
    """The login to use now. A saved token goes to the address it was saved with and to no other."""
    saved = _read()
    url = os.environ.get(URL_VARIABLE) or (saved.url if saved else DEFAULT_URL)
    token = os.environ.get(TOKEN_VARIABLE)
    if not token and saved is not None and url.rstrip("/") == saved.url.rstrip("/"):
        token = saved.token
    return Login(url, token or None)


def save_login(login: Login) -> Path:
    """Keep it in a file that only its owner may read."""
    path = login_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=".login.")  # mode 600
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(login), file, indent=2)
        os.replace(fresh, path)
    except OSError as error:
        raise CommandError(
            f"cannot write {path}: {error.strerror}",
            what_to_do=f"make the folder writable, or set {URL_VARIABLE} and {TOKEN_VARIABLE} instead",
        ) from error
    return path


def forget_login() -> None:
    """Remove the saved login, if there is one."""
    login_file().unlink(missing_ok=True)


def travels_openly(url: str) -> bool:
    """Whether passwords and tokens would cross a network unencrypted."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost")


def _read() -> Login | None:
    path = login_file()
    try:
        found = json.loads(path.read_text())
        return Login(str(found["url"]), str(found["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"cannot read {path}", what_to_do="log in again: relaygram login") from error
