// Forms that leave the page as it is: Stop, for one. The event stream shows what became of it.
import { post } from "./post.js";

export function startQuietForms() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-quiet]")) return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button");
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    try {
      await post(form, button);
    } catch (error) {
      button.removeAttribute("aria-disabled");
      button.querySelector("span").textContent = error.message;
    }
  });
}
