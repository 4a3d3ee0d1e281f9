"""Find a Kannel, or fetch Debian's, and run the tests that ask it.

    python -m tests.kannel [what pytest takes]

One that is installed (packages kannel and kannel-extras) is taken. Else the packages are downloaded by apt
and unpacked into a folder of their own: nothing is installed, no right is needed. Everything listens on the
loopback, and is stopped at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kannel.gateway import ROOT, Programs

TESTS = Path(__file__).with_name("real.py")
PACKAGES = ("kannel", "kannel-extras")
EX_UNAVAILABLE = 69


def main(arguments: list[str]) -> int:
    """Run pytest; its exit code, or 69 where no Kannel can be had."""
    if Programs(Path("/")).complete():
        return _pytest(arguments, Path("/"))
    folder = Path(tempfile.mkdtemp(prefix="clarion-kannel-"))
    try:
        root = _fetched(folder)
        if root is None:
            print("There is no Kannel. On Debian: apt-get install kannel kannel-extras.", file=sys.stderr)
            return EX_UNAVAILABLE
        return _pytest(arguments, root)
    finally:
        shutil.rmtree(folder)


def _fetched(folder: Path) -> Path | None:
    """The packages and what they need, unpacked; None where apt cannot."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return None
    archives, root = folder / "archives", folder / "root"
    (archives / "partial").mkdir(parents=True)
    options = ["-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}"]
    command = ["apt-get", "-qq", *options, "install", "--download-only", "-y", "--no-install-recommends"]
    subprocess.run([*command, *PACKAGES], stdout=subprocess.DEVNULL, check=False)
    for package in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    return root if Programs(root).complete() else None


def _pytest(arguments: list[str], root: Path) -> int:
    environment = {**os.environ, ROOT: str(root)}
    return subprocess.run([sys.executable, "-m", "pytest", TESTS, *arguments], env=environment).returncode


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
