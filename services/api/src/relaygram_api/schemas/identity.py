"""Users and tokens."""

from relaygram_api.schemas.envelopes import Shape


class User(Shape):
    """Who logged in."""

    id: int
    email: str
    name: str


class LoggedIn(Shape):
    """A new token, to be read only now."""

    token: str
    abilities: list[str]
    user: User


class Workspace(Shape):
    """Where the user works."""

    id: int
    name: str


class OwnToken(Shape):
    """The token of this call."""

    id: int
    name: str
    abilities: list[str]
    expires_at: str | None


class Me(User):
    """The user, workspace and token of this call."""

    workspace: Workspace
    token: OwnToken


class Token(Shape):
    """A token without its secret."""

    id: int
    name: str
    abilities: list[str]
    expires_at: str | None
    last_used_at: str | None
    created_at: str


class NewToken(Token):
    """A token with its secret, shown once."""

    token: str
