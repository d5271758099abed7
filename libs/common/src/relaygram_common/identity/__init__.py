"""Workspaces, users and tokens as the owner of the database makes them: at installation, from the command line.

Every function connects by itself with the owner's DSN, and raises IdentityError for what can not be done.
"""

from relaygram_common.identity.errors import IdentityError
from relaygram_common.identity.first_user import Bootstrap, bootstrap
from relaygram_common.identity.tokens import TokenRow, create_token, list_tokens, revoke_token
from relaygram_common.identity.users import (
    UserRow,
    create_user,
    disable_user,
    enable_user,
    generate_password,
    list_users,
    set_password,
)
from relaygram_common.identity.workspaces import WorkspaceRow, create_workspace, list_workspaces

__all__ = [
    "Bootstrap",
    "IdentityError",
    "TokenRow",
    "UserRow",
    "WorkspaceRow",
    "bootstrap",
    "create_token",
    "create_user",
    "create_workspace",
    "disable_user",
    "enable_user",
    "generate_password",
    "list_tokens",
    "list_users",
    "list_workspaces",
    "revoke_token",
    "set_password",
]
