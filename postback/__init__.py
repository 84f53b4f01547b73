"""The program: settings, HTTP API, command line, simulator, and what ties the wings together."""


def __getattr__(name: str) -> str:
    """`postback.__version__`, looked up only when asked for: reading package metadata costs a fifth of `--help`."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("postback")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0+unknown"
