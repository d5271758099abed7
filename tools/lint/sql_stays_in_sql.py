"""SQL lives in ``sql/*.sql``, with a name and a sentence of why: no statements in the services' Python files."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

STATEMENT = re.compile(
    r"\s*(?:SELECT\s.+|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s|MERGE\s+INTO\s"
    r"|CREATE\s+(?:TABLE|INDEX|FUNCTION)\s|ALTER\s+TABLE\s|DROP\s+TABLE\s|TRUNCATE\s|COPY\s+\S+\s+(?:FROM|TO)\s"
    r"|SET\s+(?:LOCAL|ROLE|SESSION)\s|LISTEN\s+\w+$|NOTIFY\s)",
    re.DOTALL,
)
PROBE = "SELECT 1"  # is the database there? It reads nothing


def _docstrings(tree: ast.AST) -> set[int]:
    bodies = [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list)]
    firsts = [body[0] for body in bodies if body and isinstance(body[0], ast.Expr)]
    return {id(first.value) for first in firsts}


def offences(source: str) -> Iterator[tuple[int, str]]:
    """(line, beginning of the statement) for each string that is an SQL statement."""
    tree = ast.parse(source)
    docstrings = _docstrings(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        if STATEMENT.match(node.value) and node.value.strip() != PROBE:
            yield node.lineno, " ".join(node.value.split())[:50]


def main(root: Path) -> int:
    """Print every offence below the root; 1 if there is any."""
    found = [
        f"{path}:{line}: SQL belongs in sql/*.sql: {text}"
        for path in sorted((root / "services").rglob("src/**/*.py"))
        for line, text in offences(path.read_text())
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path()))
