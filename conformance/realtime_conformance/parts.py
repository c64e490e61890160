"""The parts of a reproduction: pieces of one Python file that knows nothing of this project.

Laws:
- Each part is whole top-level code; `export` picks those that a run needs and orders them.
- The parts do to the agent what `stage`, `speaker` and the transport in memory do, in fewer words;
  a reproduction is tried out before it is written, so a part that falls behind is noticed.
- What is about ticks is left out where a run has none.
- What a reader has to know stands in comments and docstrings, in terms of the wire and of livekit.
"""

from __future__ import annotations

OUTCOMES = '''
class Fault(Exception):
    """The fault that this file is about."""


class Astray(Exception):
    """The agent took another way, so that the rest of the script does not apply to it."""
'''

TIME = '''
class Instant(selectors.DefaultSelector):
    """Waits for nothing: once nothing is ready to run, time jumps to the next timer."""

    now = 0.0
    turns = 0

    def select(self, timeout=None):
        ready = super().select(None if timeout is None else 0)
        self.turns = self.turns + 1 if timeout == 0 else 0
        if self.turns > 20_000:
            raise $BUSY("the agent never comes to rest: its event loop is busy at one instant")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time: nothing is waited for, and every run is the same."""

    def __init__(self):
        self.instant = Instant()
        super().__init__(self.instant)

    def time(self):
        return self.instant.now
'''

REST = '''
async def rest():
    """Let the agent come to rest: this timer is due once nothing else is ready to run."""
    await asyncio.sleep(1e-6)
'''

TICKS = '''
async def rest(ticks=0):
    """Let the agent come to rest, or let its event loop make so many turns."""
    for _ in range(ticks):
        await asyncio.sleep(0)
    if not ticks:
        await asyncio.sleep(1e-6)  # due once nothing else is ready to run
'''

RECORD = '''
messages = []  # what the agent sent, in order
deeds = []  # the same, what it told the speaker, and its calls of functions
faults = []  # what is wrong with it


def show(who, event):
    """Print one line of the timeline."""
    text = json.dumps(event)
    text = text if len(text) < 160 else text[:157] + "..."
    print(f"{time.perf_counter():9.3f} s  {who:<8} {text}")


def said(event):
    """The agent has sent an event."""
    show("agent", event)
    messages.append(event)
    deeds.append(event)$CHECK
'''


ECHO = '''
def echo(kind, number, *path):
    """A name that the agent made up, in its message `number` of a kind, counted from 0."""
    found = [event for event in messages if event["type"] == kind][number:]
    for key in path:
        found = [event[key] for event in found[:1] if isinstance(event, dict) and key in event]
    if not found:
        raise Astray(f"expected the agent to send {kind} with {'.'.join(path)}, it did not")
    return found[0]
'''

SOUND = '''
def sound(sample, milliseconds):
    """So much audio of one sample, as it is on the wire: 16 bit mono PCM at 24 kHz, in base64."""
    return base64.b64encode(sample.to_bytes(2, "little") * 24 * milliseconds).decode()
'''

LINE = '''
class Socket:
    """The agent's end of a WebSocket in memory, as far as a client of aiohttp uses it."""

    def __init__(self):
        self.incoming = asyncio.Queue()
        self.closed = False
        self.close_code = None

    async def send_str(self, text, compress=None):
        if self.closed:
            raise ConnectionResetError("Cannot write to closing transport")
        said(json.loads(text))

    async def receive(self, timeout=None):
        if self.closed and self.incoming.empty():
            return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)
        message = await asyncio.wait_for(self.incoming.get(), timeout)
        if message.type is aiohttp.WSMsgType.CLOSE:
            self.closed, self.close_code = True, message.data
        return message

    def end(self, code):
        self.closed, self.close_code = True, code
        self.incoming.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None))

    async def close(self, *, code=1000, message=b""):
        if self.closed:
            return False
        self.end(code)
        deeds.append({"type": "close"})
        return True

    def exception(self):
        return None


class Line:
    """Stands where the plugin expects an aiohttp.ClientSession; handshakes wait for an answer."""

    closed = False
    socket = None

    def __init__(self):
        self.waiting = []

    async def ws_connect(self, url, **_):
        handshake = asyncio.get_running_loop().create_future()
        self.waiting.append(handshake)
        deeds.append({"type": "connect"})
        await handshake
        self.socket = Socket()
        return self.socket

    async def close(self):
        self.closed = True

    def handshake(self):
        """The oldest handshake that waits."""
        self.waiting = [handshake for handshake in self.waiting if not handshake.done()]
        if not self.waiting:
            raise Astray("expected the agent to open a connection, it did not")
        return self.waiting.pop(0)

    def connected(self):
        if self.socket is None:
            raise Astray("expected the agent to be connected, it is not")
        return self.socket

    async def say(self, event, behind=False, ticks=0):
        """The server sends an event; the next one comes right behind it if `behind`."""
        show("server", event)$HEARD
        text = json.dumps(event)
        self.connected().incoming.put_nowait(
            aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, text, None)
        )
        if not behind:
            await rest(ticks)

    async def network(self, what, ticks=0):
        """A handshake succeeds or fails, or a connection ends."""
        show("network", {"type": what})
$NETWORK
        await rest(ticks)
'''

