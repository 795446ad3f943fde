"""Makes the screenshots of docs/operating.md: the demo catalogue, a live Dagster, and Chromium.

python docs/make_screenshots.py [names …]       (Chromium must be installed; names such as graph review)
"""

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from vivid_assets.demo.catalogue import write_demo_catalogue

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1360, "height": 800}
SHARD = "demo-00000"
DESK_PORT = 3091
# Their licences do not clearly allow showing them here.
LEFT_OUT = {"cameraman.png"}

BIN = Path(sys.executable).parent


def write_catalogue(folder: Path) -> None:
    """The demo's pictures, and one that never fully arrived."""
    write_demo_catalogue(folder)
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as table:
        lines = [line for line in csv.DictReader(table) if line["image"] not in LEFT_OUT]
    for name in LEFT_OUT:
        (folder / name).unlink(missing_ok=True)
    whole = (folder / "cartoon-owl.png").read_bytes()
    (folder / "half-an-upload.png").write_bytes(whole[: len(whole) // 2])
    lines.append({"image": "half-an-upload.png", "prompt": "", "negative_prompt": "", "seed": ""})
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, lines[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit(f"{url} did not answer within two minutes")


def location(url: str) -> str:
    """The code location's name, once it has loaded."""
    query = "{repositoriesOrError{...on RepositoryConnection{nodes{location{name}}}}}"
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    for _ in range(120):
        with urllib.request.urlopen(request, timeout=30) as answer:
            nodes = json.load(answer)["data"]["repositoriesOrError"].get("nodes")
        if nodes:
            return str(nodes[0]["location"]["name"])
        time.sleep(1)
    raise SystemExit("The code location did not load within two minutes")


def graph(page: Page, url: str, _store: Path) -> None:
    page.goto(f"{url}/locations/{location(url)}/asset-groups/vivid")
    page.get_by_text("composites", exact=True).first.wait_for(timeout=60_000)
    page.wait_for_timeout(2000)
    page.locator("[aria-label='zoom_out']").first.click()
    page.wait_for_timeout(2000)


def partition(page: Page, url: str, _store: Path) -> None:
    page.goto(f"{url}/assets/vivid/masks?view=partitions&partition={SHARD}")
    page.get_by_text("computed", exact=True).first.wait_for(timeout=60_000)
    page.wait_for_timeout(2000)


def checks(page: Page, url: str, _store: Path) -> None:
    page.goto(f"{url}/assets/vivid/prepared_images?view=checks")
    page.get_by_text("complete").first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)


def review_asset(page: Page, url: str, _store: Path) -> None:
    page.goto(f"{url}/assets/vivid/review?view=partitions&partition={SHARD}")
    show_sheet(page)


def morning(page: Page, url: str, _store: Path) -> None:
    page.goto(f"{url}/assets/vivid/catalogues?view=checks")
    page.get_by_text("prepared_images_up_to_date").first.click(timeout=60_000)
    page.get_by_text("demo: 1 failed").first.wait_for(timeout=60_000)
    page.wait_for_timeout(2000)


def desk(page: Page, _url: str, _store: Path) -> None:
    page.goto(f"http://localhost:{DESK_PORT}/demo")
    choose(page, "fur-ball.png")
    page.wait_for_timeout(1500)


def desk_drawing(page: Page, url: str, store: Path) -> None:
    desk(page, url, store)
    page.keyboard.press("d")
    page.locator("#draw[open]").wait_for(timeout=60_000)
    page.wait_for_timeout(500)
    page.mouse.move(540, 560)
    page.mouse.down()
    page.mouse.move(620, 610, steps=8)
    page.mouse.up()


def review(page: Page, _url: str, store: Path) -> None:
    page.goto((store / "review" / f"{SHARD}.html").as_uri())
    choose(page, "potted-plant.png")


def review_three(page: Page, _url: str, store: Path) -> None:
    page.goto((store / "review" / f"{SHARD}.html").as_uri())
    choose(page, "astronaut.png")
    page.keyboard.press("3")
    page.keyboard.press("f")
    page.wait_for_timeout(500)


def review_list(page: Page, _url: str, store: Path) -> None:
    review_three(page, _url, store)
    page.keyboard.press("x")
    page.wait_for_timeout(500)


def launchpad(page: Page, url: str, _store: Path) -> None:
    config = quote("ops:\n  vivid_scan_folder:\n    config:\n      name: demo\n")
    page.goto(f"{url}/locations/{location(url)}/jobs/vivid_scan_catalogue/playground/setup?config={config}")
    page.get_by_role("button", name="Launch run").wait_for(timeout=60_000)
    page.wait_for_timeout(2000)


def renditions(page: Page, url: str, store: Path) -> None:
    """Two renditions, added to the demo as the guide says."""
    declared = store.parent / "catalogue" / "catalogue.toml"
    with declared.open("a") as file:
        file.write('\n[renditions.main]\npreset = "square-white"\n[renditions.cut]\npreset = "cut-out"\n')
    launchpad(page, url, store)
    page.get_by_role("button", name="Launch run").click()
    made = store / "composites" / "demo" / "cut"
    for _ in range(600):
        if made.exists() and len([*made.iterdir()]) >= len([*(store / "composites" / "demo" / "main").iterdir()]):
            break
        time.sleep(1)
    page.goto(f"{url}/assets/vivid/composites?view=partitions&partition={SHARD}")
    page.get_by_text("renditions", exact=True).first.wait_for(timeout=60_000)
    page.wait_for_timeout(2000)


def show_sheet(page: Page) -> None:
    page.get_by_text("Show Markdown").first.click(timeout=60_000)
    page.locator("img[src^='data:image/webp']").first.wait_for(timeout=60_000)
    page.wait_for_timeout(1500)


def choose(page: Page, name: str) -> None:
    page.locator(f".tile[title='{name}']").click()
    page.wait_for_timeout(500)


SHOTS: dict[str, Callable[[Page, str, Path], None]] = {
    function.__name__: function
    for function in (
        graph,
        morning,
        partition,
        checks,
        review_asset,
        review,
        review_three,
        review_list,
        desk,
        desk_drawing,
        launchpad,
        renditions,
    )
}


def save(picture: Path, target: Path) -> None:
    """As a PNG of 256 colours, half the size."""
    shot = Image.open(picture).convert("RGB")
    # Pillow dithers only to a palette that it is given.
    shot.quantize(256, palette=shot.quantize(256), dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)
    print(f"{target} {target.stat().st_size // 1024} KB")


def main(names: list[str]) -> None:
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory(prefix="vivid-docs-") as root:
        folder, store = Path(root) / "catalogue", Path(root) / "store"
        write_catalogue(folder)
        environment: dict[str, Any] = os.environ | {"VIVID_STORE": str(store), "DAGSTER_HOME": str(store / "dagster")}
        for command in (["add", "demo", str(folder)], ["run", "demo"]):
            subprocess.run([BIN / "vivid", "catalogue", *command], env=environment, cwd=root, check=True)
        port = free_port()
        command = [str(BIN / "vivid"), "ui", "--store", str(store), "--port", str(port), "--desk-port", str(DESK_PORT)]
        server = subprocess.Popen(command, env=environment, cwd=root, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/server_info")
            location(url)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
                for name in names or SHOTS:
                    # Dagster's content security policy forbids what Playwright's waiting evaluates.
                    page = browser.new_page(viewport=SIZE, bypass_csp=True)
                    SHOTS[name](page, url, store)
                    page.screenshot(path=Path(root) / "shot.png")
                    page.close()
                    save(Path(root) / "shot.png", IMAGES / f"ui_{name}.png")
                browser.close()
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
