"""What a stranger may put into a catalogue's folder and manifest: each is refused by name, and the rest goes on.

Hostile picture files are in tests/imaging/io/test_hostile_files.py; docs/hostile_input.md has the whole list.
"""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.names import collisions, why_refused
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(b"good")
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path / "store"))


def scanned(store, folder):
    """The pictures that are taken, and the sentences about those that are not."""
    found = scan(store, register(store, "c", str(folder)))
    return [row["picture"] for row in live_pictures(store, "c-00000")], found.refused


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("line\nbreak.jpg", "control characters"),
        ("\x1b[2Jclear.jpg", "control characters"),
        ("gpj.\u202eexe.jpg", "control characters"),
        (b"not utf-8 \xff.jpg".decode("utf-8", "surrogateescape"), "control characters"),
        ("con.jpg", "device on Windows"),
        ("x/NUL/a.jpg", "device on Windows"),
        ("Aux.tar.jpg", "device on Windows"),
        ("LPT1.jpg", "device on Windows"),
        ("trailing./a.jpg", "ends with a dot or space"),
        ("trailing /a.jpg", "ends with a dot or space"),
        (" leading.jpg", "starts with a space"),
        ("a:stream.jpg", "not a path below"),
        ("<img src=x onerror=alert(1)>.jpg", "other systems do not allow"),
        ('quote".jpg', "other systems do not allow"),
        ("back\\slash.jpg", "other systems do not allow"),
        ("what?.jpg", "other systems do not allow"),
        ("=1+1.jpg", "formula"),
        ("@SUM(A1).jpg", "formula"),
        ("-2+3|calc.jpg", "formula|do not allow"),
        ("é" * 110 + ".jpg", "200 bytes"),
    ],
)
def test_a_name_that_cannot_be_kept_everywhere_is_refused(store, folder, name, why):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    taken, (sentence,) = scanned(store, folder)
    assert taken == ["good.jpg"]
    assert repr(name) in sentence
    assert sentence.endswith(": rename it.")
    assert why_refused(name) in sentence
    assert any(part in sentence for part in why.split("|"))


@pytest.mark.parametrize(
    "name", ["console.jpg", "a.b.c.jpg", "-5 % off.jpg", "Grüße, 日本.jpg", "it's (1) [x].jpg", "c/con1.jpg"]
)
def test_ordinary_names_pass(name):
    assert why_refused(name) is None


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (["A.jpg", "a.jpg"], {"a.jpg": "A.jpg"}),
        (["Shoes/a.jpg", "shoes/a.jpg"], {"shoes/a.jpg": "Shoes/a.jpg"}),
        (["e\u0301.jpg", "\u00e9.jpg"], {"\u00e9.jpg": "e\u0301.jpg"}),
        (["cup.jpg", "cup.jpg.png"], {"cup.jpg.png": "cup.jpg"}),
        (["cup", "cup.jpg/front.jpg"], {"cup": "cup.jpg/front.jpg"}),
        (["cup.JPG", "cup.jpg/a/front.jpg"], {"cup.JPG": "cup.jpg/a/front.jpg"}),
        (["a/cup.jpg", "a/cup.jpg.webp/front.jpg"], {"a/cup.jpg": "a/cup.jpg.webp/front.jpg"}),
        (["cup.jpg", "cup.png", "cup/front.jpg"], {}),
        (["a.jpg", "a.png", "a.b.jpg", "b/a.jpg"], {}),
    ],
)
def test_names_whose_results_would_overwrite_each_other(names, refused):
    assert collisions(names) == refused


def test_of_two_names_that_collide_one_is_taken_and_the_other_said(store, folder):
    (folder / "GOOD.jpg").write_bytes(b"other")
    (folder / "good.jpg.png").write_bytes(b"another")
    taken, refused = scanned(store, folder)
    assert taken == ["GOOD.jpg"]
    assert sorted(refused) == [
        "'good.jpg' and 'GOOD.jpg' would overwrite each other's results: rename one.",
        "'good.jpg.png' and 'GOOD.jpg' would overwrite each other's results: rename one.",
    ]


