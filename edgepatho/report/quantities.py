"""The kinds of numbers in records, with the bounds beyond which a figure must be wrong."""

import math
from typing import Annotated

from edgepatho.report.decode import Hexadecimal, Range

Bytes = Annotated[int, Range(0, 2**50)]
Count = Annotated[int, Range(0, 2**50)]
Version = Annotated[int, Range(1, 1)]
Fraction = Annotated[float, Range(0, 1)]
Points = Annotated[float, Range(-100, 100)]
Figure = Annotated[float, Range(0, math.inf)]  # a network broken by sharing can have any finite error
Value = Annotated[float, Range(-math.inf, math.inf)]
Milliseconds = Annotated[float, Range(0, 1e9)]
Celsius = Annotated[float, Range(-100, 300)]
Sha256 = Annotated[str, Hexadecimal(64)]
Percent = Annotated[float, Range(0, 100)]
Bits = Annotated[float, Range(0, 32)]