NETWORK = {
    "open": """
        if what == "open":
            self.handshake().set_result(None)
""",
    "refuse": """
        if what == "refuse":
            request = aiohttp.RequestInfo(URL("ws://realtime.invalid"), "GET", CIMultiDictProxy(
                CIMultiDict()), URL("ws://realtime.invalid"))
            self.handshake().set_exception(aiohttp.WSServerHandshakeError(
                request, (), status=503, message="Invalid response status"))
""",
    "drop": """
        if what == "drop":
            socket = self.connected()
            while not socket.incoming.empty():
                socket.incoming.get_nowait()
            socket.end(1006)
""",
    "server_close": """
        if what == "server_close":
            self.connected().incoming.put_nowait(
                aiohttp.WSMessage(aiohttp.WSMsgType.CLOSE, 1001, ""))
""",
}
"""What the network does, by its name."""


FITTING = '''
def fitting(function, **options):
    """Those of the options that this release of livekit has."""
    known = inspect.signature(function).parameters
    if any(each.kind is each.VAR_KEYWORD for each in known.values()):
        return options
    return {name: value for name, value in options.items() if name in known}
'''

SILENT_SPEAKER = '''
class Speaker(io.AudioOutput):
    """Plays nothing: the run is over before anything is heard."""

    def __init__(self):
        options = {"sample_rate": 24_000, "label": "simulated speaker"}
        if hasattr(io, "AudioOutputCapabilities"):
            options["capabilities"] = io.AudioOutputCapabilities(pause=$PAUSES)
        super().__init__(**fitting(io.AudioOutput.__init__, **options))

    async def capture_frame(self, frame):
        await super().capture_frame(frame)
        self.told("capture")

    def flush(self):
        super().flush()
        self.told("flush")

    def clear_buffer(self):
        self.told("clear")

    def told(self, act):
        show("agent", {"to the speaker": act})
        deeds.append({"type": act})
'''

SPEAKER = '''
class Speaker(io.AudioOutput):
    """Plays what it is given when the script says so; one report for each segment."""

    def __init__(self):
        options = {"sample_rate": 24_000, "label": "simulated speaker"}
        if hasattr(io, "AudioOutputCapabilities"):
            options["capabilities"] = io.AudioOutputCapabilities(pause=$PAUSES)
        super().__init__(**fitting(io.AudioOutput.__init__, **options))$NEWEST
        self.captured = self.played = 0  # samples of the segment that is played
        self.open = self.held = False
        self.ending = ""  # how that segment was ended: flushed or cleared
        self.waiting = []  # samples of the segments behind it

    async def capture_frame(self, frame):
        await super().capture_frame(frame)
        if self.ending and not self.open:
            self.waiting.append(0)
        elif not self.open:
            self.captured = self.played = 0
        self.open = True
        if self.waiting:
            self.waiting[-1] += frame.samples_per_channel
        else:
            self.captured += frame.samples_per_channel
        self.told("capture")

    def flush(self):
        super().flush()
        if self.open and not self.waiting:
            self.ending = "flushed"
        self.open = False
        self.told("flush")

    def clear_buffer(self):
        if self.open or self.ending:
            self.ending = "cleared"
        self.open = self.held = False
        self.told("clear")
$HOLD
    def told(self, act):
        show("agent", {"to the speaker": act})
        deeds.append({"type": act})

    async def play(self, samples, ticks=0):
        """Play on for so long."""
        show("speaker", {"plays": f"{samples / 24:.0f} ms"})
        if self.ending != "cleared" and not self.held:
            begins = self.played == 0 and self.captured > 0
            self.played = min(self.captured, self.played + samples)
            if begins and hasattr(self, "on_playback_started"):
                self.on_playback_started(created_at=time.time())
        await asyncio.sleep(samples / 24_000)
        await rest(ticks)

    async def report(self, ticks=0):
        """Report the end of the segment, heard to its end or cut short."""
        if not self.ending:
            raise Astray("expected the agent to end what is played, it did not")
        cut, heard = self.ending == "cleared", self.played
        if self.waiting:
            self.captured, self.played = self.waiting.pop(0), 0
            if not cut:
                self.ending = "" if self.open and not self.waiting else "flushed"
        else:
            self.ending = ""
        show("speaker", {"stopped after": f"{heard / 24:.0f} ms", "interrupted": cut})
        self.on_playback_finished(playback_position=heard / 24_000, interrupted=cut)
        await rest(ticks)
'''

