"""`operator serve`: run the daemon here."""

import gc
from pathlib import Path
from typing import Annotated, Literal

from attrs import evolve
from cyclopts import Parameter

from clients.cli.options import CliError
from supervisor import configfile


def serve(
    *,
    config: Annotated[Path | None, Parameter(help="The operator.toml to use.")] = None,
    port: Annotated[int | None, Parameter(help="Port of the REST API; 0 picks a free one and keeps it.")] = None,
    stream_port: Annotated[int | None, Parameter(help="Port of the streams; 0 as above.")] = None,
    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None,
    state_dir: Annotated[Path | None, Parameter(help="Where the daemon keeps its state.")] = None,
    no_auth: Annotated[
        bool, Parameter(negative="", show_default=False, help="Ask no token of clients; on loopback only.")
    ] = False,
    tmux_socket: Annotated[Path | None, Parameter(help="Where the tmux server listens.")] = None,
    start_tmux: Annotated[
        bool,
        Parameter(negative="--no-start-tmux", show_default=False, help="Start the tmux server if there is none."),
    ] = True,
    agents_user: Annotated[
        str | None, Parameter(help="Whom agents run as, if that is not you: the tmux server must be that user's.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, Parameter(help="How much to log.")
    ] = None,
    log_format: Annotated[
        Literal["auto", "json", "text"], Parameter(help="How to log; auto: text on a terminal.")
    ] = "auto",
) -> int:
    """Run the daemon in the foreground, until Ctrl-C or SIGTERM. Agents outlive it.

    For example: operator serve --config ~/projects/operator.toml
    """
    path = configfile.find_config(config)
    loaded = configfile.load_config(path)
    folder = configfile.state_directory(path, state_dir)
    daemon = loaded.config.daemon
    if log_level is not None:
        daemon = evolve(daemon, log_level=log_level)
    for name, given in (("--port", port), ("--stream-port", stream_port)):
        if given is not None and not 0 <= given <= 65535:
            raise CliError(f"{name} must be between 0 and 65535.", exit_code=2)
    if no_auth and (host or daemon.host) not in ("127.0.0.1", "::1", "localhost"):
        raise CliError("--no-auth is for loopback only.", "Leave --host away, or keep the token.", exit_code=2)

    # The daemon's libraries are loaded by this command alone.
    from supervisor.daemon import ServeOptions, run_daemon

    gc.freeze()  # what is loaded stays for good: the collector need not look at it again and again
    gc.enable()

    options = ServeOptions(
        port=port,
        stream_port=stream_port,
        host=host,
        state_dir=folder,
        no_auth=no_auth,
        log_format=log_format,
        tmux_socket=tmux_socket.expanduser().absolute() if tmux_socket is not None else None,
        start_tmux=start_tmux,
        agents_user=agents_user,
    )
    return run_daemon(evolve(loaded.config, daemon=daemon), options)
