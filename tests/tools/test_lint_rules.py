"""Our own lint rules catch an offence and leave good code alone."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def rule(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / "lint" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize(
    "source",
    [
        "async def decide(): ...",
        "import asyncio",
        "import os.path",
        "from time import monotonic",
        "import datetime\nnow = datetime.datetime.now()",
        "from datetime import datetime\nnow = datetime.now()",
        "import uuid\nx = uuid.uuid4()",
        "from uuid import uuid4",
        "text = open('file').read()",
    ],
)
def test_side_effects_in_core_are_caught(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "services/api/src/relaygram_api/core/limits.py", source)
    assert rule("core_is_pure").main(tmp_path) == 1
    assert "limits.py:" in capsys.readouterr().out


def test_rules_without_side_effects_pass(tmp_path: Path) -> None:
    source = "from datetime import datetime, timedelta\nfrom uuid import UUID, uuid5\n\n\ndef later(now): return now\n"
    write(tmp_path, "services/api/src/relaygram_api/core/limits.py", source)
    write(tmp_path, "services/api/src/relaygram_api/adapters/clock.py", "import time\n")
    assert rule("core_is_pure").main(tmp_path) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM control.campaigns",
        "\n    INSERT INTO control.outbox VALUES ($1)",
        "UPDATE control.campaigns SET name = $1",
        "DELETE FROM control.outbox",
        "WITH taken AS (SELECT 1) SELECT * FROM taken",
        "SET LOCAL ROLE somebody",
    ],
)
def test_sql_in_a_service_is_caught(statement: str, tmp_path: Path) -> None:
    write(tmp_path, "services/api/src/relaygram_api/adapters/pg.py", f"STATEMENT = {statement!r}\n")
    assert rule("sql_stays_in_sql").main(tmp_path) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""SELECT the best one."""\n',
        "PROBE = 'SELECT 1'\n",
        "message = 'Select an account, then go on'\n",
        "message = 'Update failed'\n",
    ],
)
def test_what_only_looks_like_sql_passes(source: str, tmp_path: Path) -> None:
    write(tmp_path, "services/api/src/relaygram_api/routes/campaigns.py", source)
    assert rule("sql_stays_in_sql").main(tmp_path) == 0


def test_a_file_of_more_than_400_lines_is_caught(tmp_path: Path) -> None:
    write(tmp_path, "libs/common/src/relaygram_common/fits.py", "x = 1\n" * 400)
    assert rule("file_size").main(tmp_path) == 0
    write(tmp_path, "libs/common/src/relaygram_common/grown.py", "x = 1\n" * 401)
    assert rule("file_size").main(tmp_path) == 1
