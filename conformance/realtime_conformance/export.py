"""Writes one violating run as a Python file that needs nothing of this project.

Laws:
- The file needs the client and what comes with it, and nothing else; it sets the agent up as
  `clients.livekit_agent` does for the scope, and holds only what the run needs.
- It ends with 1 and one line if the violation shows, with 0 if it does not, and with 2 if the agent
  takes another way, so that its script does not apply.
- Nothing is given out that was not tried: the file is run beside the client that it was made from,
  and has to show the violation.
"""

from __future__ import annotations

import ast
import base64
import importlib.util
import json
import os
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from realtime_conformance import parts
from realtime_conformance.clients.interface import call_of
from realtime_conformance.literals import Raw, literal
from realtime_conformance.pool import Interpreter

Json = dict[str, Any]

CLIENT = "livekit-agent"
"""The only client that a file is written for."""

WIDTH = 100
"""Most characters of a line."""

TRIAL_SECONDS = 120.0
"""Real seconds after which a file that is tried out counts as hanging."""

SLACK_SECONDS = 0.001
"""How much longer than a deadline is waited for it."""

LONG = 200
"""Characters from which sound is written as its length."""

BYTES_PER_MS = 48
"""Of 16 bit mono PCM at 24 kHz."""

NAMED = ("livekit-agents", "livekit-plugins-openai", "openai")
"""The packages whose versions the file names."""


class NotReproduced(ValueError):
    """A file that does not show the violation it was written for; what came instead."""


def exported(outline: Json, packages: Mapping[str, str], python: str) -> str:
    """The file for one outline of a run, beside packages and on a Python as they are named.

    Raises:
        NotReproduced: the run holds an act that no file can hold.
    """
    body = "\n\n".join(part.strip("\n") for part in _body(outline))
    if not any(act["ticks"] for act in outline["acts"]):
        body = body.replace(", ticks=0", "").replace("rest(ticks)", "rest()")
    head = _head(outline, packages, python)
    return f'"""{head}\n"""\n\n{_imports(body)}\n\n\n{_spaced(body)}\n'


