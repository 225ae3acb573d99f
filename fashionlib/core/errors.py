"""The one error that bad input raises."""


class InputError(ValueError):
    """Something handed to fashionlib is wrong.

    The message names the file, row or value, says what was expected and what to do next; the command
    line prints it alone, without a traceback.
    """


class PassingError(InputError):
    """The disk or the memory failed while a file was read: the file itself may be sound, so nobody remembers it as
    damaged, and the next run reads it again.
    """
