"""Manifests and catalogue.toml as spreadsheets, editors and people make them: understood, or refused by name."""

import codecs
import json
import unicodedata

import pytest

from resources.store.store import Store
from vivid_assets.catalogue.ledger import live_pictures
from vivid_assets.catalogue.scan import scan
from vivid_assets.catalogue.source import register

# The smallest file that is taken for a picture by its first bytes; a scan decodes none.
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "shoes").mkdir(parents=True)
    for name in ("red.png", "grün.jpg", "shoes/left.jpg"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(root=str(tmp_path / "store"))


def asked(store, folder):
    """The prompt of each picture, and what the scan had to say."""
    found = scan(store, register(store, "c", str(folder)))
    return {row["picture"]: row["prompt"] for row in live_pictures(store, "c-00000")}, found.refused


WANTED = {"red.png": "grey, dark", "grün.jpg": "grün"}

CSV = 'image,prompt\nred.png,"grey, dark"\ngrün.jpg,grün\n'
SEMICOLON = "image;prompt\r\nred.png;grey, dark\r\ngrün.jpg;grün\r\n"
TAB = SEMICOLON.replace(";", "\t")
DECOMPOSED = CSV.replace("grün.jpg", unicodedata.normalize("NFD", "grün.jpg"))
JSON = '{"image": "red.png", "prompt": "grey, dark"}\n{"image": "grün.jpg", "prompt": "grün", "seed": 7}\n'

UNDERSTOOD = {
    "comma": CSV.encode(),
    "semicolon, as Excel writes it in Europe": SEMICOLON.encode(),
    "tab": TAB.encode(),
    "bar": SEMICOLON.replace(";", "|").encode(),
    "Excel's first line": ("sep=;\r\n" + SEMICOLON).encode(),
    "Excel's first line, in capitals": ("SEP=;\n" + SEMICOLON).encode(),
    "Excel's first line, saved again as a cell": ('"sep=,",\n' + CSV).encode(),
    "quoted header": b'"image";"prompt"' + SEMICOLON[len("image;prompt") :].encode(),
    "UTF-8 with its mark": codecs.BOM_UTF8 + CSV.encode(),
    "UTF-16, Excel's Unicode text": TAB.encode("utf-16"),
    "UTF-16 big-endian": codecs.BOM_UTF16_BE + CSV.encode("utf-16-be"),
    "UTF-16 without a mark": CSV.encode("utf-16-le"),
    "decomposed letters, as macOS lists them": DECOMPOSED.encode(),
    "./ and backslashes": CSV.replace("red.png", " ./red.png ").replace("grün.jpg", ".\\grün.jpg").encode(),
    "nameless empty columns": (CSV.replace("\n", ",,\n") + ",,,\n,,,\n").encode(),
    "empty cells beyond the header": (
        "image,prompt\n" + CSV.removeprefix("image,prompt\n").replace("\n", ",\n")
    ).encode(),
    "blank lines before and between": ("\n\n" + CSV.replace("\n", "\r\n\r\n")).encode(),
    "no line break at the end": CSV.rstrip().encode(),
    "old Mac's line breaks": CSV.replace("\n", "\r").encode(),
    "capitals in the header": CSV.replace("image,prompt", "Image,PROMPT").encode(),
}


@pytest.mark.parametrize("data", UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_a_manifest_of_another_making_is_understood_without_a_word(store, folder, data):
    (folder / "manifest.csv").write_bytes(data)
    assert asked(store, folder) == (WANTED, [])


@pytest.mark.parametrize(("name", "text"), [("Manifest.CSV", CSV), ("manifest.TSV", TAB), ("manifest.jsonl", JSON)])
def test_manifests_of_other_names(store, folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    assert asked(store, folder) == (WANTED, [])


def test_windows_1252_is_read_and_said(store, folder):
    (folder / "manifest.csv").write_bytes("image,prompt\ngrün.jpg,grün\n".encode("cp1252"))
    pictures, (note,) = asked(store, folder)
    assert pictures == {"grün.jpg": "grün"}
    assert note.startswith("The manifest manifest.csv is not UTF-8 (line 2) and was read as Windows-1252")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,text\nred.png,grey\n"),
        ("metadata.jsonl", '{"file_name": "red.png", "text": "grey", "objects": {"bbox": [[1, 2, 3, 4]]}}\n'),
    ],
)
def test_an_image_folder_of_hugging_face_has_its_manifest(store, folder, name, text):
    (folder / name).write_text(text)
    pictures, notes = asked(store, folder)
    assert pictures == {"red.png": "grey"}
    assert "The manifest's column 'file_name' is read as 'image'." in notes
    assert "The manifest's column 'text' is read as 'prompt'." in notes


def test_a_metadata_table_of_something_else_is_no_manifest_and_said(store, folder):
    (folder / "metadata.csv").write_text("camera,lens\nx,y\n")
    pictures, (note,) = asked(store, folder)
    assert len(pictures) == 3
    assert "metadata.csv names no pictures" in note


def test_of_two_manifests_the_one_that_is_not_read_is_named(store, folder):
    (folder / "manifest.csv").write_text("image,prompt\nred.png,grey\n")
    (folder / "metadata.csv").write_text("file_name,text\nred.png,blue\n")
    assert asked(store, folder) == (
        {"red.png": "grey"},
        ["'metadata.csv' is not read: 'manifest.csv' is the manifest."],
    )


def test_names_that_are_nearly_right(store, folder):
    (folder / "manifest.csv").write_text(
        "image,prompt\n"
        "RED.png,a\n"
        "SHOES/Left.jpg,a\n"
        f"{folder}/red.png,b\n"
        "/red.png,c\n"
        "pictures/red.png,d\n"
        "left.jpg,e\n"
        "shoes/leff.jpg,f\n"
        "nothing like it.webp,g\n"
        "red.png,h\n"
    )
    pictures, notes = asked(store, folder)
    assert (pictures["red.png"], pictures["shoes/left.jpg"]) == ("h", "a")
    said = {note.split("line for '")[1].split("'")[0]: note for note in notes if "second time" not in note}
    assert "is used for 'shoes/left.jpg', which differs in case" in said["SHOES/Left.jpg"]
    assert "is not a path below the catalogue's folder; did you mean 'red.png'?" in said[f"{folder}/red.png"]
    assert "is not a path below the catalogue's folder; did you mean 'red.png'?" in said["/red.png"]
    assert "not in the folder; did you mean 'red.png'?" in said["pictures/red.png"]
    assert "not in the folder; did you mean 'shoes/left.jpg'?" in said["left.jpg"]
    assert "not in the folder; did you mean 'shoes/left.jpg'?" in said["shoes/leff.jpg"]
    assert said["nothing like it.webp"].endswith("not in the folder.")
    assert "The manifest's line for 'RED.png' is listed a second time (as 'red.png')." in notes


def test_an_unquoted_comma_spoils_its_line_alone_and_by_name(store, folder):
    (folder / "manifest.csv").write_text("image,prompt\nred.png,grey, with comma\nshoes/left.jpg,x\n")
    pictures, (note,) = asked(store, folder)
    assert pictures == {"shoes/left.jpg": "x"}
    assert "line for 'red.png' has more cells than the header: put quotation marks" in note


def test_a_file_that_is_there_and_not_read_is_not_called_missing(store, folder):
    (folder / "shot.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "manifest.csv").write_text("image,prompt\nshot.heic,x\nred.png,y\n")
    pictures, notes = asked(store, folder)
    assert pictures == {"shot.heic": "x", "red.png": "y"}, "its row says what the file is"
    assert not any("not in the folder" in note for note in notes)


def test_a_manifest_cannot_make_pictures_of_backgrounds_and_masks(store, folder):
    for name in ("backgrounds/b.png", "overrides/red.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(PNG)
    (folder / "manifest.csv").write_text("image,prompt\nbackgrounds/b.png,x\nOverrides/red.png,x\nred.png,y\n")
    pictures, notes = asked(store, folder)
    assert pictures == {"red.png": "y"}
    assert sum("in a folder that holds no pictures" in note for note in notes) == 2


def test_names_of_a_manifest_with_digests_cannot_overwrite_each_other(store, folder):
    (folder / "manifest.csv").write_text("image,digest\ncup.jpg,1\ncup.jpg.png,2\nCup.jpg,3\na/b.png,4\na//b.png,5\n")
    pictures, notes = asked(store, folder)
    assert sorted(pictures) == ["Cup.jpg", "a/b.png"]
    assert len(notes) == 3


REFUSED = {
    "a header alone": ("manifest.csv", b"image,prompt\n", "Its manifest.csv has no line below the header"),
    "nothing": ("manifest.csv", b"", "cannot be read: Empty CSV"),
    "no line of JSON": ("manifest.jsonl", b"\n", "no column 'image'"),
    "cut off in a line": ("manifest.csv", b"image,prompt\nred.png,grey\nshoes/left.jp", "cut off in its last line"),
    "cut off in a text": (
        "manifest.csv",
        b'image,prompt\nred.png,"grey\nshoes/left.jpg,x\n',
        "mark that is not closed",
    ),
    "cut off in a letter": ("manifest.csv", b"image,prompt\nred.png,gr\xc3", "cut off in the middle of a character"),
    "JSON cut off": ("manifest.jsonl", b'{"image": "red.png"}\n{"image": "sho', "cut off in its last line"),
    "Parquet cut off": ("manifest.parquet", b"PAR1" + bytes(40), "cannot be read"),
    "no images": ("manifest.csv", b"picture,prompt\nred.png,x\n", "no column 'image', only 'picture', 'prompt': name"),
}


@pytest.mark.parametrize(("name", "data", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_half_a_manifest_changes_nothing_and_says_why(store, folder, name, data, why):
    scan(store, register(store, "c", str(folder)))
    (folder / name).write_bytes(data)
    with pytest.raises(ValueError, match=why):
        asked(store, folder)
    assert len(live_pictures(store, "c-00000")) == 3


def test_json_lines_of_a_stranger(store, folder):
    lines = ["[1]", '{"image": {"a": 1}}', '{"image": "red.png", "prompt": ["x"]}', "[" * 100_000, "nonsense", "null"]
    good = json.dumps({"image": "shoes/left.jpg", "prompt": "line\u2028separator"}, ensure_ascii=False)
    (folder / "manifest.jsonl").write_text("\n".join([*lines, good]) + "\n", encoding="utf-8")
    pictures, notes = asked(store, folder)
    assert pictures == {"shoes/left.jpg": "line\u2028separator"}
    assert sum("is no JSON object of texts and numbers" in note for note in notes) == len(lines)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("catalogue.toml", codecs.BOM_UTF8 + b'prompt = "teal"\r\n[masks]\r\ntiers=["gradients"]\r\n'),
        ("Catalogue.TOML", b'prompt = "teal"\n[masks]\ntiers=["gradients"]\n'),
    ],
)
def test_a_catalogue_file_of_another_editor(store, folder, name, data):
    (folder / name).write_bytes(data)
    assert {*asked(store, folder)[0].values()} == {"teal"}


def test_a_catalogue_file_in_another_encoding_is_named(store, folder):
    (folder / "catalogue.toml").write_bytes('seed = 1\nprompt = "grün"\n'.encode("cp1252"))
    with pytest.raises(ValueError, match=r"catalogue\.toml is not UTF-8 text \(line 2\): save it as UTF-8"):
        asked(store, folder)


def test_two_catalogue_files(store, folder):
    (folder / "catalogue.toml").write_text('prompt = "a"')
    (folder / "Catalogue.toml").write_text('prompt = "b"')
    with pytest.raises(ValueError, match=r"has both catalogue\.toml and Catalogue\.toml"):
        asked(store, folder)


@pytest.mark.parametrize("name", ["manifest.csv", "catalogue.toml"])
def test_what_is_read_beside_pictures_does_not_lead_out(store, folder, name, tmp_path):
    (tmp_path / "passwd").write_text("root:x:0:0\n")
    (folder / name).symlink_to(tmp_path / "passwd")
    with pytest.raises(ValueError, match="leads out") as refusal:
        asked(store, folder)
    assert "x:0:0" not in str(refusal.value)


def test_a_background_that_is_not_there_is_named_with_what_is_meant(store, folder):
    (folder / "backgrounds").mkdir()
    (folder / "backgrounds" / "wall.png").write_bytes(PNG)
    (folder / "manifest.csv").write_text("image,background\nred.png,wall.png\nshoes/left.jpg,.\\shoes\\lefft.jpg\n")
    _, notes = asked(store, folder)
    assert "There is no background 'wall.png' in the folder; did you mean 'backgrounds/wall.png'?" in (notes)
    assert any("'shoes/lefft.jpg' in the folder; did you mean 'shoes/left.jpg'?" in note for note in notes)


@pytest.mark.parametrize("named", ["white", "#ffg"])
def test_a_colour_that_is_none_is_told_how_one_is_written(store, folder, named):
    (folder / "catalogue.toml").write_text(f'[renditions.main]\nbackground = "{named}"\n')
    _, notes = asked(store, folder)
    assert any(repr(named) in note and "written as #ffffff" in note for note in notes)


def test_very_many_names_that_are_nearly_right_are_counted(store, folder):
    lines = "".join(f"missing {number}.jpg,x\n" for number in range(3000))
    (folder / "manifest.csv").write_text(f"image,prompt\nred.png,y\n{lines}")
    _, notes = asked(store, folder)
    assert len(notes) == 51
    assert notes[-1] == "And each of 2,950 more lines names a picture that is not in the folder."


def test_a_catalogue_file_of_any_size_is_not_read(store, folder):
    with (folder / "catalogue.toml").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ValueError, match="is too large for a file of this name"):
        asked(store, folder)


@pytest.mark.parametrize("tail", ["", "x.png,,,,"], ids=["even", "ragged"])
def test_a_cell_is_its_text_also_where_it_looks_like_none(store, folder, tail):
    (folder / "manifest.csv").write_text(f"image,scene,prompt\nred.png,NA,null\nshoes/left.jpg,,\n{tail}\n")
    prompts, _ = asked(store, folder)
    assert prompts["red.png"] == "null"
    seeds = {row["picture"]: row["seed"] for row in live_pictures(store, "c-00000")}
    assert seeds["red.png"] != seeds["shoes/left.jpg"] == 42, "the scene NA has a seed of its own"


def test_whole_numbers_with_decimals_are_whole_and_thousands_are_not_guessed(store, folder):
    lines = ["image;seed", "red.png;42,0", "grün.jpg;7.0", "shoes/left.jpg;1.000"]
    (folder / "manifest.csv").write_text("\n".join(lines))
    _, notes = asked(store, folder)
    assert {row["picture"]: row["seed"] for row in live_pictures(store, "c-00000")} == {"red.png": 42, "grün.jpg": 7}
    assert notes == ["The manifest's line for 'shoes/left.jpg' has a seed that is no whole number."]


def test_lines_of_spaces_are_no_lines(store, folder):
    (folder / "manifest.csv").write_text("image;prompt\nred.png;x\n ; \n  \n\t;\n")
    assert asked(store, folder) == ({"red.png": "x"}, [])


@pytest.mark.parametrize(
    "name",
    ["catalog.toml", "catalogue.toml.txt", "Catalogue.yaml", "manifest.csv.txt", "Manifest (1).csv", "manifest.xlsx"],
)
def test_a_file_that_is_nearly_named_as_one_that_is_read_is_named(store, folder, name):
    (folder / name).write_text("image,prompt\nred.png,x\n")
    prompts, notes = asked(store, folder)
    assert len(prompts) == 3
    (note,) = [note for note in notes if "is not read" in note]
    assert repr(name) in note and ("catalogue.toml" if name[0] in "cC" else "manifest.csv") in note


def test_beside_what_is_read_other_versions_of_it_are_nobodys_business(store, folder):
    for name in ("manifest.csv", "manifest-old.csv", "manifests.txt"):
        (folder / name).write_text("image,prompt\nred.png,x\n")
    assert asked(store, folder) == ({"red.png": "x"}, [])


@pytest.mark.parametrize(("name", "meant"), [("override", "overrides"), ("Background", "backgrounds")])
def test_a_folder_that_is_nearly_named_as_one_of_no_pictures_is_named(store, folder, name, meant):
    (folder / name).mkdir()
    (folder / name / "red.png").write_bytes(PNG)
    prompts, notes = asked(store, folder)
    assert f"{name}/red.png" in prompts
    assert notes == [f"The folder {name!r} contains pictures of the catalogue; did you mean {meant!r}?"]


def test_very_many_backgrounds_that_are_not_there_are_counted(store, folder):
    lines = [f"red{number}.png,wall{number}.jpg" for number in range(200)]
    (folder / "manifest.csv").write_text("\n".join(["image,background", "red.png,", *lines]))
    _, notes = asked(store, folder)
    named = [note for note in notes if "background" in note]
    assert len(named) == 51 and named[-1] == "150 more backgrounds cannot be found."
