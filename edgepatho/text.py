"""Text from elsewhere, fit to be printed."""


def printable(text: str) -> str:
    """Return `text` with everything that could steer a terminal written as an escape, as Python does."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