HOLD = """
    def pause(self):
        super().pause()
        if not self.held:
            self.held = True
            self.told("pause")

    def resume(self):
        super().resume()
        if self.held:
            self.held = False
            self.told("resume")
"""

MICROPHONE = '''
class Microphone(io.AudioInput):
    """Picks up silence when the script says so."""

    def __init__(self):
        super().__init__(**fitting(io.AudioInput.__init__, label="simulated microphone"))
        self.frames = asyncio.Queue()

    async def __anext__(self):
        return await self.frames.get()
$PICK_UP'''

PICK_UP = '''
    async def pick_up(self, samples, ticks=0):
        """The user speaks."""
        show("user", {"speaks": f"{samples / 24:.0f} ms"})
        self.frames.put_nowait(rtc.AudioFrame(bytes(2 * samples), 24_000, 1, samples))
        await rest(ticks)
'''

TOOL = '''
calls = {}  # the calls of the function that have not ended, by their id


@function_tool(name="look_up")
async def look_up(context: RunContext, city: str) -> str:
    """Look up the weather in a city."""
    deeds.append({"type": "call"})
    calls[context.function_call.call_id] = asyncio.get_running_loop().create_future()
    return await calls[context.function_call.call_id]
'''

TOOL_ENDS = '''
async def end_call(call, error="", ticks=0):
    """The function ends with a result, or with an error."""
    show("tool", {"ends": call})
    if call not in calls:
        raise Astray(f"expected the agent to make the call {call}, it did not")
    if error:
        calls[call].set_exception(ToolError(error))
    else:
        calls[call].set_result("It is sunny.")
    await rest(ticks)
'''

APP = '''
class App:
    """The agent under test, and what the code of its app does."""

    def __init__(self, line):
        self._model = openai.realtime.RealtimeModel(
            **fitting(
                openai.realtime.RealtimeModel.__init__,
                base_url="ws://realtime.invalid/v1",
                api_key="unused",
                http_session=line,
                turn_detection=$DETECTION,
                max_session_duration=$SESSION_SECONDS,$MODALITIES
            )
        )
        turns = fitting(
            AgentSession.__init__,
            turn_handling={
                "turn_detection": "$TURNS",
                "interruption": {"resume_false_interruption": $PAUSES},
            },
        )
        turns = turns or fitting(
            AgentSession.__init__,
            turn_detection="$TURNS",
            resume_false_interruption=$PAUSES,
        )
        # the server detects turns; a local detector would add a second opinion
        local = fitting(AgentSession.__init__, vad=None)
        self._session = AgentSession(llm=self._model, **turns, **local)
        self._tools = [$TOOLS]
        self._agent = Agent(instructions="Be brief.", tools=self._tools)
        self._newest = None
        self._acts = set()
        self.microphone = Microphone()
        self.speaker = $SPEAKER
        self.closing = None

    async def start(self):
        """Start the agent and let it connect."""
        self._session.input.audio = self.microphone
        self._session.output.audio = self.speaker
        await self._session.start(agent=self._agent)
$METHODS
    def close(self):
        """Agent code closes the session, once."""
        if self.closing is None:
            self.closing = asyncio.create_task(self._session.aclose())

    async def call(self, act, ticks=0):
        """Agent code makes a call."""
        show("app", {"calls": act.__name__})
$ACT        await rest(ticks)
'''

QUIET_ACT = """
        with contextlib.suppress(Exception):  # what it raises is another matter
            act()
"""

