import type { BunNamespace } from "./bun/types.ts";

/** The part of `process` (Node, Bun, Deno) that is used here. */
interface ProcessLike {
  getBuiltinModule?: NodeJS.Process["getBuiltinModule"];
}

interface PlatformScope {
  readonly Deno?: typeof Deno;
  readonly Bun?: BunNamespace;
  readonly process?: ProcessLike;
}

/** Returns the `Deno` namespace, or `undefined` on other runtimes. */
export function denoNamespace(): typeof Deno | undefined {
  return (globalThis as PlatformScope).Deno;
}

/** Returns the `Bun` namespace, or `undefined` on other runtimes. */
export function bunNamespace(): BunNamespace | undefined {
  return (globalThis as PlatformScope).Bun;
}

/** Returns a built-in module of the runtime; `undefined` in browsers. */
export const builtinModule: NodeJS.Process["getBuiltinModule"] = (
  name: string,
): object | undefined => (globalThis as PlatformScope).process?.getBuiltinModule?.(name);

/**
 * True if Deno has granted a permission; always true on other runtimes, which have none. A permission
 * that Deno would prompt for counts as denied, since a library must not block a program with a
 * prompt.
 */
export function isAllowed(permission: Deno.PermissionDescriptor): boolean {
  const deno = denoNamespace();
  return deno === undefined || deno.permissions.querySync(permission).state === "granted";
}
