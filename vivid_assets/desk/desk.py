"""What the review desk does, without its web server: the pictures of a catalogue, and what people say of them."""

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from resources.errors import MachineFault
from resources.spelling import counted
from resources.store.store import Store
from vivid_assets.assets.composites import COMPOSITES
from vivid_assets.assets.masks import MASKS
from vivid_assets.assets.prepared_images import PREPARED_IMAGES
from vivid_assets.assets.review import REVIEW
from vivid_assets.catalogue.identity import is_clip
from vivid_assets.catalogue.ledger import live_pictures, places_of, shards_of
from vivid_assets.catalogue.scan import catalogue_settings, scan
from vivid_assets.catalogue.source import find
from vivid_assets.catalogue.wishes import (
    Judged,
    Wish,
    keep_judged,
    keep_mask,
    keep_wish,
    one_at_a_time,
    read_judged,
    read_kept_mask,
    read_wishes,
)
from vivid_assets.imaging.io.codec import decode, encode
from vivid_assets.imaging.io.mask_files import encode_mask
from vivid_assets.imaging.io.read_mask import read_mask
from vivid_assets.review.judgements import Label, keep, take_back
from vivid_assets.review.look import FINE
from vivid_assets.review.page import OF_CLIPS
from vivid_assets.review.share import shared_out
from vivid_assets.rows.stage import OK, name_of
from vivid_assets.rows.tables import read_columns, read_rows, read_value
from vivid_assets.settings import LONGEST_TEXT, SettingsFile, tier_name
from vivid_assets.stages.masks import tiers_of
from vivid_assets.stages.out_of_date import STALE, WAITING, ask_for, standings, updates

SHOWN = 400
"""Pictures on a page."""
LARGEST_MASK = 64 << 20
RIGHT, WRONG = "right", "wrong"
_SMALL = ("before", "mask", "edges", "after")
_COUNTED = ("key", "rank", "why", "verdict", "right")
_PLAIN = ("rank", "key", "outcome", "why", "tier", "verdict", "reason", "leakage", "generator", "prompt")
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


@dataclass(frozen=True)
class Counts:
    """A catalogue's pictures, or their renditions, that have been made."""

    pictures: int
    to_look_at: int
    flagged: int
    accepted: int


@dataclass(frozen=True)
class Judgement:
    """What somebody says of a row of the review, and what the page showed of it."""

    picture: str
    name: str
    """The row's: the picture, or one of its renditions."""
    said: str
    """``right``, ``wrong``, or nothing, which takes back what was said."""
    key: str
    """The row's, as it was shown."""
    seen: str = ""
    """What was shown as said of it."""


class Overtaken(ValueError):
    """Somebody else has judged the picture meanwhile, or it has been made again."""


