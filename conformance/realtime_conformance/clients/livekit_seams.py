"""Which seams the installed livekit has, read off its public signatures.

Laws:
- A seam is there or it is not; no release is asked for.
- What a seam is for is said in the protocol's terms, by what a scope needs of a client.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import attrs

Need = Literal["all", "written", ""]
"""Which scopes cannot be driven without a seam: all, those with written replies, or none."""

MODEL = "livekit.plugins.openai:realtime.RealtimeModel"
SESSION = "livekit.agents:AgentSession"
OUTPUT = "livekit.agents.voice.io:AudioOutput"
INPUT = "livekit.agents.voice.io:AudioInput"


@attrs.frozen
class Seam:
    """Something public that is used where it is there.

    `owner` is `module:name` of a class, and `member` a method of it. `argument` is one that it
    takes, or that the class is made with where no member is named.
    `act` is the act of agent code that cannot be carried out without it.
    """

    owner: str
    about: str
    member: str = ""
    argument: str = ""
    need: Need = ""
    act: str = ""

    @property
    def name(self) -> str:
        """As a person writes it: `RealtimeModel(http_session=...)`, `AgentSession.interrupt`."""
        owner = self.owner.rpartition(".")[2].rpartition(":")[2]
        member = f".{self.member}" if self.member else ""
        return f"{owner}{member}" + (f"({self.argument}=...)" if self.argument else "")


def _act(owner: str, member: str, act: str, about: str) -> Seam:
    return Seam(owner, about, member=member, act=act)


SEAMS = (
    Seam(MODEL, "the WebSocket is handed in, so nothing is patched", argument="http_session",
         need="all"),
    Seam(MODEL, "the address is no real one", argument="base_url", need="all"),
    Seam(MODEL, "replies can be written", argument="modalities", need="written"),
    Seam(MODEL, "turn detection of the server is set; else it is as the plugin has it",
         argument="turn_detection"),
    Seam(MODEL, "the session is renewed as planned; else it is not",
         argument="max_session_duration"),
    Seam(MODEL, "an option of the session can change", member="update_options",
         act="update_options"),
    Seam(SESSION, "who detects turns, and what a false interruption does, in one place",
         argument="turn_handling"),
    Seam(SESSION, "agent code asks for a reply", member="generate_reply", need="all"),
    Seam(SESSION, "agent code interrupts", member="interrupt", need="all"),
    _act(SESSION, "commit_user_turn", "commit_user_turn", "a turn that is taken by hand ends"),
    _act(SESSION, "clear_user_turn", "clear_user_turn", "a turn that is taken by hand is dropped"),
    _act(SESSION, "update_agent", "hand_over", "another agent takes over"),
    _act("livekit.agents:Agent", "update_chat_ctx", "update_chat_ctx", "the context changes"),
    _act("livekit.agents:Agent", "update_instructions", "update_instructions",
         "the instructions change"),
    _act("livekit.agents:Agent", "update_tools", "update_tools", "the tools change"),
    Seam(OUTPUT, "a speaker of one's own has a name", argument="label"),
    Seam(OUTPUT, "a speaker of one's own says that it can pause; else nothing is paused",
         argument="capabilities"),
    Seam(OUTPUT, "the speaker reports that playout began", member="on_playback_started"),
    Seam(OUTPUT, "the speaker reports that playout ended", member="on_playback_finished",
         need="all"),
    Seam(INPUT, "a microphone of one's own has a name", argument="label"),
)  # fmt: skip


def is_there(seam: Seam, accepts: Callable[[Callable[..., Any], str], bool]) -> bool:
    """Whether the installed livekit has a seam."""
    module, _, name = seam.owner.partition(":")
    try:
        owner: Any = import_module(module)
        for part in name.split("."):
            owner = getattr(owner, part)
        found = getattr(owner, seam.member) if seam.member else owner.__init__
    except (ImportError, AttributeError):
        return False
    return accepts(found, seam.argument) if seam.argument else True


def described() -> list[dict[str, Any]]:
    """Each seam as plain data, and whether it is there.

    Raises:
        MissingSeam: livekit is not installed, or lacks a name without which nothing can be made.
    """
    accepts = import_module("realtime_conformance.clients.livekit_parts").accepts
    return [
        {
            "name": seam.name,
            "about": seam.about,
            "there": is_there(seam, accepts),
            "need": seam.need,
            "act": seam.act,
        }
        for seam in SEAMS
    ]
