"""The base of every fault that monitord explains to a person."""


class MonitordError(Exception):
    """A fault whose text is one clear sentence: what is wrong and what to do about it.

    Each room derives its own errors from this one; anything else that escapes is a bug.
    """
