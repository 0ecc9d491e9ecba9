"""Three answered examples for each tool of the catalog: what a small model needs to see to fill arguments in."""

from collections.abc import Mapping, Sequence
from typing import Any

Shot = tuple[str, Mapping[str, Any]]

SHOTS: Mapping[str, Sequence[Shot]] = {
    "read_file": (
        ("What is in letter.txt?", {"path": "letter.txt"}),
        ("Show me src/app.py and not main.py", {"path": "src/app.py"}),
        ("Please read the file README", {"path": "README"}),
    ),
    "write_file": (
        ("Write good morning to hello.txt", {"path": "hello.txt", "content": "good morning"}),
        ("Create a file list.md that says tea and sugar", {"path": "list.md", "content": "tea and sugar"}),
        ("Put 42 into answer.txt", {"path": "answer.txt", "content": "42"}),
    ),
    "edit_file": (
        ("Replace cat with dog in story.txt", {"path": "story.txt", "old_text": "cat", "new_text": "dog"}),
        ("In plan.md change Monday to Friday", {"path": "plan.md", "old_text": "Monday", "new_text": "Friday"}),
        (
            "Edit a.py: use new name instead of old name",
            {"path": "a.py", "old_text": "old name", "new_text": "new name"},
        ),
    ),
    "list_files": (
        ("What is in the folder music?", {"path": "music"}),
        ("List the files under data/", {"path": "data/"}),
        ("Show me src/lib", {"path": "src/lib"}),
    ),
    "search_files": (
        ("Search for TODO", {"pattern": "TODO"}),
        ("Which files mention the word holiday?", {"pattern": "holiday"}),
        ("Where is the text see you soon in my notes?", {"pattern": "see you soon"}),
    ),
    "exec": (
        ("Run date -u", {"command": "date -u"}),
        ("Please execute the command ls -l", {"command": "ls -l"}),
        ("Use the shell to run python3 a.py", {"command": "python3 a.py"}),
    ),
}
