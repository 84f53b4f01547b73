"""The program: settings, HTTP API, command line, simulator, and what ties the wings together."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("postback")
except PackageNotFoundError:  # run from a folder that was never installed
    __version__ = "0+unknown"
