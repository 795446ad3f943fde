"""Background replacement for whole image catalogues, as a Dagster pipeline."""

from resources.runtime.caches import find_room_for_caches

# Before numba is imported, which looks for its folder once.
find_room_for_caches()


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("vivid-assets")
    raise AttributeError(name)
