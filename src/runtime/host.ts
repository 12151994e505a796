import type { BunNamespace } from "./bun/types.ts";

/** The part of `process` (Node, Bun, Deno) that is used here. */
interface ProcessLike {
  getBuiltinModule?: NodeJS.Process["getBuiltinModule"];
}

interface HostScope {
  readonly Deno?: typeof Deno;
  readonly Bun?: BunNamespace;
  readonly process?: ProcessLike;
}

/** Deno's namespace, or `undefined` on every other runtime. */
export function denoNamespace(): typeof Deno | undefined {
  return (globalThis as HostScope).Deno;
}

/** Bun's namespace, or `undefined` on every other runtime. */
export function bunNamespace(): BunNamespace | undefined {
  return (globalThis as HostScope).Bun;
}

/** Looks up a module that the runtime itself carries; `undefined` in browsers. */
export const builtinModule: NodeJS.Process["getBuiltinModule"] = (
  name: string,
): object | undefined => (globalThis as HostScope).process?.getBuiltinModule?.(name);

/**
 * True if the thing may be done without asking anyone: always so outside Deno, which alone has
 * permissions. What may only be prompted for counts as refused: a library must not stop a program
 * with a question on its terminal.
 */
export function isAllowed(permission: Deno.PermissionDescriptor): boolean {
  const deno = denoNamespace();
  return deno === undefined || deno.permissions.querySync(permission).state === "granted";
}
