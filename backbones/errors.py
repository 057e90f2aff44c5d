"""The one exception that is the user's to mend."""


class UserError(Exception):
    """Bad input: the message is one line that names the file or value and the remedy.

    The command line prints it without a traceback and exits with code 2.
    """
