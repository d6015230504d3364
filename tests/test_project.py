"""The house in order: no absolute paths, every file states its purpose, one version number, a README that runs."""

import ast
import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import shld_sim
from shld_sim._version import __version__

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "shld_sim").rglob("*.py"))

# A path of somebody's machine. Not preceded by what would make it part of a word, a relative path or an address.
ABSOLUTE = re.compile(r"(?<![\w./~})$-])/(?:home|root|tmp|work|opt|mnt|Users)(?:/|\b(?!\w))")
SKIPPED = {"build", "dist", "report", "__pycache__", "node_modules"}


def walk(root: Path) -> list[Path]:
    """Files below `root`, without environments, caches and anything hidden except .ci and .gitignore."""
    found = []
    for folder, below, names in os.walk(root):
        hidden = {name for name in below if name.startswith(".") and name != ".ci"}
        below[:] = sorted(set(below) - SKIPPED - hidden - {name for name in below if name.endswith(".egg-info")})
        found += [Path(folder, name) for name in sorted(names)]
    return found


def project_files(root: Path) -> list[Path]:
    """What belongs to the project: tracked or about to be; outside a checkout, what lies there."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return walk(root)
    return [path for name in sorted(set(run.stdout.split("\0"))) if name and (path := root / name).is_file()]


def text_of(path: Path) -> str:
    """Text of a file; "" when it is not text."""
    data = path.read_bytes()
    try:
        return "" if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return ""


def absolute_paths(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if ABSOLUTE.search(line)]


@pytest.mark.parametrize("files", [project_files, walk])
def test_no_absolute_paths(files):
    paths = files(ROOT)
    assert {ROOT / "setup.cfg", ROOT / "Makefile", ROOT / ".ci" / "run", Path(__file__)} <= set(paths)
    found = {str(path.relative_to(ROOT)): lines for path in paths if (lines := absolute_paths(text_of(path)))}
    assert not found


def test_absolute_paths_are_recognised():
    for folder in ("home/ada/x", "root", "tmp/run.npz", "work/main", "Users/ada"):
        for text in ("see /{}", "open('/{}')", "path=/{}", "#!/{}", "file:///{}"):
            assert absolute_paths(text.format(folder)) == ([text.format(folder)] if "///" not in text else [])
    for text in (
        "force/work",
        "src/tmp/x",
        "../tmp",
        "https://example.org/home/",
        "x / root",
        "/usr/bin/env",
        "/workers",
    ):
        assert absolute_paths(text) == []


def test_outside_a_checkout_the_files_are_walked(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # no git there
    assert project_files(ROOT) == walk(ROOT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_first_line_states_the_purpose(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    purpose = (ast.get_docstring(tree, clean=False) or "").partition("\n")[0].strip()
    assert len(purpose) >= 10, f"{path.name} should begin with a docstring that says what the file is for"
    assert tree.body[0].lineno == 1


def test_every_folder_of_modules_is_a_package():
    assert {path.parent for path in MODULES} == {path.parent for path in MODULES if path.name == "__init__.py"}


def test_version_is_written_once():
    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    assert config["metadata"]["version"] == "attr: shld_sim._version.__version__"
    assert not re.search(r"^version\s*=", text_of(ROOT / "pyproject.toml"), re.MULTILINE)
    assert shld_sim.__version__ == __version__
    written = [
        path.name
        for path in MODULES
        if re.search(r"^__version__\s*=|\b" + re.escape(__version__) + r"\b", text_of(path), re.M)
    ]
    assert written == ["_version.py"]


def test_changelog_mentions_the_version():
    assert re.search(rf"^## \[{re.escape(__version__)}\]", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)


def first_python_block(markdown: str) -> str:
    """Contents of the first ```python block; "" without one."""
    block = re.search(r"^```python[ \t]*\n(.*?)^```[ \t]*$", markdown, re.MULTILINE | re.DOTALL)
    return block.group(1) if block else ""


def test_first_python_block_is_found():
    assert first_python_block("a\n```bash\nls\n```\n```python\nx = 1\n```\n```python\nx = 2\n```\n") == "x = 1\n"
    assert first_python_block("no code, but ```python inline```\n") == ""


def test_readme_runs_as_printed(tmp_path):
    code = first_python_block((ROOT / "README.md").read_text(encoding="utf-8"))
    assert code.strip(), "README.md needs a ```python block that runs as printed"
    (tmp_path / "readme.py").write_text(code, encoding="utf-8")
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": search}
    command = [sys.executable, "readme.py"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr
