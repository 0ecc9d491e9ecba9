// Posts a form as our server takes them, and gives what it answers.

/** Give the answer's JSON. Throws an Error whose message is for the reader. */
export async function post(form, submitter) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body: fields, headers: { accept: "application/json" } });
  } catch {
    throw new Error("Signet does not answer. What you wrote is still here; try again in a moment.");
  }
  if (answer.status === 401) { location.reload(); throw new Error("You are not signed in."); }
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error([data.problem ?? "That did not work.", data.hint && (data.hint.startsWith("signet ") ? `Try: ${data.hint}` : data.hint.replaceAll("`", ""))].filter(Boolean).join(" "));
  return data;
}
