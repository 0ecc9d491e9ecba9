// The one place where HTML of our server becomes elements; the content policy allows no other.
const policy = window.trustedTypes
  ? trustedTypes.createPolicy("signet", { createHTML: (html) => html })
  : { createHTML: (html) => html };

/** Give the elements of our server's HTML. */
export function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(html);
  return template.content;
}
