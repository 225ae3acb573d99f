"""The one error that bad input raises."""


class InputError(ValueError):
    """Something handed to fashionlib is wrong.

    The message names the file, row or value, says what was expected and what to do next; the command
    line prints it alone, without a traceback.
    """
