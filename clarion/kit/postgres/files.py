"""Small files that are written whole or not at all, into folders that another user may own."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Put `text` into `path`, mode 0600, by way of a draft; give it to `owner` (user id, group id).

    The draft is made anew and never through a link: we may be root, and the folder may be of a user
    who is not trusted with more than its own server.
    """
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if owner is not None:
            os.fchown(descriptor, *owner)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_tree(top: Path, uid: int, gid: int) -> None:
    """Change the owner of a folder and all in it, following no link, whatever its owner does meanwhile."""
    for _, _, names, descriptor in os.fwalk(top):
        os.fchown(descriptor, uid, gid)
        for name in names:
            os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
