"""The one exception that means "you can fix this"."""


class UserError(Exception):
    """A problem that the user can fix; notebook and command line show it without a traceback.

    Args:
        what: What is wrong, with the path, index or value.
        expected: What was expected instead.
        next_step: What to do now, if possible the option or command to type.
    """

    def __init__(self, what: str, expected: str, next_step: str) -> None:
        super().__init__(what, expected, next_step)
        self.what, self.expected, self.next_step = what, expected, next_step

    def __str__(self) -> str:
        return f"{self.what}\n  Expected: {self.expected}\n  Next: {self.next_step}"