def test_links_pipes_and_folders_in_the_place_of_pictures(store, folder, tmp_path):
    """A pipe that is opened to be read is waited for without end: this test would hang."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (folder / "out.jpg").symlink_to(outside / "secret.jpg")
    (folder / "folder.jpg").symlink_to(folder)
    (folder / "linked").symlink_to(outside)
    (folder / "nothing.jpg").symlink_to("nowhere.jpg")
    (folder / "inside.jpg").symlink_to("good.jpg")
    os.mkfifo(folder / "pipe.jpg")
    os.mkfifo(folder / "wall.png")
    (folder / "backgrounds").mkdir()
    os.mkfifo(folder / "backgrounds" / "pipe.png")
    taken, refused = scanned(store, folder)
    assert taken == ["good.jpg", "inside.jpg"]
    assert {sentence.split("'")[1] for sentence in refused} >= {"out.jpg", "folder.jpg", "nothing.jpg", "pipe.jpg"}


def test_a_link_whose_target_changed_is_a_changed_picture(store, folder):
    (folder / "link.jpg").symlink_to("good.jpg")
    scanned(store, folder)
    (folder / "good.jpg").write_bytes(b"gone")
    os.utime(folder / "good.jpg", (1e9, 1e9))
    assert scan(store, register(store, "c", str(folder))).assignment.changed == 2


def test_what_became_a_link_after_the_scan_is_not_followed(store, folder, tmp_path):
    catalogue = register(store, "c", str(folder))
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "good.jpg").unlink()
    (folder / "good.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(ValueError, match="leads out of the catalogue's folder"):
        catalogue.read("good.jpg", "unreadable:")


def test_a_file_too_large_to_be_a_picture_is_not_read(store, folder):
    with (folder / "huge.jpg").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(ValueError, match=r"over the limit of 1\.1 GB"):
        register(store, "c", str(folder)).read("huge.jpg", "unreadable:")


LINES = [
    ("/etc/passwd", "", "not a path below"),
    ("C:\\pictures\\a.jpg", "", "not a path below"),
    ("~/a.jpg", "", "not a path below"),
    ("http://169.254.169.254/latest/meta-data/", "", "not a path below"),
    ("simplecache::http://169.254.169.254/a.jpg", "", "not a path below"),
    ("file:///etc/passwd", "", "not a path below"),
    ("../secret.jpg", "", "leads out"),
    ("a/../../secret.jpg", "", "leads out"),
    ("nul.jpg", "", "device on Windows"),
    ("=cmd.jpg", "", "formula"),
    ("good.jpg", '=HYPERLINK("http://evil")', "formula"),
    ("good.jpg", "@SUM(1+1)*cmd|' /C calc'!A0", "formula"),
    ("good.jpg", "-2+3+cmd|' /C calc'!D2", "formula"),
    ("good.jpg", "red\x1b]0;title\x07", "control character"),
    ("good.jpg", "red\u202egnp", "control character"),
    ("good.jpg", "x" * 1_000_000, "over 10,000 characters"),
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(("image", "prompt", "why"), LINES, ids=[why + " " + image[:12] for image, _, why in LINES])
def test_a_manifest_line_is_refused_alone_and_by_name(store, folder, image, prompt, why, kind):
    (folder / "other.jpg").write_bytes(b"other")
    table = pa.table({"image": ["other.jpg", image], "prompt": ["grey - with\na second line, 10 % off", prompt]})
    if kind == "csv":
        pa.csv.write_csv(table, folder / "manifest.csv")
    else:
        pq.write_table(table, folder / "manifest.parquet")
    taken, (sentence,) = scanned(store, folder)
    assert taken == ["other.jpg"]
    assert repr(image) in sentence
    assert why in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("background", "../wall.png", "a background that leads out"),
        ("background", "http://169.254.169.254/x.png", "a background that is not a path"),
        ("background", "/etc/passwd", "a background that is not a path"),
        ("tier", "birefnet; rm -rf /", "an unknown tier"),
        ("box", "1,2,3", "not 'left,top,right,bottom'"),
        ("seed", "-1", "no whole number"),
        ("seed", "1.5", "no whole number"),
        ("seed", "9" * 30, "no whole number"),
        ("scene", "=1+1", "a scene that starts like a formula"),
    ],
)
def test_other_cells_of_a_manifest(store, folder, column, value, why):
    (folder / "manifest.csv").write_text(f'image,{column}\ngood.jpg,"{value}"\nother.jpg,\n')
    (folder / "other.jpg").write_bytes(b"other")
    taken, (sentence,) = scanned(store, folder)
    assert taken == ["other.jpg"]
    assert why in sentence


def test_a_background_that_is_a_link_out_of_the_folder_is_not_read(store, folder, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "wall.png").symlink_to(tmp_path / "secret.png")
    (folder / "manifest.csv").write_text("image,background\ngood.jpg,wall.png\n")
    scanned(store, folder)
    assert live_pictures(store, "c-00000")[0]["background_content"] == "missing"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"image,image\na.jpg,b.jpg\n", "more than one column 'image'"),
        (b"image,prompt\ngood.jpg,\x81\x8d\n", r"not UTF-8 text \(line 2\): save it as UTF-8"),
        (b"image,prompt\ngood.jpg,gr\xc3", "cut off in the middle of a character"),
        ("image,prompt\ngood.jpg,red\n".encode("utf-16")[:-1], "cut off in the middle of a character"),
        (b"name\nx\n", "no column 'image'"),
        (b"PAR1 no table", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_said_in_a_sentence(store, folder, data, why):
    (folder / "manifest.csv").write_bytes(data)
    with pytest.raises(ValueError, match=why):
        scanned(store, folder)


def test_a_parquet_manifest_of_nested_or_damaged_columns(store, folder):
    pq.write_table(pa.table({"image": ["good.jpg"], "prompt": [[{"a": 1}]]}), folder / "manifest.parquet")
    with pytest.raises(ValueError, match="neither UTF-8 text"):
        scanned(store, folder)
    (folder / "manifest.parquet").write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")
    with pytest.raises(ValueError, match="cannot be read"):
        scanned(store, folder)


@pytest.mark.parametrize("entry", ['manifest = "/etc/passwd"', 'manifest = "../m.csv"', 'background_folder = "../.."'])
def test_the_catalogues_own_file_cannot_lead_out_of_its_folder(store, folder, entry):
    (folder / "catalogue.toml").write_text(entry)
    with pytest.raises(ValueError, match=r"catalogue\.toml: (manifest|background_folder)"):
        scanned(store, folder)


def test_a_prompt_of_a_megabyte_in_the_catalogues_file(store, folder):
    (folder / "catalogue.toml").write_text(f'prompt = "{"x" * 1_000_000}"')
    with pytest.raises(ValueError, match=r"prompt: String should have at most 10000 characters"):
        scanned(store, folder)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/", "https://localhost/x", "data:text/plain,x"])
def test_a_web_address_is_no_catalogue(store, url):
    with pytest.raises(ValueError, match="no folder"):
        register(store, "c", url)
