// Asking the service. One shape for what goes wrong: a Trouble, with the status and the service's own words.

const TIMEOUT_MS = 5000;
const KEY = "headrace-key";

export class Trouble extends Error {
  constructor(status, message) {
    super(message);
    this.status = status; // 0 = the service itself did not answer
  }
}

export function useKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** Return { status, body, headers } of a request; body is null where there is none (304). */
export async function ask(path, { method = "GET", body, tag } = {}) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  if (tag) headers["If-None-Match"] = tag;
  let response;
  try {
    response = await fetch(path, {
      method, headers, body: body && JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Trouble(0, "the service does not answer");
  }
  const held = await response.json().catch(() => null);
  if (response.status >= 400) throw new Trouble(response.status, held?.error?.message ?? `status ${response.status}`);
  return { status: response.status, body: held, headers: response.headers };
}

export const inPath = encodeURIComponent;
