"""A short sound when a training has ended or failed, for someone who does something else meanwhile."""

import base64
import io
import math
import struct
import sys
import time
import wave
from typing import Any, Callable, Sequence

from .html import can_show_html

RATE_HZ, NOTE_S, LOUDNESS = 8000, 0.18, 0.4
NOTES_HZ = {"done": (523, 659, 784), "died": (392, 311), "error": (392, 311)}  # up for an end, down for a failure
HEARD_S = 2.0  # then the player goes, or a notebook that was saved would play it whenever it is opened


def announce(state: str, sleep: Callable[[float], Any] = time.sleep) -> None:
    """Play the sound of an ending in the browser, in notebooks only; who has pressed stop hears nothing.

    Args:
        state: As of `Ending`.
    """
    if state not in NOTES_HZ or not can_show_html():
        return
    ipython = sys.modules["IPython"].display
    player = ipython.display(ipython.HTML(player_html(state)), display_id=True)
    sleep(HEARD_S)
    player.update(ipython.HTML(""))


def player_html(state: str) -> str:
    """Return a player that starts by itself and is not seen."""
    data = base64.b64encode(melody(NOTES_HZ[state])).decode("ascii")
    return f'<audio autoplay style="display:none" src="data:audio/wav;base64,{data}"></audio>'


def melody(notes_hz: Sequence[float]) -> bytes:
    """Return a WAV file of notes one after the other: 8 bits, one channel."""
    count, samples = int(RATE_HZ * NOTE_S), bytearray()
    for hz in notes_hz:
        for index in range(count):
            fade = math.sin(math.pi * index / count)  # no click where a note begins and ends
            value = 128 + 127 * LOUDNESS * fade * math.sin(2 * math.pi * hz * index / RATE_HZ)
            samples += struct.pack("B", int(round(value)))
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE_HZ)
        file.writeframes(bytes(samples))
    return stream.getvalue()
