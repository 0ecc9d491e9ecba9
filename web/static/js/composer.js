// The composer: grows with its text, sends with Enter, and puts the new turn into the page without loading it anew.
import { fold } from "./fold.js";
import { apply } from "./patch.js";
import { post } from "./post.js";
import { toEnd } from "./scroll.js";
import { watch } from "./stream.js";
import { localise } from "./time.js";
import { fragment } from "./trusted.js";

const LIMIT = 1024 * 1024;

function grow(input) {
  input.style.height = "auto";
  input.style.height = Math.min(input.scrollHeight, innerHeight * 0.4) + "px";
}

function tell(problem, text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function tooLong(text) {
  const size = new Blob([text]).size;
  return size > LIMIT && `The message is ${(size / LIMIT).toFixed(1)} MiB, and at most 1 MiB can be sent. Shorten it, or put it into a file of the agent's workspace.`;
}

function show(answer) {
  document.querySelector(".nothing")?.remove();
  document.getElementById("turns").append(fragment(answer.turn));
  const panel = document.getElementById("panel");
  for (const old of panel.querySelectorAll(".execution")) if (!old.querySelector("form.stop")) old.remove();
  panel.append(fragment(answer.execution));
  fold(panel);
  localise(panel);
  apply(answer.operations);
  toEnd();
  watch();
}

export function startComposer() {
  const form = document.querySelector("form.composer");
  if (!form) return;
  const input = form.querySelector("textarea");
  const problem = document.getElementById("problem");
  const button = form.querySelector("button.send");
  let sending = false;

  grow(input);
  input.addEventListener("input", () => { grow(input); tell(problem, ""); });
  input.addEventListener("keydown", (event) => {
    const touch = matchMedia("(pointer: coarse)").matches;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || touch) return;
    event.preventDefault();
    form.requestSubmit(button);
  });

  form.addEventListener("submit", async (event) => {
    const long = tooLong(input.value);
    if (sending || long || !input.value.trim()) {
      event.preventDefault();
      if (long) tell(problem, long);
      return;
    }
    sending = true;
    if (!("live" in form.dataset)) return; // a new conversation is a new page
    event.preventDefault();
    button.setAttribute("aria-disabled", "true");
    try {
      const answer = await post(form);
      form.elements.request_id.value = answer.request_id;
      input.value = "";
      grow(input);
      tell(problem, "");
      show(answer);
    } catch (error) {
      tell(problem, error.message);
    } finally {
      sending = false;
      button.removeAttribute("aria-disabled");
      input.focus();
    }
  });
  addEventListener("pageshow", () => { sending = false; });
}
