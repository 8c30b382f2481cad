"""What is committed belongs to everybody: nothing of this machine in it, and everything that is needed."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
LOCAL_HOSTS = {"localhost", "127.0.0.1"}
NOT_OURS = {"node_modules", "build", "dist", "__pycache__"}
PAGES = "showcase_app/frontend/"
BUILT_PAGES = f"{PAGES}dist/"


def committed_files() -> list[Path]:
    """Every file that is in git or would be added to it; without git, every file outside hidden and built folders."""
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return list(_files_below(ROOT))
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _files_below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_file():
            yield path
        elif path.is_dir() and path.name not in NOT_OURS and (path.name == ".ci" or not path.name.startswith(".")):
            yield from _files_below(path)


def words_of_this_machine() -> set[str]:
    """The paths of this checkout and home, and where pip and npm of this machine find packages.

    A path of one part, such as ``/root`` or ``/app``, is no sign of a machine and left out.
    """
    places = {str(ROOT), str(Path.home()), *_package_sources()}
    return {place for place in places if not place.startswith("/") or place.count("/") > 1}


def _package_sources() -> Iterator[str]:
    pip = [sys.executable, "-m", "pip", "config", "list"]
    settings = subprocess.run(pip, capture_output=True, text=True, check=True).stdout.splitlines()
    npmrc = Path.home() / ".npmrc"
    settings += npmrc.read_text(encoding="utf-8").splitlines() if npmrc.exists() else []
    settings += [f"{name}={value}" for name, value in os.environ.items()]
    for setting in settings:
        name, _, value = setting.partition("=")
        if not re.search(r"(index.url|find.links|registry)$", name.strip(), re.IGNORECASE):
            continue
        for place in value.strip("'\" ").replace(r"\n", " ").split():
            url = urlsplit(place)
            source = url.hostname or url.path.rstrip("/")
            if source and source not in LOCAL_HOSTS:
                yield source


def test_no_committed_file_names_this_machine() -> None:
    words = "|".join(re.escape(word) for word in sorted(words_of_this_machine()))
    pattern = re.compile(rf"(?<![\w.-])({words})(?![\w-])".encode())
    found = {str(path.relative_to(ROOT)): sorted(set(pattern.findall(path.read_bytes()))) for path in committed_files()}
    assert {name: words for name, words in found.items() if words} == {}


def test_lock_holds_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"[\w.-]+==[\w.!+]+( ; .+)?")
    assert [line for line in lines if not line.startswith("#") and not pin.fullmatch(line)] == []


def test_wheel_and_sdist_carry_every_file_of_the_packages(tmp_path: Path) -> None:
    """Of the pages the wheel has what was built, when it was; the sdist has what they are built from, too."""
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sources = {
        name
        for path in committed_files()
        if (name := path.relative_to(ROOT).as_posix()).startswith(("ia_modules/", "showcase_app/"))
    }
    built = {path.relative_to(ROOT).as_posix() for path in (ROOT / BUILT_PAGES).rglob("*") if path.is_file()}
    [wheel], [sdist] = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if not name.startswith("ia_modules-")}
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert in_wheel == {name for name in sources if not name.startswith(PAGES)} | built
    assert (sources | built) - in_sdist == set()
    assert {name for name in in_sdist if "node_modules" in name} == set()
    assert f"{BUILT_PAGES}index.html" in built, "the pages are not built: make install"
    assert any(name.startswith(f"{BUILT_PAGES}assets/") for name in built)
