/** Compact messages that say the same as plain ones, also where those are hostile. */

interface Plain {
  readonly method?: unknown;
  readonly arguments?: unknown;
  readonly callbacks?: unknown;
}

/**
 * The texts of compact messages that carry what a plain message carries, mistakes included. A text
 * that is no object stays as it is.
 */
export function compactTexts(text: string): string[] {
  let plain: Plain;
  try {
    plain = JSON.parse(text);
  } catch {
    return [`[${text}]`];
  }
  if (typeof plain !== "object" || plain === null || Array.isArray(plain)) return [`[${text}]`];
  const { method, arguments: args, callbacks } = plain;
  if (typeof method === "number") {
    return [
      compact(4, method, args, extra(callbacks, (path) => [2, ...path])),
      ...answer(method, args, callbacks),
    ];
  }
  const [request] = Array.isArray(args) ? args : [];
  if (typeof request !== "object" || request === null) return [compact(1, 0, method, args)];
  const { kite, authentication, withArgs, timeout, meta } = request;
  const more = extra(callbacks, (path) => path[1] === "withArgs" ? [3, ...path.slice(2)] : path);
  const id = responseId(callbacks);
  return [
    compact(0, { kite, authentication }),
    compact(1, id, method, withArgs, { ...more, timeout, meta }),
  ];
}

function answer(id: number, args: unknown, callbacks: unknown): string[] {
  const [first] = Array.isArray(args) ? args : [];
  if (typeof first !== "object" || first === null) return [];
  return [
    compact(2, id, first.result, extra(callbacks, (path) => [2, ...path.slice(2)])),
    compact(3, id, first.error),
  ];
}

function compact(...elements: unknown[]): string {
  return JSON.stringify(elements);
}

function extra(callbacks: unknown, move: (path: unknown[]) => unknown[]): object {
  if (typeof callbacks !== "object" || callbacks === null) return { callbacks };
  const moved = Object.entries(callbacks).map(([id, path]) => [
    id,
    Array.isArray(path) ? move(path) : path,
  ]);
  return { callbacks: Object.fromEntries(moved) };
}

function responseId(callbacks: unknown): number | null {
  if (typeof callbacks !== "object" || callbacks === null) return null;
  for (const [id, path] of Object.entries(callbacks)) {
    if (Array.isArray(path) && path[1] === "responseCallback") return Number(id);
  }
  return null;
}

/** True for the text of an array: whatever else stands in a frame ends the session. */
export function isArray(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
