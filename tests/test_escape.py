"""Text from outside cannot steer a terminal and is no HTML."""

import io

from sg2ada_colab.escape import TerminalStream, for_html


def test_html_is_shown_as_text():
    assert (
        for_html("<img src=x onerror=\"a('1')\">&\x1b\n") == "&lt;img src=x onerror=&quot;a(&#x27;1&#x27;)&quot;&gt;&amp;\\x1b\n"
    )


def test_a_stream_shows_it_and_lets_lines_pass():
    inner = io.StringIO()
    stream = TerminalStream(inner)
    assert stream.write("one\ttwo\r\n\x1b[2J") == len("one\ttwo\r\n\x1b[2J")
    print("three", file=stream, flush=True)
    assert inner.getvalue() == "one\ttwo\r\n\\x1b[2Jthree\n"
    assert stream.isatty() is False
