"""No file of code grows beyond what one reads in a sitting: 400 lines."""

import sys
from pathlib import Path

LONGEST = 400
TOPS = ("services", "libs", "tests", "benchmarks", "tools", "examples")
SUFFIXES = {".py", ".sql"}


def too_long(root: Path) -> list[tuple[Path, int]]:
    """(file, number of lines) of each file that is too long."""
    sizes = [
        (path, len(path.read_text().splitlines()))
        for top in TOPS
        for path in sorted((root / top).rglob("*"))
        if path.suffix in SUFFIXES and path.is_file()
    ]
    return [(path, lines) for path, lines in sizes if lines > LONGEST]


def main(root: Path) -> int:
    """Print every file that is too long; 1 if there is any."""
    found = too_long(root)
    for path, lines in found:
        print(f"{path}: {lines} lines, more than {LONGEST}: split it by what it does")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path()))
