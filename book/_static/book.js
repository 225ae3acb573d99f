// A number's source shows on hover; a finger or the keyboard opens it below the paragraph instead.
document.addEventListener("DOMContentLoaded", () => {
  for (const number of document.querySelectorAll("abbr.ledger, abbr.published")) {
    number.tabIndex = 0;
    number.setAttribute("role", "button");
    number.setAttribute("aria-expanded", "false");
    const toggle = () => {
      const place = number.closest("p");
      const open = number.getAttribute("aria-expanded") === "true";
      place.querySelector(".ledger-note")?.remove();
      for (const other of place.querySelectorAll("[aria-expanded]")) other.setAttribute("aria-expanded", "false");
      if (open) return;
      const note = document.createElement("span");
      note.className = "ledger-note";
      note.textContent = number.title;
      place.append(note);
      number.setAttribute("aria-expanded", "true");
    };
    number.addEventListener("click", toggle);
    number.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(); }
    });
  }
});

// docutils calls a bibliography a list and its entries, which are no list's items, by a role that was withdrawn.
document.addEventListener("DOMContentLoaded", () => {
  for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
  for (const entry of document.querySelectorAll("[role='doc-biblioentry']")) entry.removeAttribute("role");
});
