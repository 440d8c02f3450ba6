"use strict";

const form = document.getElementById("login");
const message = document.getElementById("message");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  message.textContent = "";
  const token = document.getElementById("token").value;
  try {
    const answer = await fetch("/api/login", { method: "POST", headers: { "X-Dequeuer-UI": "1" }, body: token });
    if (answer.ok) {
      location.reload();
      return;
    }
    message.textContent = (await answer.json()).error.message;
  } catch {
    message.textContent = "dequeuer ui cannot be reached.";
  }
});
