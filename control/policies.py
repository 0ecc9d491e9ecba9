"""Policies: documents in versions. A good one is in force at once; a bad one is kept and changes nothing."""

from dataclasses import dataclass
from functools import partial

from control import canonical, rollout
from control.bells import ORDERS, Bells
from control.lookup import policy_in
from control.store import policies as store
from control.store.database import Connection
from control.store.policies import Policy, Version
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from signet.kit.errors import Aborted, FailedPrecondition, InvalidArgument, ResourceExhausted, Violation
from signet.policy import builtin
from signet.policy.canonical import dump, load
from signet.policy.diff import changes
from signet.policy.document import parse
from signet.policy.model import MAX_DOCUMENT_BYTES
from signet.policy.problem import PolicyInvalid

MAX_POLICIES = 1000
"""Policies that are kept; ApplyPolicy of one more is refused."""

CALLER = "signet"
"""Who applied what comes with Signet."""

_PROBLEMS = 100


@dataclass(frozen=True)
class Draft:
    """A document, read: `canonical` is empty where it is bad, and `problems` then say why."""

    document: str
    description: str
    canonical: str
    secrets: tuple[str, ...]
    wall_seconds: int
    problems: tuple[Violation, ...]


@dataclass(frozen=True)
class Application:
    """A document for a policy, made from a version of it (0 for any), by a caller."""

    policy: str
    draft: Draft
    expected: int
    caller: str


@dataclass(frozen=True)
class Applied:
    """What became of a document: its version (None of a dry run), and what it changes, a line each."""

    version: Version | None
    draft: Draft
    lines: tuple[str, ...]


def read(document: str) -> Draft:
    """Read a document, also a bad one. Raises ResourceExhausted above 256 KiB."""
    size = len(document.encode())
    if size > MAX_DOCUMENT_BYTES:
        message = f"the document is {size:,} bytes, and may be {MAX_DOCUMENT_BYTES:,}"
        raise ResourceExhausted("LIMIT_REACHED", message)
    try:
        policy = parse(document)
    except PolicyInvalid as bad:
        found = tuple(
            Violation(
                f"document:{problem.line}", f"{problem.where}: {problem.message}" if problem.where else problem.message
            )
            for problem in bad.problems[:_PROBLEMS]
        )
        return Draft(document, "", "", (), 0, found)
    secrets = tuple(sorted({use.secret for use in policy.secrets}))
    return Draft(document, policy.description, dump(policy), secrets, policy.resources.wall_seconds, ())


def refusal(name: str, draft: Draft) -> InvalidArgument:
    """Say what is wrong with a document."""
    text = "; ".join(f"line {problem.field.partition(':')[2]}: {problem.description}" for problem in draft.problems)
    hint = "mend the document, then `signet policy validate FILE`"
    return InvalidArgument("POLICY_INVALID", f"{name} is no policy: {text}", hint=hint, violations=draft.problems)


@dataclass(frozen=True)
class Policies:
    """Applies documents."""

    readers: Readers
    writer: Writer
    bells: Bells

    async def apply(self, wanted: Application) -> Applied:
        """Keep a document as the newest version, and put it in force where it is good.

        The same document as the newest version, where that is in force, is no new one, so repeating it is safe.
        Raises Aborted (ETAG_STALE), ResourceExhausted (1000 policies).
        """
        return await self.writer.write(partial(_apply, wanted, self.bells))

    async def preview(self, wanted: Application) -> Applied:
        """Say what a document would change. Raises Aborted (ETAG_STALE)."""
        return await self.readers.read(partial(_preview, wanted=wanted))

    async def delete(self, policy: str) -> None:
        """Remove a policy. Raises NotFound, FailedPrecondition (POLICY_IN_USE, BUILT_IN)."""
        await self.writer.write(partial(_delete, policy))


def seed(bells: Bells, transaction: Transaction) -> None:
    """Keep the policies that come with Signet, in their newest form; one that is the user's own by now stays theirs."""
    for name, document in builtin.documents().items():
        found = store.get(transaction.connection, name)
        if found is None or found.built_in:
            _apply(Application(name, read(document), 0, CALLER), bells, transaction)


