"""What the demonstration prints: numbered steps, indented facts, colours on a terminal only."""

import os
import sys
import threading

_COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ
_LOCK = threading.Lock()
_steps = 0


def _coloured(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if _COLOURED else text


def _print(line: str) -> None:
    with _LOCK:
        print(line, flush=True)


def step(sentence: str) -> None:
    """Announces what happens next."""
    global _steps
    _steps += 1
    _print(_coloured("1", f"\n{_steps:2}. {sentence}"))


def fact(text: str) -> None:
    """One line about what was seen."""
    _print(f"    {text}")


def event(kind: str, subject: str, detail: str) -> None:
    """One completion event, as it arrives."""
    colour = "31" if kind.endswith(".failed") else "32"
    _print(f"    {_coloured(colour, '<- ' + kind):<52} {subject}  {_coloured('2', detail)}")


def verdict(is_good: bool, label: str, found: object, expected: object) -> None:
    """One line of the summary."""
    mark = _coloured("32", "ok  ") if is_good else _coloured("31", "FAIL")
    ending = "" if is_good else f"   (expected {expected})"
    _print(f"    {mark} {label:<58} {found}{ending}")


def failure(text: str) -> None:
    """Why the demonstration ended early."""
    _print(_coloured("31", f"\ndemo: {text}"))
