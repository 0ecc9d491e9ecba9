// Forms that leave the page as it is: Stop, for one. The event stream shows what became of it.
import { post } from "./post.js";

export function startQuietForms() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-quiet]")) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.setAttribute("aria-disabled", "true");
    try {
      await post(form);
    } catch (error) {
      button.removeAttribute("aria-disabled");
      button.querySelector("span").textContent = error.message;
    }
  });
}
