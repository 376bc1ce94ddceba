"""The one exception that means "you can fix this"."""


class UserError(Exception):
    """A problem that the user can mend; notebook and command line show it without a traceback.

    Args:
        what: What is wrong, with the path, index or value.
        expected: What was expected instead.
        next_step: What to do now, if possible the option or command to type.
    """

    def __init__(self, what, expected, next_step):
        super().__init__(what, expected, next_step)
        self.what, self.expected, self.next_step = what, expected, next_step

    def __str__(self):
        return "{}\n  Expected: {}\n  Next: {}".format(self.what, self.expected, self.next_step)