def _preview(connection: Connection, wanted: Application) -> Applied:
    _expect(store.get(connection, wanted.policy), wanted)
    lines, _ = _changes(store.in_force(connection, wanted.policy), wanted.draft)
    return Applied(None, wanted.draft, lines)


def _apply(wanted: Application, bells: Bells, transaction: Transaction) -> Applied:
    connection, policy, draft = transaction.connection, wanted.policy, wanted.draft
    found = store.get(connection, policy)
    _expect(found, wanted)
    current = store.in_force(connection, policy)
    if found and current and current.document == draft.document and current.version == found.newest_version:
        return Applied(current, draft, ())
    found = found or _made(policy, transaction)
    lines, static = _changes(current, draft)
    made = _version(found, wanted, static, transaction.now)
    store.insert_version(connection, made)
    store.change(connection, policy, newest_version=made.version, update_time=transaction.now)
    if draft.canonical:
        store.change(connection, policy, version=made.version, built_in=wanted.caller == CALLER)
        before = (rollout.PENDING, rollout.LOADED)
        store.supersede(connection, policy, made.version, before, rollout.SUPERSEDED)
        rollout.settle(transaction, policy, bells)
        transaction.after(partial(bells.ring, ORDERS))
    return Applied(store.version(connection, policy, made.version), draft, lines)


def _made(policy: str, transaction: Transaction) -> Policy:
    if store.count(transaction.connection) >= MAX_POLICIES:
        message = f"there are {MAX_POLICIES} policies already"
        raise ResourceExhausted("LIMIT_REACHED", message, hint="signet policy delete")
    now = transaction.now
    made = Policy(id=policy, version=0, newest_version=0, built_in=False, create_time=now, update_time=now)
    store.insert(transaction.connection, made)
    return made


def _version(policy: Policy, wanted: Application, static: tuple[str, ...], now: int) -> Version:
    draft = wanted.draft
    detail = f"a new sandbox is needed for {', '.join(static)}" if static else ""
    if draft.problems:
        detail = "; ".join(f"{problem.field}: {problem.description}" for problem in draft.problems)
    return Version(
        policy=policy.id,
        version=policy.newest_version + 1,
        state=rollout.PENDING if draft.canonical else rollout.FAILED,
        detail=detail,
        description=draft.description,
        document=draft.document,
        canonical=draft.canonical,
        digest=canonical.digest(draft.canonical) if draft.canonical else "",
        secrets=draft.secrets,
        wall_seconds=draft.wall_seconds,
        needs_new_sandbox=bool(static),
        caller=wanted.caller,
        create_time=now,
    )


def _changes(current: Version | None, draft: Draft) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give what a document changes, a line each, and the paths of what of it is static."""
    if current is None or not draft.canonical:
        return (), ()
    found = changes(load(current.canonical), load(draft.canonical))
    return tuple(str(change) for change in found), tuple(change.where for change in found if change.static)


def _expect(found: Policy | None, wanted: Application) -> None:
    known = (found.version, found.newest_version) if found else (0,)
    if wanted.expected and wanted.expected not in known:
        raise Aborted(
            "ETAG_STALE",
            f"policies/{wanted.policy} is at version {known[0]}, and this document was made from {wanted.expected}",
            hint=f"signet policy show {wanted.policy}, then make the change again",
        )


def _delete(policy: str, transaction: Transaction) -> None:
    connection = transaction.connection
    policy_in(connection, policy)
    if policy in builtin.documents():
        message = f"policies/{policy} comes with Signet and stays; apply a document of your own to change it"
        raise FailedPrecondition("BUILT_IN", message)
    if users := store.users(connection, policy):
        some = ", ".join(f"agents/{user}" for user in users)
        raise FailedPrecondition(
            "POLICY_IN_USE", f"policies/{policy} is named by {some}", hint="give them another policy first"
        )
    store.delete(connection, policy)
