"""What several test modules need. Pictures are made in code or come with scikit-image; none is stored."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resources import weights


@pytest.fixture(scope="session")
def u2netp() -> Path:
    """The real U²-NetP weights where rembg finds them; fetched once, then kept. For slow tests."""
    return weights.pull("u2netp")


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A real photograph with fine detail: uint8, 512 × 512 × 3. Read-only, since all tests share it."""
    from skimage import data

    picture = data.astronaut()
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="session")
def as_file() -> Callable[..., bytes]:
    """``as_file(array_or_image, "TIFF", compression="lzw")``: a file's bytes as Pillow writes them."""

    def write(picture: np.ndarray | Image.Image, format_: str, **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        stream = BytesIO()
        image.save(stream, format_, **options)
        return stream.getvalue()

    return write
