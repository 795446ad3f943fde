"""The arrays that the rooms hand to each other, by name: what their axes, values and types are.

Types are checked as far as NumPy's annotations go: bytes, booleans and floats apart. Shapes and ranges are in the words
below each name; where a function wants one of them smaller, its docstring has small letters (``h×w×3``).
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

RGB8: TypeAlias = NDArray[np.uint8]
"""H×W×3 sRGB, gamma-encoded, uint8 0..255."""
RGB: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""H×W×3 sRGB, gamma-encoded, uint8 0..255 or uint16 0..65535."""
LinearRGB: TypeAlias = NDArray[np.floating[Any]]
"""H×W×3 linear light, float32 0..1."""
Lab: TypeAlias = NDArray[np.floating[Any]]
"""…×3 CIE Lab, float32: L 0..100, a and b about -128..127."""
Matte: TypeAlias = NDArray[np.floating[Any]]
"""H×W, float32 0 (background) to 1 (subject): an alpha, or the probability that one is made of."""
Plane: TypeAlias = NDArray[np.floating[Any]]
"""H×W, float32."""
Planes: TypeAlias = NDArray[np.floating[Any]]
"""H×W×C, float32; two or more planes of one size."""
Area: TypeAlias = NDArray[np.bool_]
"""H×W bool: a part of the picture."""
Labels: TypeAlias = NDArray[np.int32]
"""H×W int32: the number of the part that each pixel belongs to."""
Vector: TypeAlias = NDArray[np.floating[Any]]
"""N numbers, or N×C of them."""
Indices: TypeAlias = NDArray[np.integer[Any]]
"""Places in an array, or whole numbers of any type."""
