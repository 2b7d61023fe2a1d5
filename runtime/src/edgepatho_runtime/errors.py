"""Errors that the user can fix, one sentence each: what was found, what was expected, what to do."""

# Exit codes of `edgepatho-run` (docs/device-cli.md).
DONE = 0
FAILED = 1
USAGE = 2
BAD_INPUT = 3
UNFIT = 5
INTERRUPTED = 130


class UsageError(ValueError):
    """Options that do not fit together or do not fit the bundle."""


class BundleError(ValueError):
    """A file that is not a bundle, or a damaged or unsupported one.

    `refusal` names the reason in docs/bundle-format.md; None if the file was never read.
    """

    def __init__(self, sentence: str, refusal: str | None = None) -> None:
        super().__init__(sentence)
        self.refusal = refusal


class ImageError(ValueError):
    """A picture that cannot be read, or only by guessing."""


class UnfitError(RuntimeError):
    """This device cannot do what was asked, or computes it wrongly."""


class BusyError(RuntimeError):
    """Another benchmark is running on this device."""
