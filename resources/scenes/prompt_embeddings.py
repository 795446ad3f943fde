"""SDXL's text embeddings, made once per distinct prompt; prompts longer than CLIP's 77 tokens lose no word."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A night's shard has far fewer distinct texts; each takes 0.3 MB in half precision.
_KEPT = 1024


class PromptEmbeddings:
    """Embeddings by text, from the two text encoders of a ``StableDiffusionXLPipeline``.

    A text that does not fit into 77 tokens is cut between words into parts that do; their embeddings are laid
    end to end, as SDXL's cross attention takes any length. The pooled embedding is the first part's.

    Args:
        pipeline: on its device.
        on: that device's name, if the encoders are to wait in the machine's memory while they read nothing.
    """

    def __init__(self, pipeline: Any, on: str = "") -> None:
        self._pipeline = pipeline
        self._on = on
        self._here = True
        if on:
            self._move("cpu", here=False)
        self._made: dict[str, tuple[Any, Any]] = {}

    def parts(self, text: str) -> list[str]:
        """``text`` in as few parts as it needs, each within the encoders' limit of tokens."""
        tokenizer = self._pipeline.tokenizer
        room = tokenizer.model_max_length - 2  # begin and end
        parts: list[str] = []
        current = ""
        for word in text.split():
            longer = f"{current} {word}".strip()
            if current and len(tokenizer(longer, add_special_tokens=False).input_ids) > room:
                parts.append(current)
                longer = word
            current = longer
        return [*parts, current]

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Ask for embeddings within it: the encoders come for the first new text, and go at the end."""
        try:
            yield
        finally:
            if self._on and self._here:
                self._move("cpu", here=False)

    def of(self, text: str, parts: int, *, empty_is_zero: bool = False) -> tuple[Any, Any]:
        """The embeddings of one text.

        Args:
            text: the prompt.
            parts: how many parts to come out at: the most that the texts of the batch need.
            empty_is_zero: an empty text is zeros, as diffusers does for a negative prompt that is not given.

        Returns:
            (77·parts × channels, pooled channels), on the device, in the encoders' precision.
        """
        import torch

        if empty_is_zero and not text:
            states, pooled = self._embedded("")
            return torch.zeros_like(states).repeat(parts, 1), torch.zeros_like(pooled)
        pieces = self.parts(text)
        embedded = [self._embedded(piece) for piece in pieces + [""] * (parts - len(pieces))]
        return torch.cat([states for states, _ in embedded]), embedded[0][1]

    def _embedded(self, piece: str) -> tuple[Any, Any]:
        import torch

        if piece not in self._made:
            if len(self._made) >= _KEPT:
                self._made.clear()
            if not self._here:
                self._move(self._on, here=True)
            # The pipeline's own call is without gradients, this part of it by itself is not.
            with torch.no_grad():
                states, _, pooled, _ = self._pipeline.encode_prompt(piece, do_classifier_free_guidance=False)
            self._made[piece] = (states[0], pooled[0])
        return self._made[piece]

    def _move(self, device: str, *, here: bool) -> None:
        for encoder in (self._pipeline.text_encoder, self._pipeline.text_encoder_2):
            encoder.to(device)
        self._here = here