class Desk:
    """One store's desk."""

    def __init__(self, store: Store, settings: SettingsFile) -> None:
        self.store, self.settings = store, settings

    def entries(self, catalogue: str, after: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The pictures of a page, what needs review first, from the ``after``-th on; and how many there are.

        Raises:
            ValueError: there is no such catalogue.
        """
        find(self.store, catalogue)
        judged, wishes, share = (
            read_judged(self.store, catalogue),
            read_wishes(self.store, catalogue),
            self._share(catalogue),
        )
        shards = shards_of(self.store, catalogue)
        rows = [row for shard in shards for row in shared_out([*self._reviewed(shard)], share)]
        rows.sort(key=lambda row: (row["rank"], 1.0 if row["right"] is None else row["right"], row["name"]))
        return [_entry(catalogue, row, judged, wishes) for row in rows[after : after + SHOWN]], len(rows)

    def counts(self, catalogue: str) -> Counts:
        """How many of a catalogue's pictures, or of their renditions, there are to look at and were judged."""
        judged, share = read_judged(self.store, catalogue), self._share(catalogue)
        total = look = flagged = accepted = 0
        for shard in shards_of(self.store, catalogue):
            live = {one["picture"] for one in live_pictures(self.store, shard)}
            rows = read_columns(self.store, REVIEW, shard, _COUNTED)
            rows = [row for row in rows if row["picture"] in live]
            total += len(rows)
            look += sum(row["rank"] != FINE for row in shared_out(rows, share))
            # What was made anew since has not been looked at.
            said = [one.is_right for row in rows if (one := judged.get(name_of(row))) and one.key == row["key"]]
            accepted, flagged = accepted + sum(said), flagged + len(said) - sum(said)
        return Counts(total, look, flagged, accepted)

    def _share(self, catalogue: str) -> float | None:
        """Which share of the pictures is to be looked at."""
        return self.settings.read(catalogue_settings(self.store, catalogue)).review.review_share

    def entry(self, catalogue: str, picture: str, name: str) -> dict[str, Any]:
        """The review's row of that name, as it is now. Raises FileNotFoundError."""
        for row in self._reviewed(self._shard(catalogue, picture)):
            if row["name"] == name:
                return _entry(catalogue, row, read_judged(self.store, catalogue), read_wishes(self.store, catalogue))
        raise FileNotFoundError(f"{name!r} has not been reviewed yet.")

    def _reviewed(self, shard: str) -> Iterator[dict[str, Any]]:
        """The shard's rows of the review, of pictures that it has now; of small pictures whether they are there."""
        live = {one["picture"] for one in live_pictures(self.store, shard)}
        for name, row in read_rows(self.store, REVIEW, shard, only_whether=_SMALL).items():
            if row["picture"] in live and row["status"] == OK:
                size = f"{row['source_width']} × {row['source_height']}" if row["source_width"] else None
                yield {**row, "name": name, "size": size}

    def small(self, catalogue: str, picture: str, name: str, part: str) -> bytes:
        """A small picture (WebP) of the review's row of that name. Raises FileNotFoundError."""
        shard = self._shard(catalogue, picture)
        found: bytes | None = read_value(self.store, REVIEW, shard, picture, name, part) if part in _SMALL else None
        if not found:
            raise FileNotFoundError(part)
        return found

    def full(self, catalogue: str, picture: str, name: str, part: str) -> tuple[bytes, str]:
        """A picture at its full size and its type. Raises FileNotFoundError, ValueError or MachineFault."""
        shard = self._shard(catalogue, picture)
        if part == "before":
            (asked,) = (one for one in live_pictures(self.store, shard) if one["picture"] == picture)
            if is_clip(asked["content"]):
                still = read_rows(self.store, PREPARED_IMAGES, shard).get(picture, {}).get("file")
                return self._shown(still, part)
            pixels = round(self.settings.read().prepared_images.max_megapixels * 1e6)
            data = find(self.store, catalogue).read(picture, asked["content"])
            # Encoded anew: what a stranger's file holds besides pixels is not shown to a browser.
            return encode(decode(data, max_pixels=pixels).rgb, format="jpeg", quality=92), "image/jpeg"
        if part == "own" and (own := read_wishes(self.store, catalogue).get(picture, Wish()).mask):
            return encode_mask(read_mask(read_kept_mask(self.store, catalogue, own)).values), "image/png"
        # A mask is the picture's, a composite that of one rendition.
        stage, row = {"mask": (MASKS, picture), "after": (COMPOSITES, name)}.get(part, (None, ""))
        found = read_rows(self.store, stage, shard).get(row, {}) if stage else {}
        return self._shown(found.get("still_file") or found.get("file"), part)

    def _shown(self, file: str | None, part: str) -> tuple[bytes, str]:
        if not file:
            raise FileNotFoundError(part)
        data = self.store.read(file)
        kind = next((kind for head, kind in _TYPES.items() if data.startswith(head)), None)
        return (data, kind) if kind else (encode(decode(data).rgb, format="jpeg", quality=92), "image/jpeg")

    def judge(self, catalogue: str, judgement: Judgement) -> None:
        """Record what somebody says of a row of the review.

        Raises:
            ValueError: it is no judgement, it is not said of which row's key, or the row is not there.
            Overtaken: somebody else said something else meanwhile, or the picture has been made again. Nothing is
                recorded: nobody's word is written over by one who has not seen it.

        """
        said, name = judgement.said, judgement.name
        if said not in (RIGHT, WRONG, ""):
            raise ValueError(f"A judgement is {RIGHT}, {WRONG} or nothing, and not {said!r}.")
        if not judgement.key:
            # From a page of an earlier version, or from a script.
            raise ValueError(f"It is not known which mask of {name} was shown. Reload the page and judge it there.")
        shard = self._shard(catalogue, judgement.picture)
        with one_at_a_time(self.store, catalogue):
            # Read only now: a run may have ended while others were waited for.
            rows = read_rows(self.store, REVIEW, shard, only_whether=_SMALL)
            row = rows.get(name)
            if row is None:
                raise ValueError(f"{name!r} has not been reviewed yet.")
            if row["key"] != judgement.key:
                raise Overtaken(f"{name} has been made again meanwhile. Look at it as it is now.")
            known = read_judged(self.store, catalogue)
            before = _said_of(row, known.get(name))
            if before not in (said, judgement.seen):
                what = f"said that {name} is {before}" if before else f"took back what was said of {name}"
                raise Overtaken(f"Somebody else {what}, meanwhile. Judge it once more if you do not agree.")
            # The label first: should this be the last moment of the machine, the page shows what is not recorded yet.
            if row["right"] is not None:
                others = {
                    _said_of(one, known.get(other))
                    for other, one in rows.items()
                    if other != name and (one["picture"], one["right"]) == (judgement.picture, row["right"])
                }
                self._label(catalogue, judgement, row["right"], others - {""})
            keep_judged(self.store, catalogue, name, Judged(row["key"], said == RIGHT) if said else None)

    def _label(self, catalogue: str, judgement: Judgement, right: float, others: Collection[str]) -> None:
        """Keep or take back the label: the mask's, of which the later word on any of its renditions holds.

        Args:
            catalogue: the picture's.
            judgement: what is said.
            right: the mask's estimate, 0..1.
            others: what holds of the picture's other renditions.

        """
        words = {judgement.said} if judgement.said else {*others}
        if not words:
            take_back(self.store, catalogue, judgement.picture, right)
        elif len(words) == 1:
            keep(self.store, catalogue, [Label(judgement.picture, words == {RIGHT}, right)])
        # Both are said of others, and which of them is the later is not known: the label stays.

    def wish(self, catalogue: str, picture: str, asked: Mapping[str, str]) -> Wish:
        """Ask for a ``tier``, ``prompt`` or ``background`` of a picture; what is not named stays. Raises ValueError."""
        self._shard(catalogue, picture)
        changes = {name: text.strip() for name, text in asked.items()}
        if changes.get("tier"):
            tier = changes["tier"] = tier_name(changes["tier"])
            known = self.tiers(catalogue)
            if tier not in known:
                there = ", ".join(known)
                raise ValueError(
                    f"The tier {tier} is not among those of {catalogue}: {there}. Others are for whoever keeps "
                    "vivid.toml to add to tiers in [masks], which makes all masks anew."
                )
            if known[tier]:
                raise ValueError(f"The tier {tier} is not installed: {known[tier]}")
        if any(len(text) > LONGEST_TEXT for text in asked.values()):
            raise ValueError(f"A prompt or background has at most {LONGEST_TEXT} characters.")
        with one_at_a_time(self.store, catalogue):
            return self._asked(catalogue, picture, changes)

    def _asked(self, catalogue: str, picture: str, changes: Mapping[str, str]) -> Wish:
        """What is asked for the picture once these entries have changed. Within ``one_at_a_time``."""
        before = read_wishes(self.store, catalogue).get(picture, Wish())
        wish = replace(before, **changes)
        keep_wish(self.store, catalogue, picture, wish)
        return wish

    def tiers(self, catalogue: str) -> dict[str, str]:
        """The mask tiers of the catalogue's settings, and why one cannot be asked for; empty if it can."""
        return tiers_of(self.store, self.settings.read(catalogue_settings(self.store, catalogue)))

    def mask(self, catalogue: str, picture: str, data: bytes) -> Wish:
        """Ask for a mask of a person's, white on black; an empty one takes it back. Raises ValueError."""
        shard = self._shard(catalogue, picture)
        if any(one["picture"] == picture and is_clip(one["content"]) for one in live_pictures(self.store, shard)):
            raise ValueError("A clip takes no mask.")
        if len(data) > LARGEST_MASK:
            raise ValueError(f"A mask has at most {LARGEST_MASK >> 20} MB.")
        if data:
            read_mask(data)
        with one_at_a_time(self.store, catalogue):
            digest = keep_mask(self.store, catalogue, data) if data else ""
            return self._asked(catalogue, picture, {"mask": digest})

    def launch(self, catalogue: str) -> tuple[int, str]:
        """Have the pictures run for which something is asked; the runs, and a sentence. Raises ValueError."""
        scan(self.store, find(self.store, catalogue))
        asked = places_of(self.store, catalogue, read_wishes(self.store, catalogue))
        shards = {shard for places in asked.values() for shard in places}
        found = updates(standings(self.store, catalogue, self.settings), (STALE, WAITING))
        wanted = [one for one in found if one.shard in shards]
        if not wanted:
            return 0, "Nothing has changed: every picture is as it was asked for."
        ask_for(self.store, f"desk-{uuid.uuid4().hex}", wanted)
        return len(wanted), f"{counted(len(wanted), 'run')} requested; only pictures that changed are computed."

    def _shard(self, catalogue: str, picture: str) -> str:
        find(self.store, catalogue)
        try:
            (shard,) = places_of(self.store, catalogue, [picture])[picture]
        except (KeyError, MachineFault) as error:
            raise FileNotFoundError(f"There is no picture {picture!r} in {catalogue}.") from error
        return shard


def _entry(
    catalogue: str, row: Mapping[str, Any], judged: Mapping[str, Judged], wishes: Mapping[str, Wish]
) -> dict[str, Any]:
    """A row as the page's script sees it, with addresses in place of pictures."""
    name, picture = row["name"], row["picture"]
    entry = {key: row[key] for key in (*_PLAIN, "right", "edge_right", *OF_CLIPS, "size")} | {
        "name": name,
        "picture": picture,
    }
    asked = f"?picture={quote(picture, safe='')}&name={quote(name, safe='')}&key={row['key']}"
    for part in _SMALL:
        entry[part] = f"/{catalogue}/small/{part}{asked}" if row[part] else None
    entry["full"] = {part: f"/{catalogue}/full/{part}{asked}" for part in ("before", "mask", "after") if row[part]}
    entry["href"] = entry["full"].get("after")
    entry["override"] = None
    entry["judged"] = _said_of(row, judged.get(name))
    entry["wish"] = as_entry(wishes.get(picture, Wish()))
    return entry


def _said_of(row: Mapping[str, Any], said: Judged | None) -> str:
    """What was said of the review's row as it is now."""
    return (RIGHT if said.is_right else WRONG) if said and said.key == row["key"] else ""


def as_entry(wish: Wish) -> dict[str, Any]:
    """What is asked for a picture, as the page's script sees it."""
    return {"tier": wish.tier, "prompt": wish.prompt, "background": wish.background, "mask": wish.mask}
