"""Rules are values in, values out: no await, clock, randomness, I/O or environment in any ``*/core/*.py``."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FORBIDDEN_MODULES = {
    "asyncio", "asyncpg", "fastapi", "faststream", "glob", "http", "httpx", "io", "logging", "multiprocessing",
    "nats", "os", "pathlib", "psycopg", "random", "secrets", "shutil", "socket", "sqlite3", "structlog",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uvicorn",
}  # fmt: skip
FORBIDDEN_CALLS = {"open", "print", "input"}
FORBIDDEN_NAMES = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid.uuid1", "uuid.uuid4",
}  # fmt: skip
ASYNC_NODES = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


def offences(source: str) -> Iterator[tuple[int, str]]:
    """(line, what is wrong) for each offence in a module's source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ASYNC_NODES):
            yield node.lineno, "async code"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, f"import of {name}") for name in _imported(node) if _is_forbidden(name))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in FORBIDDEN_CALLS:
            yield node.lineno, "input or output"
        elif isinstance(node, ast.Attribute):
            owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
            if f"{owner}.{node.attr}" in FORBIDDEN_NAMES:
                yield node.lineno, f"{owner}.{node.attr}"


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return [prefix + name.name for name in node.names]


def _is_forbidden(name: str) -> bool:
    return name.split(".")[0] in FORBIDDEN_MODULES or name in FORBIDDEN_NAMES


def main(root: Path) -> int:
    """Print every offence below the root; 1 if there is any."""
    found = [
        f"{path}:{line}: {what} in core/"
        for top in ("services", "libs")
        for path in sorted((root / top).rglob("core/**/*.py"))
        for line, what in offences(path.read_text())
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path()))
