"""Batches that shrink, and failures that stay with their picture."""

import logging
import weakref

import pytest

from resources.errors import MachineFault, ModelUnavailable
from resources.runtime.batches import Batches, PictureError


def in_batches(function, items, batch_size):
    return Batches(function, batch_size)(items)


OUT_OF_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB."


def fits_up_to(most: int, seen: list[int]):
    def double(items: list[int]) -> list[int]:
        seen.append(len(items))
        if len(items) > most:
            raise RuntimeError(OUT_OF_MEMORY)
        return [2 * item for item in items]

    return double


@pytest.mark.slow
def test_out_of_memory_halves_the_batch_and_every_item_is_done_in_order(caplog):
    seen: list[int] = []
    with caplog.at_level(logging.WARNING):
        results = in_batches(fits_up_to(3, seen), list(range(10)), 8)
    assert results == [2 * item for item in range(10)]
    assert seen[:3] == [8, 4, 2]
    assert max(seen[2:]) == 2
    assert "batches of 2" in caplog.text


def test_out_of_memory_at_a_later_batch_keeps_what_was_done():
    calls: list[list[int]] = []

    def third_call_fails(items: list[int]) -> list[int]:
        calls.append(items)
        if len(calls) == 3:
            raise RuntimeError(OUT_OF_MEMORY)
        return items

    assert in_batches(third_call_fails, list(range(12)), 4) == list(range(12))
    assert [len(call) for call in calls] == [4, 4, 4, 2, 2]


@pytest.mark.slow
def test_the_size_that_fits_is_remembered_between_calls():
    seen: list[int] = []
    batches = Batches(fits_up_to(2, seen), 8)
    batches(list(range(8)))
    seen.clear()
    batches(list(range(8)))
    assert seen == [2, 2, 2, 2]
    assert batches.size == 2


@pytest.mark.slow
def test_an_item_too_large_alone_fails_with_a_sentence_and_the_rest_go_on():
    def too_large(items: list[int]) -> list[int]:
        if 7 in items:
            raise RuntimeError(OUT_OF_MEMORY)
        return items

    results = in_batches(too_large, [1, 7, 3], 2)
    assert results[0] == 1
    assert results[2] == 3
    assert isinstance(results[1], PictureError)
    assert "even alone" in str(results[1])


@pytest.mark.slow
def test_when_nothing_ever_fits_it_is_the_machine():
    with pytest.raises(MachineFault, match="No memory for even one picture"):
        in_batches(fits_up_to(0, []), list(range(9)), 4)


@pytest.mark.parametrize("culprit", range(5))
def test_an_error_is_traced_to_its_item(culprit):
    def refuses(items: list[int]) -> list[int]:
        if culprit in items:
            raise KeyError("no such thing")
        return items

    results = in_batches(refuses, list(range(5)), 5)
    assert isinstance(results[culprit], KeyError)
    assert [r for i, r in enumerate(results) if i != culprit] == [i for i in range(5) if i != culprit]


def test_a_dead_device_and_a_machine_fault_stop_everything():
    def dead(_: list[int]) -> list[int]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def lost(_: list[int]) -> list[int]:
        raise MachineFault("the store is gone")

    with pytest.raises(MachineFault, match="device has failed"):
        in_batches(dead, [1, 2], 2)
    with pytest.raises(MachineFault, match="store is gone"):
        in_batches(lost, [1, 2], 2)


@pytest.mark.slow
def test_what_filled_the_memory_is_let_go_before_the_next_try():
    class Tensor:
        pass

    alive: list[weakref.ref] = []

    def leaves_a_tensor_in_its_frame(items: list[int]) -> list[int]:
        assert all(tensor() is None for tensor in alive)
        tensor = Tensor()
        alive.append(weakref.ref(tensor))
        if len(items) > 1:
            raise RuntimeError(OUT_OF_MEMORY)
        return items

    assert in_batches(leaves_a_tensor_in_its_frame, [1, 2, 3, 4], 4) == [1, 2, 3, 4]


def test_a_function_that_loses_items_is_a_fault():
    with pytest.raises(MachineFault, match="came back as 1 result"):
        in_batches(lambda items: items[:1], [1, 2], 2)


def always(error: Exception):
    def fails(_: list[int]) -> list[int]:
        raise error

    return fails


@pytest.mark.parametrize("size", [1, 4, 8])
@pytest.mark.parametrize("error", [TypeError("no kernel for Half"), PictureError("The answer is not finite.")])
def test_a_model_that_fails_on_each_of_its_first_pictures_is_at_fault_and_not_they(error, size):
    batches = Batches(always(error), size, "SDXL")
    with pytest.raises(ModelUnavailable, match="SDXL failed on each of its first 3 pictures") as stopped:
        for start in range(0, 8, size):
            batches(list(range(start, start + size)))
    assert type(error).__name__ in str(stopped.value)
    assert str(error) in str(stopped.value)


def test_failures_that_come_back_as_results_count_too():
    with pytest.raises(ModelUnavailable, match="black"):
        in_batches(lambda items: [PictureError("It is black.") for _ in items], [1, 2, 3], 8)


def test_two_pictures_that_fail_are_two_pictures():
    assert [str(found) for found in in_batches(always(KeyError("x")), [1, 2], 8)] == ["'x'", "'x'"]


@pytest.mark.parametrize("good", [0, 2])
def test_once_a_picture_went_well_failures_are_the_pictures_own(good):
    def picky(items: list[int]) -> list[int]:
        if items != [good]:
            raise KeyError("no")
        return items

    results = in_batches(picky, list(range(9)), 1)
    assert [type(found) for found in results].count(KeyError) == 8


def test_pictures_that_fail_each_in_its_own_way_are_pictures():
    def differently(items: list[int]) -> list[int]:
        raise (KeyError, TypeError, ZeroDivisionError)[items[0] % 3]("no")

    assert len(in_batches(differently, list(range(9)), 1)) == 9


def test_what_the_compiler_raises_is_no_picture_s_failure():
    failed = type("InductorError", (RuntimeError,), {"__module__": "torch._inductor.exc"})
    with pytest.raises(ModelUnavailable, match=r"torch\.compile failed: no compiler\. Set compile to off"):
        in_batches(always(failed("no compiler")), [1], 8)
