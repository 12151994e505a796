import { builtinModule, denoNamespace, isAllowed } from "./host.ts";

interface EnvScope {
  readonly process?: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly platform?: string;
  };
}

/**
 * The value of an environment variable; `undefined` when it is not set, when this process may not
 * read it, and in browsers.
 */
export function env(name: string): string | undefined {
  const deno = denoNamespace();
  if (deno === undefined) return (globalThis as EnvScope).process?.env?.[name];
  return isAllowed({ name: "env", variable: name }) ? deno.env.get(name) : undefined;
}

/** The names of all environment variables; none where this process may not list them. */
export function environmentNames(): string[] {
  const deno = denoNamespace();
  if (deno === undefined) return Object.keys((globalThis as EnvScope).process?.env ?? {});
  return isAllowed({ name: "env" }) ? Object.keys(deno.env.toObject()) : [];
}

/** The user's home directory, or `""` where it cannot be known. */
export function homeDirectory(): string {
  const home = env("HOME") ?? env("USERPROFILE");
  if (home !== undefined && home !== "") return home;
  if (!isAllowed({ name: "sys", kind: "homedir" })) return "";
  return builtinModule("node:os")?.homedir() ?? "";
}

/** The machine's name, or `"unknown"` where it cannot be known. */
export function hostname(): string {
  if (!isAllowed({ name: "sys", kind: "hostname" })) return "unknown";
  return builtinModule("node:os")?.hostname() || "unknown";
}

/** The operating system by Go's name for it (`linux`, `darwin`, `windows` …); `""` in browsers. */
export function platform(): string {
  const name = denoNamespace()?.build.os ?? (globalThis as EnvScope).process?.platform ?? "";
  if (name === "win32") return "windows";
  return name === "sunos" ? "solaris" : name;
}
