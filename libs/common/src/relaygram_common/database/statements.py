"""Loads named statements from .sql files: `-- name: x`, a sentence of why, the statement. SQL stands nowhere else."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Statements:
    """The statements of one package's `sql/` folder, by name: `statements["take_run"]`."""

    def __init__(self, package: str) -> None:
        self._by_name: dict[str, str] = {}
        for file in sorted((files(package) / "sql").iterdir(), key=lambda f: f.name):
            if file.name.endswith(".sql"):
                self._add(file.name, file.read_text(encoding="utf-8"))

    def _add(self, file_name: str, text: str) -> None:
        parts = _NAME.split(text)
        for name, statement in zip(parts[1::2], parts[2::2], strict=True):
            if name in self._by_name:
                raise ValueError(f"{file_name}: a statement named {name} exists already")
            self._by_name[name] = statement.strip()

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def names(self) -> list[str]:
        """All names, for the test that prepares each statement on a migrated database."""
        return list(self._by_name)
