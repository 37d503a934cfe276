"""The gateway in Go: found in a clone of the repository, built once, started and stopped."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eventstream.bench.gateway import RunningGateway
from eventstream.errors import LocalServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventstream.local.progress import Progress
    from eventstream.settings import HomeSettings, KafkaSettings

NO_GO = "Go is not on this machine (no `go` on the PATH), so its gateway is left out."
_BUILD_TIMEOUT_S = 600.0
_STOPPED_TIMEOUT_S = 60.0


def find_go() -> str | None:
    """Return the path of the `go` command, or `None` where there is no Go."""
    return shutil.which("go")


def built_peer(go: str, home: HomeSettings, sources: Path, progress: Progress) -> Path:
    """Build the peer, unless the same sources were built before, and return the program's path.

    Args:
        go: The `go` command.
        home: Whose cache keeps the program.
        sources: The folder bench/peers/go of a clone of the repository.
        progress: Hears of the build.

    Raises:
        LocalServerError: There are no sources, or they could not be built.
    """
    files = sorted(path for path in sources.glob("*") if path.suffix in {".go", ".mod", ".sum"})
    if not files:
        raise LocalServerError(
            f"There is no Go gateway in {sources}: run this in a clone of the repository, or name"
            " its bench/peers/go with --sources."
        )
    digest = hashlib.sha256(_run([go, "version"], sources, "go version"))
    for file in files:
        digest.update(file.read_bytes())
    folder = home.cache.absolute() / "peers"
    program = folder / f"go-gateway-{digest.hexdigest()[:16]}"
    if not program.is_file():
        progress.say("Building the gateway in Go, once ...")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            built = Path(name) / program.name
            command = [go, "build", "-trimpath", "-buildvcs=false", "-o", str(built), "."]
            _run(command, sources, f"Building {sources}")
            built.replace(program)
    return program


@contextlib.contextmanager
def go_gateway(program: Path, kafka: KafkaSettings, *options: str) -> Iterator[RunningGateway]:
    """Start the peer with further options, and stop it as it should be, with SIGTERM.

    Raises:
        LocalServerError: It did not start.
    """
    command = [str(program), f"-bootstrap-servers={kafka.bootstrap_servers}", "-port=0", *options]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        url = process.stdout.readline().strip()
        try:
            if not url:
                log.seek(0)
                said = log.read().decode(errors="replace").strip()
                raise LocalServerError(f"The gateway in Go did not start: {said[-500:]}")
            yield RunningGateway(process.pid, int(url.rpartition(":")[2]))
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOPPED_TIMEOUT_S)
            process.kill()


def _run(command: list[str], folder: Path, what: str) -> bytes:
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=_BUILD_TIMEOUT_S,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except subprocess.TimeoutExpired:
        raise LocalServerError(f"{what} was not done within {_BUILD_TIMEOUT_S:.0f} s.") from None
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip()
        raise LocalServerError(f"{what} failed: {said[-500:]}")
    return result.stdout
