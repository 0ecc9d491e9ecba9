"""A command line taken apart as a shell would, as far as that can be told without running it."""

import re
from dataclasses import dataclass, field

MAX_LETTERS = 128 << 10
"""Longer ones are not looked at."""

_SPACES = " \t"
_ENDS = ";&|()`\n"
_HARMLESS = re.compile(r"(?:[<>]|>>)(?:&[12](?![0-9\w])|[ \t]*/dev/null(?![^\s;&|()<>]))")
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_PLAIN = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\}|[?#$!0-9])")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_RESERVED = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "time"})
_LITERAL = frozenset({"[", "[[", "{", "}", "!"})


@dataclass(slots=True)
class Word:
    """A word without its quotes. `moving`: the shell puts in something that cannot be told from here."""

    text: str = ""
    moving: bool = False


@dataclass(slots=True)
class Line:
    """What a line holds: its simple commands as words, texts fed to programs, and whether it is one plain command."""

    parts: list[list[Word]] = field(default_factory=lambda: [[]])
    fed: list[str] = field(default_factory=list)
    plain: bool = True

    def heads(self) -> list[Word]:
        """Give the word of each part that says which program runs."""
        found = []
        for part in self.parts:
            rest = [word for word in part if word.text not in _RESERVED or word.moving]
            while rest and _ASSIGNMENT.match(rest[0].text):
                rest = rest[1:]
            if rest:
                found.append(rest[0])
        return found


class Splitter:
    """Reads one line. Unfinished quotes make it not plain."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._word: Word | None = None
        self._waiting: list[str] = []
        self._ticked = False
        self.line = Line()

    def split(self) -> Line:
        """Take the line apart."""
        while self._at < len(self._text):
            self._step(self._text[self._at])
        self._end_word()
        self.line.parts = [part for part in self.line.parts if part]
        return self.line

    def _step(self, letter: str) -> None:
        if letter == "'":
            self._quoted_once()
        elif letter == '"':
            self._quoted_twice()
        elif letter == "\\":
            self._escaped()
        elif letter in _SPACES:
            self._end_word()
            self._at += 1
        elif letter in _ENDS:
            self._end_part(letter)
        elif letter in "<>":
            self._redirected()
        elif letter == "$":
            self._expanded()
        else:
            moving = letter in "*?" or (letter in "[{" and self._word is not None)
            self._put(letter, moving=moving)

    def _put(self, text: str, *, moving: bool = False, over: int = 0) -> None:
        self._word = self._word or Word()
        self._word.text += text
        self._word.moving = self._word.moving or moving
        self._at += over or len(text)

    def _end_word(self) -> None:
        if self._word is not None:
            self._word.moving = self._word.moving and self._word.text not in _LITERAL
            self.line.parts[-1].append(self._word)
        self._word = None

    def _end_part(self, letter: str) -> None:
        if letter == "`":
            self._ticked = not self._ticked
            if self._ticked:  # what comes out of it becomes part of this word
                self._put("", moving=True)
        self._end_word()
        self.line.parts.append([])
        self._at += 1
        self.line.plain = False
        if letter == "\n" and self._waiting:
            self._feed()

    def _quoted_once(self) -> None:
        end = self._text.find("'", self._at + 1)
        self.line.plain = self.line.plain and end >= 0
        end = end if end >= 0 else len(self._text)
        self._put(self._text[self._at + 1 : end], over=end + 1 - self._at)

    def _quoted_twice(self) -> None:
        self._put("", over=1)
        while self._at < len(self._text) and self._text[self._at] != '"':
            letter = self._text[self._at]
            if letter == "\\" and self._text[self._at + 1 : self._at + 2] in {'"', "\\", "$", "`", "\n"}:
                self._put(self._text[self._at + 1], over=2)
            elif letter in "$`":
                self._expanded()
            else:
                self._put(letter)
        self.line.plain = self.line.plain and self._at < len(self._text)
        self._at += 1

    def _escaped(self) -> None:
        following = self._text[self._at + 1 : self._at + 2]
        self.line.plain = self.line.plain and following not in {"", "\n"}
        self._put("" if following == "\n" else following, over=2)

    def _expanded(self) -> None:
        match = _PLAIN.match(self._text, self._at)
        if match:
            self._put(match[0], moving=True)
            return
        letter, following = self._text[self._at], self._text[self._at + 1 : self._at + 2]
        ends = letter == "$" and not (following and following in "({'\"") and not following.isalnum()
        self.line.plain = self.line.plain and ends
        self._put(letter, moving=not ends)

    def _redirected(self) -> None:
        if match := _HARMLESS.match(self._text, self._at):
            self._end_word()
            self._at = match.end()
            return
        self.line.plain = False
        if not self._text.startswith("<<<", self._at) and (match := _HEREDOC.match(self._text, self._at)):
            self._waiting.append(match[2])
            self._end_word()
            self._at = match.end()
            return
        self._end_word()
        self._at += 1

    def _feed(self) -> None:
        """Take the lines of here-documents, which are data and no commands of this line."""
        for mark in self._waiting:
            end = re.compile(rf"^\t*{mark}$", re.MULTILINE).search(self._text, self._at)
            self.line.fed.append(self._text[self._at : end.start() if end else len(self._text)])
            self._at = min(end.end() + 1 if end else len(self._text), len(self._text))
        self._waiting = []


def split(text: str) -> Line:
    """Take a command line apart."""
    return Splitter(text).split()
