"""What streams of runs need beside the stores."""

from dataclasses import dataclass

from domain.streams import StreamReader, Watching


@dataclass(frozen=True, kw_only=True)
class StreamDeps:
    """The ports. `heartbeat_s` is after how much silence a comment is sent, `send_s` how long a watcher may take to accept what is sent."""

    reader: StreamReader
    watching: Watching
    heartbeat_s: float = 15.0
    send_s: float = 20.0
