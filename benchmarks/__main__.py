"""Every benchmark in turn, one JSON line each: `make bench`, or `make bench ARGS="idle workers"`."""

from __future__ import annotations

import subprocess
import sys

ALL: dict[str, list[str]] = {
    "sandbox_floor": [],
    "end_to_end": [],
    "end_to_end with receipts": ["--receipts"],
    "expansion": [],
    "import_contacts": [],
    "cases": [],
    "cases with phones": ["--phones"],
    "receipts": [],
    "idle": [],
    "workers": [],
    "queue_depth": [],
    "punctual": [],
    "events": [],
    "channels": [],
    "fairness": [],
    "pacing": [],
    "places": [],
    "occurrences": [],
    "following": [],
    "alerts": [],
    "in_step": [],
    "at_once": [],
    "rehearsal": [],
}


def main() -> int:
    """Run those named, or all; 1 when one of them failed."""
    wanted = sys.argv[1:] or list(ALL)
    failed = False
    for name in wanted:
        if name not in ALL:
            print(f"there is no benchmark {name!r}; there are: {', '.join(ALL)}", file=sys.stderr)
            return 64
        print(f"running {name} …", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name.split()[0]}", *ALL[name]], check=False
        )
        failed = failed or done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
