// The events of the server: one connection while the page is seen, opened again with backoff when it breaks.

const SILENCE_MS = 6000; // snapshots come each second
const FIRST_BACKOFF_MS = 1000;
const LAST_BACKOFF_MS = 10000;
const HIDDEN_MS = 5000;

/**
 * Follow the events. `handlers`: by event, called with its document. `onState`: called with `live`, `connecting`, `lost`
 * or `refused` when that changes. `isRefused`: returns a promise of whether the server wants the token again.
 */
export function follow(url, handlers, onState, isRefused) {
  let source = null;
  let state = null;
  let backoff = FIRST_BACKOFF_MS;
  let retry = null;
  let silence = null;
  let hidden = null;

  function tell(next) {
    if (state === next) return;
    state = next;
    onState(next);
  }

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(lost, SILENCE_MS);
    backoff = FIRST_BACKOFF_MS;
    tell("live");
  }

  function close() {
    clearTimeout(retry);
    clearTimeout(silence);
    retry = null;
    source?.close();
    source = null;
  }

  // The browser's own retries end for good at an answer that is no stream, so it is done here.
  function lost() {
    close();
    tell("lost");
    again();
  }

  function again() {
    retry = setTimeout(() => check(retry), backoff);
    backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
  }

  // An EventSource does not tell the status of an answer.
  async function check(own) {
    const refused = await isRefused();
    if (retry !== own) return; // it was closed, or opened, meanwhile
    if (!refused) {
      open();
      return;
    }
    tell("refused");
    again();
  }

  function open() {
    close();
    if (state === null) tell("connecting");
    source = new EventSource(url);
    source.onerror = lost;
    silence = setTimeout(lost, SILENCE_MS);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        heard();
        handle(JSON.parse(event.data));
      });
    }
  }

  // A browser has six connections to a server: pages in the background would take all of them.
  function seen() {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(close, HIDDEN_MS);
    else if (source === null) open();
  }
  document.addEventListener("visibilitychange", seen);
  seen();
}
