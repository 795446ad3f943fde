"""``vivid desk``: the review desk on a store."""

import secrets
from contextlib import suppress
from typing import Annotated

import typer

from vivid_assets.cli.console import say
from vivid_assets.cli.home import DEFAULT_STORE, StoreOption, open_store, settings_file
from vivid_assets.cli.servers import listen

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def desk_command(
    store: StoreOption = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this machine with a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(max=65535, help="Port of the desk.")] = 3001,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Further names that it answers under.", show_default=False),
    ] = None,
    token: Annotated[
        str, typer.Option(envvar="VIVID_DESK_TOKEN", help="Token that people need; one is made beyond this machine.")
    ] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Show everything, change nothing.")] = False,
) -> None:
    """Start the review desk: look through a catalogue, judge masks, and have single pictures made again.

    It listens on this machine alone unless `--host` says otherwise. TLS is a proxy's: give its name with `--name`.

    Example: `vivid desk --store ./vivid_store`
    """
    import uvicorn

    from vivid_assets.desk.app import desk_app
    from vivid_assets.desk.desk import Desk

    opened = open_store(store, to_write=not read_only)
    if host not in _LOOPBACK and not token:
        token = secrets.token_urlsafe(24)
    app = desk_app(
        Desk(opened, settings_file(opened)), hosts={*_LOOPBACK, host, *(name or [])}, token=token, read_only=read_only
    )
    listening = listen(host, port, "--port")
    say(
        f"Review desk: http://{host if host not in ('0.0.0.0', '::') else 'localhost'}:{port}/"
        + (f"?token={token}" if token else "")
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run(sockets=[listening])
