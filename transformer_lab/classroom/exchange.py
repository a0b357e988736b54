"""nbgrader's collect, for a machine that learners share: what is collected is a learner's own, and plain files.

nbgrader's own follows links, so that a learner could hand in a file of another's, the teacher's included; when somebody
hands in under another's name it warns and goes on; and it stops at a date that is none.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from nbgrader.exchange.default import ExchangeCollect

from .archives import LARGEST
from .notebooks import notebook_name

NOBODY = {"username": "", "filename": "", "timestamp": datetime.min}
SECRET = "submission_secret.txt"  # under which nbgrader gives the feedback back, to this learner alone


class OwnFilesOnly(ExchangeCollect):
    """Collects the notebooks that belong to the learner in whose name they were submitted, and nothing else."""

    src_records: list[dict]

    def _path_to_record(self, path):
        import pwd  # which Windows has not

        try:
            record, about = super()._path_to_record(path), os.lstat(path)
            owner = pwd.getpwuid(about.st_uid).pw_name
        except (OSError, KeyError, ValueError, OverflowError) as error:
            self.log.warning("Left out %s: %s", path, error)
            return NOBODY
        if record["username"] == owner and stat.S_ISDIR(about.st_mode):
            return record
        self.log.warning("Left out %s: it is not a folder of %s's.", path, record["username"])
        return NOBODY

    def init_src(self):
        super().init_src()
        self.src_records = [record for record in self.src_records if record is not NOBODY]

    def do_copy(self, src, dest, log=None):
        name = f"{notebook_name(self.coursedir.assignment_id)}.ipynb"
        files = own_files(src, name, SECRET)
        os.makedirs(dest)
        if name in files:
            Path(dest, name).write_bytes(files[name])
        secret = files.get(SECRET, b"").decode("ascii", "replace")
        secret = secret if re.fullmatch("[0-9a-f]+", secret) else secrets.token_hex(64)
        Path(dest, SECRET).write_text(secret, encoding="utf-8")
        when = super()._path_to_record(src)["timestamp"]
        Path(dest, "timestamp.txt").write_text(f"{when.isoformat(' ')} UTC", encoding="utf-8")


def own_files(path: str, *names: str) -> dict[str, bytes]:
    """Of these files, those that belong to the owner of their folder. No link is followed, however late it is made."""
    files = {}
    with suppress(OSError):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            owner = os.fstat(folder).st_uid
            files = {name: own_file(folder, name, owner) for name in names}
        finally:
            os.close(folder)
    return {name: content for name, content in files.items() if content is not None}


def own_file(folder: int, name: str, owner: int) -> bytes | None:
    """The content of an ordinary file of this owner's; None for a link, a pipe, another's file or a very long one."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with open(file, "rb") as opened:
        about = os.fstat(file)
        wanted = stat.S_ISREG(about.st_mode) and about.st_uid == owner and about.st_size <= LARGEST
        return opened.read(LARGEST) if wanted else None
