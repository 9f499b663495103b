"""The date that a product bears, which is all that tells two runs of the same kind apart."""

import datetime
import os
import time

from pipeline.errors import ConfigError


def creation_time(first_seen: int | None = None) -> datetime.datetime:
    """SOURCE_DATE_EPOCH where it is set, so that a run can be repeated to the byte, else now.

    Args:
        first_seen: instead of now, in seconds since 1970: a batch states when it first saw a scene,
            so that a scene that is done again after a failure becomes the same file.

    Raises:
        ConfigError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        seen = time.time() if first_seen is None else first_seen
        return datetime.datetime.fromtimestamp(seen, datetime.UTC)
    try:
        return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {epoch!r}, expected seconds since 1970. Correct or unset it."
        ) from None
