// A run beside the page one was on. The link is an ordinary one: without this it opens as a page.
import { watch } from "./stream.js";
import { localise } from "./time.js";
import { fragment } from "./trusted.js";

let drawer = null;
let content = null;
let opener = null;

async function load(path) {
  const answer = await fetch(path + "?drawer");
  if (!answer.ok || answer.redirected && !answer.url.includes("/runs/")) { location.assign(path); return; }
  content.replaceChildren(fragment(await answer.text()));
  localise(content);
  watch();
}

async function open(link) {
  opener = link;
  const path = new URL(link.href).pathname;
  content.replaceChildren(fragment('<p class="nothing">Loading the run.</p>'));
  drawer.showModal();
  drawer.dataset.path = path;
  await load(path);
  drawer.scrollTop = 0;
}

export function startDrawer() {
  drawer = document.getElementById("drawer");
  // A run that is shown whole is shown anew when it is over.
  document.addEventListener("signet:over", (event) => {
    if (drawer?.open && content.querySelector(`[data-run="${event.detail.run}"]`)) load(drawer.dataset.path);
    else if (document.querySelector(`#main > .run[data-run="${event.detail.run}"]`)) location.reload();
  });
  if (!drawer) return;
  content = document.getElementById("drawer-content");
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-drawer]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(link);
  });
  drawer.addEventListener("click", (event) => { if (event.target === drawer) drawer.close(); });
  drawer.addEventListener("close", () => {
    content.replaceChildren();
    (opener?.isConnected ? opener : document.getElementById("main"))?.focus();
    watch();
  });
}
