"""The YAML files of a directory, read with care: no pipe is waited for, and no file is larger than a policy may be."""

from __future__ import annotations

from collections.abc import Sequence

from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.folders import Folder
from bot.policy.tree import MAX_BYTES


def yaml_files(directory: Folder, *, expected: str) -> Sequence[str]:
    """Return the names of the YAML files directly in a directory, sorted; no hidden ones, and no `.test.yaml`.

    Raise PolicyError where the directory cannot be read; `expected` is what should have been there.
    """
    try:
        return sorted(entry.name for entry in directory.iterdir() if _is_yaml(entry))
    except OSError as error:
        raise PolicyError([fault_of(str(directory), _why(error), expected)]) from error


def _is_yaml(entry: Folder) -> bool:
    return is_yaml_name(entry.name) and not entry.is_dir()


def is_yaml_name(name: str) -> bool:
    """Say whether a file of this name is read: a YAML file that is not hidden, and no test of a policy."""
    if name.startswith(".") or name.endswith((".test.yaml", ".test.yml")):
        return False
    return name.endswith((".yaml", ".yml"))


def read_text(path: Folder, *, file: str) -> str:
    """Return a file's text. Raise PolicyError, in the name of `file`, for one that is no text of at most 1 MiB."""
    try:
        if not path.is_file() and path.exists():
            # A named pipe would keep its reader, and with it every other service, waiting for ever.
            raise PolicyError([fault_of(file, "something that is no file", "a file that can be read")])
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise PolicyError([fault_of(file, "more than 1 MiB", "a file of at most 1 MiB")])
        # Line endings stay as they are: the version is the hash of the bytes.
        return content.decode("utf-8")
    except OSError as error:
        raise PolicyError([fault_of(file, _why(error), "a file that can be read")]) from error
    except UnicodeDecodeError as error:
        raise PolicyError([fault_of(file, "bytes that are no UTF-8", "UTF-8 text")]) from error


def fault_of(file: str, found: str, expected: str) -> PolicyFault:
    """Return a fault of a file as a whole."""
    return PolicyFault(file=file, line=0, column=0, path="", found=found, expected=expected)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
