// Applies the server's operations to the page. Applying one twice does no harm: streams are resumed.
import { fragment } from "./trusted.js";
import { localise } from "./time.js";

const announcer = document.getElementById("announcer");
const waiting = [];

function put(operation) {
  const fresh = fragment(operation.html).firstElementChild;
  localise(fresh);
  const old = document.getElementById(operation.put);
  if (!old) {
    const into = document.getElementById(operation.into);
    if (operation.first) into?.prepend(fresh);
    else into?.append(fresh);
    return;
  }
  const focus = document.activeElement;
  const held = old.contains(focus) && focus !== document.body ? place(old, focus) : null;
  if (old.open !== undefined && fresh.open !== undefined) fresh.open = old.open;
  old.replaceWith(fresh);
  if (held) (at(fresh, held) ?? document.getElementById("input"))?.focus({ preventScroll: true });
}

/** Where an element is under another, so that focus outlives a redraw. */
function place(root, element) {
  if (element.id) return { id: element.id };
  return { tag: element.tagName, index: [...root.querySelectorAll(element.tagName)].indexOf(element) };
}

function at(root, held) {
  if (held.id) return root.id === held.id ? root : root.querySelector("#" + CSS.escape(held.id));
  return root.querySelectorAll(held.tag)[held.index];
}

function add(operation) {
  const element = document.getElementById(operation.add);
  if (!element || Number(element.dataset.length) !== operation.at) return;
  const end = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
  element.append(operation.text);
  element.dataset.length = operation.at + operation.length;
  element.classList.remove("empty");
  if (end) element.scrollTop = element.scrollHeight;
}

function say(text) {
  if (!announcer || !text) return;
  waiting.push(text);
  if (waiting.length > 1) return;
  // Gathered for a moment: screen readers drop what is replaced at once.
  setTimeout(() => { announcer.textContent = waiting.splice(0).join(" "); }, 150);
}

/** Apply operations in order. */
export function apply(operations) {
  for (const operation of operations) {
    if ("put" in operation) put(operation);
    else if ("add" in operation) add(operation);
    else if ("drop" in operation) document.getElementById(operation.drop)?.remove();
    else if ("say" in operation) say(operation.say);
  }
}
