// Calls the server of the page. Names and ids go into paths as single segments, whatever is in them.

import { parseExact } from "./text.js";

const PAYLOAD_BYTES = 256 * 1024;
const TOKEN_ANSWER_MS = 6000;

/** The server refused a call, or could not be reached. Its message is for people. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Return the address of something of an API. A query parameter that is null is left out. */
export function address(api, parts, parameters = {}) {
  const path = ["apis", api, ...parts].map(segment).join("/");
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return `/api/${path}${query === "" ? "" : `?${query}`}`;
}

// A browser resolves "." and ".." also when they are escaped: the call would go to another address.
function segment(text) {
  const name = String(text);
  if (name === "" || name === "." || name === "..") throw new ServerError(`${JSON.stringify(name)} is not a name`, 0);
  // Surrogates without a partner cannot be encoded.
  return encodeURIComponent(name.toWellFormed?.() ?? name);
}

/** Read a JSON document. */
export async function read(url, signal) {
  return document_(await ask(url, { signal }));
}

/** Ask for a change: `POST`, `PUT` or `DELETE`. Return the document of the answer. */
export async function change(method, url, body = null, contentType = "application/json") {
  const headers = { "X-Dequeuer-UI": "1", ...(body === null ? {} : { "Content-Type": contentType }) };
  return document_(await ask(url, { method, headers, body }));
}

/** Return whether the server wants its token again; false when it does not say so soon. The answer does not wait for the gateway. */
export async function wantsToken() {
  try {
    await ask("/", { method: "HEAD", signal: AbortSignal.timeout(TOKEN_ANSWER_MS) });
    return false;
  } catch (error) {
    return error.status === 401;
  }
}

/** Read a payload, up to 256 KiB. Return its text, its size in bytes, and whether it is cut. */
export async function readPayload(url, signal) {
  const answer = await ask(url, { signal });
  const reader = answer.body.getReader();
  const parts = [];
  let bytes = 0;
  while (bytes <= PAYLOAD_BYTES) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
  }
  await reader.cancel();
  const whole = await new Blob(parts).slice(0, PAYLOAD_BYTES).text();
  return { text: whole, bytes, isCut: bytes > PAYLOAD_BYTES };
}

async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, { ...options, credentials: "same-origin", redirect: "error", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server of this page cannot be reached. Is it running?", 0);
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  throw new ServerError(messageOf(text) ?? `The server answered ${answer.status}.`, answer.status);
}

function messageOf(text) {
  try {
    const message = JSON.parse(text)?.error?.message;
    return typeof message === "string" && message !== "" ? message : null;
  } catch {
    return null;
  }
}

async function document_(answer) {
  const text = await answer.text();
  if (text === "") return {};
  try {
    return parseExact(text);
  } catch {
    throw new ServerError("The answer of the server is not JSON.", answer.status);
  }
}
