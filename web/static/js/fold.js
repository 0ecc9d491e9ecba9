// On a narrow screen the steps of a run stay folded until somebody wants them: the answer has the room.

/** Fold the steps under an element, where there is no room for them. */
export function fold(root) {
  if (!matchMedia("(max-width: 60rem)").matches) return;
  for (const steps of root.querySelectorAll("details.fold")) steps.open = false;
}
