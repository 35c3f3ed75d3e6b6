"""The process of a dispatcher: it opens the store, serves, and says by its exit code how that went."""

from __future__ import annotations

from contextlib import closing

from jobrun.dispatcher import ballast
from jobrun.dispatcher.desk import Desk
from jobrun.dispatcher.settings import Settings, World
from jobrun.errors import DiskFault, JobrunError
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.store import check_for_workers, open_store
from jobrun.trouble import AGAIN
from jobrun.wire.channel import Channel

PATIENCE_S = 10.0  # for the write lock


def run(settings: Settings, control: Channel, world: World) -> int:
    """Serve a group of workers until the supervisor hangs up; return the exit code of the process."""
    log = Log("dispatcher")
    try:
        store = open_store(settings.path, create=True, patience_s=PATIENCE_S, durability=settings.durability)
        store.check_is_writable()
        check_for_workers(settings.path)
    except JobrunError as error:
        log.refuse(error)
        return AGAIN if isinstance(error, DiskFault) and settings.generation > 1 else error.exit_code
    if store.created:
        log.say("file-made", f"made a job file at {settings.path}")
    ballast.reserve(side_dir(settings.path))
    try:
        with store, closing(Desk(settings, store, control, world, log)) as desk:
            return desk.run()
    except DiskFault as error:
        log.say("file-lost", error.message)
        return AGAIN  # the workers keep their endings, and the next one opens the file anew
    except JobrunError as error:
        log.say("file-lost", f"{error.message}{f'; {error.hint}' if error.hint else ''}")
        return error.exit_code
