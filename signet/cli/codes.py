"""Exit codes, and what each means."""

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
DENIED = 4
UNAVAILABLE = 5
CONFLICT = 6
REFUSED = 7
DEADLINE = 124
INTERRUPTED = 130
BROKEN_PIPE = 141

MEANINGS = {
    OK: "done; for `signet run`: the run SUCCEEDED",
    FAILED: "it failed; for `signet run`: the run FAILED",
    USAGE: "the command or what it was given is bad; nothing was done",
    NOT_FOUND: "what was named is not there",
    DENIED: "the token is missing, wrong, expired, revoked, or may not",
    UNAVAILABLE: "the fleet does not run, or cannot be reached",
    CONFLICT: "the name is taken, somebody was faster, or the state does not allow it",
    REFUSED: "`signet policy test`: the policy says no",
    DEADLINE: "the time given was over",
    INTERRUPTED: "Ctrl-C, or the run was CANCELLED",
    BROKEN_PIPE: "whoever read the output went away",
}
"""What each code means, in order."""

BY_STATUS = {
    "INVALID_ARGUMENT": USAGE,
    "OUT_OF_RANGE": USAGE,
    "NOT_FOUND": NOT_FOUND,
    "UNAUTHENTICATED": DENIED,
    "PERMISSION_DENIED": DENIED,
    "UNAVAILABLE": UNAVAILABLE,
    "ALREADY_EXISTS": CONFLICT,
    "FAILED_PRECONDITION": CONFLICT,
    "ABORTED": CONFLICT,
    "DEADLINE_EXCEEDED": DEADLINE,
    "CANCELLED": INTERRUPTED,
}
"""The code for an error, by the name of its gRPC status; any other is FAILED."""

BY_OUTCOME = {"SUCCEEDED": OK, "FAILED": FAILED, "CANCELLED": INTERRUPTED}
"""The code for a run's outcome."""
