"""A model that stays loaded between runs: a detached Ray actor on each node holds it, and the runs there ask the actor.

A run is a process of its own and loads its models anew. Where ``VIVID_WARM_MODELS`` is ``ray`` the actor outlives the
run, and the next run on that node finds it by its name. The name says the model, its weights and the code that asks it,
so another release gets an actor of its own and never an old one's answer.
"""

import hashlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from resources.errors import MachineFault, first_line

NAMESPACE = "vivid"
"""Of the actors' names in Ray."""


class Model(Protocol):
    """A mask model that is cheap to make and to send, and loads its weights with its first picture."""

    name: str
    revision: str

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Raw probabilities of each picture."""


def kept_warm(model: Model) -> Model:
    """``model`` as ``VIVID_WARM_MODELS`` asks for it: itself, or the one that this node's Ray actor holds.

    Raises MachineFault when the variable says anything else, or there is no Ray to ask.
    """
    asked = os.environ.get("VIVID_WARM_MODELS", "")
    if asked not in ("", "ray"):
        raise MachineFault(f"VIVID_WARM_MODELS is {asked!r}: set it to ray, or leave it out.")
    return RayModel(model) if asked else model


class RayModel:
    """A ``Model`` that is asked in this node's actor."""

    def __init__(self, model: Model) -> None:
        """Find the actor, or start it; it loads nothing yet. Raises MachineFault where there is no Ray cluster."""
        self.name = model.name
        self.revision = model.revision
        self._actor = _actor(model)

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As the model's own. Raises what that raises, and MachineFault when the actor is lost."""
        import ray

        try:
            answer: list[np.ndarray] = ray.get(self._actor.probabilities.remote(list(images)))
            return answer
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            reason = first_line(error)
            raise MachineFault(f"The Ray actor that holds {self.name} is lost: {reason}") from error


class HeldModel:
    """What an actor is: one process that loads the model once and answers whichever run asks."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._pictures = 0

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        self._pictures += len(images)
        return self._model.probabilities(images)

    def about(self) -> dict[str, Any]:
        """The actor's process, and how many pictures it has been asked for."""
        return {"process": os.getpid(), "pictures": self._pictures}


def _actor(model: Model) -> Any:
    try:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
    except ImportError as error:
        raise MachineFault(
            "VIVID_WARM_MODELS is ray, but Ray is not installed: install vivid-assets[ray], or leave the variable out."
        ) from error
    try:
        if not ray.is_initialized():
            ray.init(address="auto", namespace=NAMESPACE, log_to_driver=False)
    except ConnectionError as error:
        raise MachineFault(
            "VIVID_WARM_MODELS is ray, but there is no Ray cluster here: start runs by Ray (docs/scaling.md), "
            "or leave the variable out."
        ) from error
    node = ray.get_runtime_context().get_node_id()
    options = {
        "name": f"{model.name}-{model.revision}-{_code_of(model)}-{node[:12]}",
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        # Beside the runs that ask it: pictures do not travel, and each node has its own.
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        # The run that waits for the answer has claimed the node's CPUs.
        "num_cpus": 0,
        # A killed actor is started again and asked again, once.
        "max_restarts": -1,
        "max_task_retries": 1,
    }
    return ray.remote(HeldModel).options(**options).remote(model)


def _code_of(model: Model) -> str:
    """A digest of the code that runs in the actor, which another release's must not be asked instead of."""
    folder = Path(str(sys.modules[type(model).__module__].__file__)).parent
    places = {folder, Path(__file__).parents[1]}
    sources = [file.read_bytes() for place in places for file in sorted(place.rglob("*.py"))]
    engine = version("ncnn").encode()
    return hashlib.blake2b(b"".join(sorted(sources)) + engine, digest_size=4).hexdigest()
