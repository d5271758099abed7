"""Users, workspaces and tokens."""

from datetime import datetime

from relaygram_client.models.shape import Shape


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
    """The token that a call is made with."""

    id: int
    name: str
    abilities: list[str]
    expires_at: datetime | None


class Me(User):
    """The user, workspace and token of a call."""

    workspace: Workspace
    token: OwnToken


class Token(Shape):
    """A token without its secret."""

    id: int
    name: str
    abilities: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class NewToken(Token):
    """A token with its secret, shown once."""

    token: str
