"""ONNX files of a few operators, written by hand: the package that would write them is no dependency."""

from pathlib import Path

_FLOAT, _INTS, _INT, _FLOATS = 1, 7, 2, 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _node(kind: str, source: str, target: str, *attributes: bytes) -> bytes:
    node = _field(1, source) + _field(2, target) + _field(4, kind)
    return _field(1, node + b"".join(_field(5, attribute) for attribute in attributes))


def _integers(name: str, values: list[int]) -> bytes:
    return _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, _INTS)


def _integer(name: str, value: int) -> bytes:
    return _field(1, name) + _field(3, value) + _field(20, _INT)


def _tensor(name: str, sides: list[int | str]) -> bytes:
    shape = b"".join(_field(1, _field(1, side) if isinstance(side, int) else _field(2, side)) for side in sides)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, shape)))


def save_brightness(file: Path, *, sigmoid: bool, side: int | None = None) -> Path:
    """A network whose answer is the mean of what it is given over the channels, after a sigmoid or as it is."""
    mean = _node("ReduceMean", "pixels", "mean", _integers("axes", [1]), _integer("keepdims", 1))
    last = _node("Sigmoid" if sigmoid else "Identity", "mean", "mask")
    sides: list[int | str] = ["batch", 3, side or "height", side or "width"]
    graph = mean + last + _field(2, "tiny") + _field(11, _tensor("pixels", sides))
    graph += _field(12, _tensor("mask", ["batch", 1, *sides[2:]]))
    # IR version 8, operators of version 13.
    file.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13)))
    return file