WATCHED_ACT = """
        try:
            act()
        except Exception as error:  # noqa: BLE001
            escaped(f"{type(error).__name__}: {error}")
"""

ESCAPED = '''
escapes = []  # errors that were logged, lost in a task, or raised


def escaped(text):
    """Take note of an error, without the names that differ from run to run."""
    text = re.sub(r"0x[0-9a-f]{6,}", "0x...", text)
    text = re.sub(r"\\b([a-z_]+_)[0-9a-f]{12}\\b", r"\\1...", text)
    line = (text.splitlines() or [""])[0][:300]
    escapes.append(line)
    print(f"{'':>13}escaped: {line}")


def with_error(text, error):
    """A text and the error that came with it."""
    told = "" if error is None else f"{type(error).__name__}: {error}"
    return ": ".join(part for part in (text, told) if part)


class Ears(logging.Handler):
    """Hears every record of an error, and every record with an exception."""

    def emit(self, record):
        error = record.exc_info[1] if record.exc_info else None
        if error is not None or record.levelno >= logging.ERROR:
            escaped(with_error(record.getMessage(), error))


def listen(loop):
    """Hear what is logged, and what the event loop reports."""
    logging.getLogger().addHandler(Ears(logging.WARNING))
    loop.set_exception_handler(
        lambda _, told: escaped(with_error(str(told.get("message")), told.get("exception")))
    )
'''

QUIET = '''
def listen(loop):
    """Keep what is logged, and what the event loop reports, out of the timeline."""
    logging.getLogger().addHandler(logging.NullHandler())
    loop.set_exception_handler(lambda loop, told: None)
'''

MAIN = '''
async def run():
    """The whole run, and the end of the session."""
    line = Line()
    app = App(line)
    starting = asyncio.create_task(app.start())
    await rest()
    await script(app, line)
    del starting
    app.close()
    done, _ = await asyncio.wait([app.closing], timeout=60)
    if not done:
        raise $NEVER_CLOSED("closing the session does not end within a minute")
$CLOSED

def main():
    """Make the run in virtual time, and say what came of it."""
    os.environ.setdefault("OPENAI_API_KEY", "unused")
    loop = VirtualLoop()
    time.time = lambda: 1.7e9 + loop.time()
    time.monotonic = time.perf_counter = loop.time
    asyncio.set_event_loop(loop)
    listen(loop)
    try:
        loop.run_until_complete(run())
$COLLECTED    except Fault as fault:
        faults.append(str(fault))
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        return 2
    if faults:
        print(f"FAULT: {faults[0]}", file=sys.stderr)
        return 1
    print("The fault is not there.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
'''

CLOSED = """
    if app.closing.exception() is not None:
        error = app.closing.exception()
        escaped(f"{type(error).__name__}: {error}")
"""

COLLECTED = """
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(rest())
        gc.collect()  # a task whose exception nobody took is found now
        unwanted = $TEXT
        faults.extend(text for text in escapes if text == unwanted)
"""

AUDIO = '''
audio_ms = {}  # how much audio the server has sent, by item


def heard(event):
    """Take note of the audio that the server sends."""
    if event["type"] in ("response.output_audio.delta", "response.audio.delta"):
        more = len(base64.b64decode(event["delta"])) // 48
        audio_ms[event["item_id"]] = audio_ms.get(event["item_id"], 0) + more


def check(event):
    """Look at each truncation as it is sent."""
    if event["type"] == "conversation.item.truncate":
        item, asked = event["item_id"], event["audio_end_ms"]
        $MEASURE
        if $BREACH:
            faults.append($TEXT)
'''

BREACHES = {
    "truncate-needs-audio": (
        "made == 0",
        'f"{item} is truncated at {asked} ms, but no audio of it was sent"',
    ),
    "truncate-positive": (
        "asked <= 0 and made == 0",
        'f"truncate of {item} with audio_end_ms {asked}, but it has no audio"',
    ),
    "truncate-within-audio": (
        "asked > made > 0",
        'f"{item} is truncated at {asked} ms, but only {made} ms of it were sent"',
    ),
    "truncate-matches-heard": (
        "abs(asked - played) > $STEP_MS",
        'f"{item} is truncated at {asked} ms, {played:.0f} ms were played"',
    ),
}
"""What is wrong with a truncation, and how that is said, by the id of the check."""