def try_out(text: str, interpreter: Interpreter) -> None:
    """Run a file beside the client that it was made from.

    Raises:
        NotReproduced: it does not show the violation.
    """
    with tempfile.TemporaryDirectory(prefix="realtime-conformance-") as folder:
        path = Path(folder) / "reproduction.py"
        path.write_text(text, encoding="utf-8")
        surroundings = {
            k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")
        }
        try:
            done = subprocess.run(
                [interpreter.python, path.name],
                cwd=folder,
                env=surroundings,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TRIAL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotReproduced(
                f"expected the file to end within {TRIAL_SECONDS:.0f} s, it did not"
            ) from None
    last = ([""] + [line for line in done.stderr.splitlines() if line.strip()])[-1]
    if done.returncode != 1 or not last.startswith("FAULT: "):
        raise NotReproduced(
            f"expected the file to show the violation, it ended with code {done.returncode}: "
            f"{last or 'nothing on standard error'}"
        )


# -- the head ----------------------------------------------------------------------------------


def _head(outline: Json, packages: Mapping[str, str], python: str) -> str:
    seen = ", ".join(f"{name} {packages[name]}" for name in NAMED if name in packages)
    paragraphs = [
        f"The agent should hold to this: {outline['about']}",
        f"Here it does not: {_plain(outline['text'])}",
        "The server, the speaker and the microphone are simulated in this file, and so is time: it "
        "needs no network, no key and no waiting. The agent is the published one, unchanged.",
        f"Seen with {seen} on Python {python}.",
        "It prints what goes over the wire in both directions. Exit code 1: the fault is there. "
        "0: it is not. 2: the agent takes another way, so that the script does not apply to it, or "
        "something else went wrong.",
    ]
    return "\n\n".join(textwrap.fill(text, WIDTH - 4) for text in paragraphs).replace('"""', "'''")


def _plain(text: str) -> str:
    """What a check says, without the state of a model."""
    return text.partition(", which no rule allows in ")[0].partition("; it stands at ")[0]


LIBRARY = (
    "asyncio", "base64", "contextlib", "gc", "inspect", "json", "logging", "os", "re", "selectors",
    "sys", "time", "traceback",
)  # fmt: skip
IMPORTS = (
    ("import aiohttp", ("aiohttp",)),
    ("from livekit import rtc", ("rtc",)),
    ("from livekit.agents import {}", ("Agent", "AgentSession", "RunContext", "function_tool")),
    ("from livekit.agents.llm import {}", ("ChatContext", "ToolError")),
    ("from livekit.agents.voice import io", ("io",)),
    ("from livekit.plugins import openai", ("openai",)),
    ("from multidict import {}", ("CIMultiDict", "CIMultiDictProxy")),
    ("from openai.types.beta.realtime.session import {}", ("TurnDetection",)),
    ("from yarl import {}", ("URL",)),
)
"""What a file may import, with the names that ask for it."""


def _imports(body: str) -> str:
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    library = [f"import {name}" for name in LIBRARY if name in used]
    others = [
        line.format(", ".join(name for name in names if name in used))
        for line, names in IMPORTS
        if used & set(names)
    ]
    return "\n".join([*library, "", *others])


def _spaced(body: str) -> str:
    """Two empty lines around each definition, as is usual."""
    lines: list[str] = []
    for line in body.splitlines():
        begins = line.startswith(("class ", "def ", "async def ", "@", "if __name__"))
        ended = bool(line) and not line.startswith((" ", ")", "]", "}"))
        inside = next((earlier for earlier in reversed(lines) if earlier), "").startswith(" ")
        if lines and not lines[-1].startswith("@") and (begins or (ended and inside)):
            while not lines[-1]:
                lines.pop()
            lines += ["", ""]
        lines.append(line.rstrip())
    return "\n".join(lines)


# -- the body ----------------------------------------------------------------------------------


def _body(outline: Json) -> Iterator[str]:
    """The parts that a run needs, in order."""
    kind, setting = outline["offence"]["kind"], outline["setting"]
    truncation = kind.startswith("truncate-")
    kinds = {act["kind"] for act in outline["acts"]}
    script = _script(outline)
    yield parts.OUTCOMES
    yield Template(parts.TIME).substitute(BUSY="Fault" if kind == "busy" else "Astray")
    yield parts.TICKS if any(act["ticks"] for act in outline["acts"]) else parts.REST
    yield Template(parts.RECORD).substitute(CHECK="\n    check(event)" if truncation else "")
    if truncation:
        yield _audio(outline["offence"])
    yield parts.ECHO if any(act["echoes"] for act in outline["acts"]) else ""
    yield parts.SOUND if "sound(" in script else ""
    yield _line(outline["acts"], truncation)
    yield parts.FITTING
    if not setting["muted"]:
        yield _speaker(outline, kinds)
    pick_up = parts.PICK_UP if "hear" in kinds else ""
    yield Template(parts.MICROPHONE).substitute(PICK_UP=pick_up)
    app = _app(outline)
    yield from _helpers(app)
    if "look_up" in app or "tool" in kinds:
        yield parts.TOOL + (parts.TOOL_ENDS if "tool" in kinds else "")
    yield app
    yield parts.ESCAPED if kind == "escape" else parts.QUIET
    yield script
    yield _main(outline["offence"])


def _main(offence: Json) -> str:
    escape = offence["kind"] == "escape"
    collected = ""
    if escape:
        text = literal(offence["text"], WIDTH - 8, WIDTH - 8 - len("unwanted = "))
        indented = textwrap.indent(text, " " * 8).lstrip()
        collected = Template(_inner(parts.COLLECTED)).substitute(TEXT=indented)
    return Template(parts.MAIN).substitute(
        NEVER_CLOSED="Fault" if offence["kind"] == "closing" else "Astray",
        CLOSED=_inner(parts.CLOSED) if escape else "",
        COLLECTED=collected,
    )


def _inner(part: str) -> str:
    """A part that stands inside of another one."""
    return part.removeprefix("\n")


def _audio(offence: Json) -> str:
    """What is looked at in each truncation."""
    breach, text = parts.BREACHES[offence["kind"]]
    breach = Template(breach).substitute(STEP_MS=offence["step_ms"])
    measure = "made = audio_ms.get(item, 0)"
    if offence["kind"] == "truncate-matches-heard":
        heard = "Speaker.newest.played / 24" if offence["captured"] else "0"
        measure = f"played = {heard}"
    return Template(parts.AUDIO).substitute(BREACH=breach, TEXT=text, MEASURE=measure)


def _line(acts: list[Json], truncation: bool) -> str:
    """The WebSocket, with what the network does in this run."""
    done = dict.fromkeys(act["name"] for act in acts if act["kind"] == "network")
    network = "\n".join(parts.NETWORK[name].strip("\n") for name in done)
    heard = "\n        heard(event)" if truncation else ""
    return Template(parts.LINE).substitute(NETWORK=network, HEARD=heard)


def _speaker(outline: Json, kinds: set[str]) -> str:
    """The speaker: without the part that plays, where nothing is played."""
    setting, offence = outline["setting"], outline["offence"]["kind"]
    looked_at = offence == "truncate-matches-heard"
    if not kinds & {"play", "report"} and not looked_at:
        return Template(parts.SILENT_SPEAKER).substitute(PAUSES=setting["pauses"])
    return Template(parts.SPEAKER).substitute(
        PAUSES=setting["pauses"],
        HOLD=parts.HOLD if setting["pauses"] else "",
        NEWEST="\n        Speaker.newest = self" if looked_at else "",
    )


def _app(outline: Json) -> str:
    setting = outline["setting"]
    detection = "None"
    if setting["detects_turns"]:
        detection = (
            "TurnDetection(\n"
            '                    type="server_vad",\n'
            f"                    create_response={setting['create_response']},\n"
            f"                    interrupt_response={setting['interrupt_response']},\n"
            "                )"
        )
    return Template(parts.APP).substitute(
        DETECTION=detection,
        SESSION_SECONDS=setting["session_seconds"],
        MODALITIES="" if setting["audio"] else '\n                modalities=["text"],',
        TURNS="realtime_llm" if setting["detects_turns"] else "manual",
        PAUSES=setting["pauses"],
        TOOLS="look_up" if setting["tools"] else "",
        SPEAKER="None" if setting["muted"] else "Speaker()",
        METHODS=_methods(outline["acts"]),
        ACT=_inner(
            parts.WATCHED_ACT if outline["offence"]["kind"] == "escape" else parts.QUIET_ACT
        ),
    )


def _calls() -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The methods of the adapter of the client, by name."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: node for node in _adapter().body if isinstance(node, kinds)}


def _methods(acts: list[Json]) -> str:
    """The calls of agent code that a run needs, as the adapter of the client makes them."""
    own = {"start", "close"}
    wanted = {call_of(act["name"]) for act in acts if act["kind"] == "app"} - own
    texts = {name: ast.unparse(_Bare().visit(method)) for name, method in _calls().items()}
    if any("self._do(" in texts[name] for name in wanted):
        wanted.add("_do")
    found = "\n\n".join(text for name, text in texts.items() if name in wanted)
    return f"\n{textwrap.indent(found, ' ' * 4)}\n" if found else ""


def _helpers(app: str) -> Iterator[str]:
    """The functions that calls of agent code share with other adapters, where they are used."""
    used = {node.id for node in ast.walk(ast.parse(app)) if isinstance(node, ast.Name)}
    for node in _source("livekit_parts").body:
        if isinstance(node, ast.FunctionDef) and node.name in used:
            yield ast.unparse(_Bare().visit(node))


def _adapter() -> ast.ClassDef:
    """The class that sets up and calls the agent."""
    body = _source("livekit_agent").body
    return next(n for n in body if isinstance(n, ast.ClassDef) and n.name == "LivekitAgent")


def _source(room: str) -> ast.Module:
    """A module of an adapter; read, since only a worker can import it."""
    found = importlib.util.find_spec(f"realtime_conformance.clients.{room}")
    assert found is not None
    assert found.origin is not None
    return ast.parse(Path(found.origin).read_text(encoding="utf-8"))


class _Bare(ast.NodeTransformer):
    """Takes out of a method what only this project knows: its types, and how a tool is made."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop what is returned."""
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Drop the type of an argument."""
        node.annotation = None
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Name the function of the app."""
        if isinstance(node.func, ast.Name) and node.func.id == "tool":
            return ast.Name("look_up", ast.Load())
        return self.generic_visit(node)


# -- the script --------------------------------------------------------------------------------


def _script(outline: Json) -> str:
    """The acts as statements, with a word on each that is not an event of the server."""
    offence, acts = outline["offence"], outline["acts"]
    lines = ["async def script(app, line):", '    """What happens to the agent, act by act."""']
    looked_at = offence["since"] if offence["kind"] == "stuck" else _last(acts)
    now, before = 0.0, ""
    for number, act in enumerate(acts):
        if number == looked_at:
            lines += _before(offence)
        if act["kind"] in ("start", "rest"):
            continue
        if act["at"] - now > SLACK_SECONDS:
            lines.append(f"    await asyncio.sleep({act['at'] - now:g})  # so long nothing happens")
        word = _word(act, before)
        statement = f"# {word}\n{_statement(act)}" if word else _statement(act)
        lines += textwrap.indent(statement, " " * 4).splitlines()
        now, before = act["at"] + act["seconds"], act["kind"]
    if looked_at == len(acts):
        lines += _before(offence)
    return "\n".join([*lines, *_after(offence)])


def _last(acts: list[Json]) -> int:
    """The act behind which the violation is seen, or the first of those that came at once."""
    number = max(n for n, act in enumerate(acts) if act["kind"] not in ("start", "rest"))
    while number > 0 and not acts[number - 1]["rests"]:
        number -= 1
    return number


WORDS = {
    "hear": "the user speaks",
    "play": "a part of the reply is heard",
    "report": "the speaker tells that it has stopped",
    "tool": "the function of the app ends, or does not",
}
"""What happens in an act, by its kind."""

NETWORK_WORDS = {
    "open": "the handshake of the agent succeeds",
    "refuse": "the handshake of the agent fails",
    "drop": "the connection breaks",
    "server_close": "the server closes the connection",
}
"""What the network does, by its name."""


def _word(act: Json, before: str) -> str:
    """What happens in an act, for a comment; nothing for an event that follows another."""
    if act["kind"] == "deliver":
        return "" if before == "deliver" else "what the server says"
    if act["kind"] == "network":
        return NETWORK_WORDS[act["name"]]
    if act["kind"] == "app":
        text = ast.get_docstring(_calls()[call_of(act["name"])]) or ""
        return text[:1].lower() + text[1:].splitlines()[0].rstrip(".")
    return WORDS.get(act["kind"], "")


def _statement(act: Json) -> str:
    """One act as a statement."""
    kind, seconds = act["kind"], act["seconds"]
    ticks = f", ticks={act['ticks']}" if act["ticks"] else ""
    if kind == "deliver":
        return _say(act)
    if kind == "app":
        return f"await app.call(app.{call_of(act['name'])}{ticks})"
    if kind == "tool":
        return _end_of_tool(act, ticks)
    return {
        "network": f'await line.network("{act["name"]}"{ticks})',
        "hear": f"await app.microphone.pick_up(4_800{ticks})",
        "play": f"await app.speaker.play({act['samples']:_}{ticks})",
        "report": f"await app.speaker.report({ticks[2:]})",
        "pass": f"await asyncio.sleep({seconds + SLACK_SECONDS:g})  # so long nothing happens",
        "deadline": f"await asyncio.sleep({seconds + SLACK_SECONDS:g})"
        "  # until a timer of the agent is due",
    }[kind]


def _end_of_tool(act: Json, ticks: str) -> str:
    if act["name"] == "tool_hangs":
        return f"# the call {act['call']} never ends"
    error = ', error="no such city"' if act["name"] == "tool_raises" else ""
    return f'await end_call("{act["call"]}"{error}{ticks})'


def _say(act: Json) -> str:
    event = _with_names(json.loads(act["text"]), {echo["name"]: echo for echo in act["echoes"]})
    behind = "" if act["rests"] or act["ticks"] else ", behind=True"
    behind += f", ticks={act['ticks']}" if act["ticks"] else ""
    line = f"await line.say({literal(event, WIDTH, WIDTH)}{behind})"
    if len(line) <= WIDTH - 4:
        return line
    # four for the function, and what stands before and behind the event
    told = literal(event, WIDTH - 4, WIDTH - 4 - len("await line.say(") - len(behind) - 1)
    return f"await line.say({told}{behind})"


def _with_names(value: Any, echoes: Mapping[str, Json]) -> Any:
    """An event with what the agent made up, and what is sound, as an expression."""
    if isinstance(value, dict):
        return {key: _with_names(part, echoes) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_names(part, echoes) for part in value]
    if not isinstance(value, str):
        return value
    if value in echoes:
        echo = echoes[value]
        path = ", ".join(json.dumps(key) for key in echo["path"])
        return Raw(f"echo({json.dumps(echo['kind'])}, {echo['number']}, {path})")
    return _sound(value)


def _sound(text: str) -> Any:
    """Long sound of equal samples by its length; any other text as it is."""
    if len(text) < LONG:
        return text
    try:
        pcm = base64.b64decode(text, validate=True)
    except ValueError:
        return text
    milliseconds, rest = divmod(len(pcm), BYTES_PER_MS)
    if rest or pcm != pcm[:2] * (len(pcm) // 2):
        return text
    return Raw(f"sound({int.from_bytes(pcm[:2], 'little')}, {milliseconds})")


# -- the violation -----------------------------------------------------------------------------


def _before(offence: Json) -> list[str]:
    """What stands before the act behind which the violation is seen."""
    if offence["kind"] in ("deed", "stuck"):
        return [
            "",
            "    # what the agent does from here on is looked at",
            "    before = len(deeds)",
        ]
    return ["", "    # the fault shows behind this"]


def _after(offence: Json) -> list[str]:
    """What stands behind the last act."""
    if offence["kind"] == "deed":
        return _after_deed(offence)
    if offence["kind"] == "stuck":
        expected = literal(offence["expected"], WIDTH - 4, WIDTH - 4 - len("expected = "))
        return [
            "    await asyncio.sleep(60)",
            *textwrap.indent(f"expected = {expected}", " " * 4).splitlines(),
            '    if not any(deed["type"] in expected for deed in deeds[before:]):',
            '        faults.append(f"for a minute the agent does nothing of {expected}")',
        ]
    return []


def _after_deed(offence: Json) -> list[str]:
    traits, number = offence["traits"], offence["number"]
    answer = offence["answer"]
    error = json.loads(answer)["error"]["message"] if answer else ""
    fields = ", ".join(f"{name} {value}" for name, value in traits.items() if name != "type")
    text = " ".join(part for part in ("here the agent must not do", traits["type"], fields) if part)
    text += f": the server answers {error}" if error else ""
    text += f" (number {number} of its kind)" if number > 1 else ""
    told = literal(text, WIDTH - 8, WIDTH - 8 - len("text = "))
    shown = literal(traits, WIDTH - 4, WIDTH - 4 - len("unwanted = "))
    return [
        *textwrap.indent(f"unwanted = {shown}", " " * 4).splitlines(),
        "    alike = [deed for deed in deeds[before:] if unwanted.items() <= deed.items()]",
        f"    if len(alike) >= {number}:",
        *textwrap.indent(f"text = {told}", " " * 8).splitlines(),
        "        faults.append(text)",
    ]
