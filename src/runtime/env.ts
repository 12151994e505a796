import { builtinModule, denoNamespace, isAllowed } from "./platform.ts";

interface EnvScope {
  readonly process?: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly platform?: string;
    readonly arch?: string;
  };
}

/**
 * Returns the value of an environment variable; `undefined` if it is not set, if this process may not
 * read it, and in browsers.
 */
export function env(name: string): string | undefined {
  const deno = denoNamespace();
  if (deno === undefined) return (globalThis as EnvScope).process?.env?.[name];
  return isAllowed({ name: "env", variable: name }) ? deno.env.get(name) : undefined;
}

/** Returns the names of all environment variables; none if this process may not list them. */
export function environmentNames(): string[] {
  const deno = denoNamespace();
  if (deno === undefined) return Object.keys((globalThis as EnvScope).process?.env ?? {});
  return isAllowed({ name: "env" }) ? Object.keys(deno.env.toObject()) : [];
}

/** Returns the user's home directory, or `""` if it is unknown. */
export function homeDirectory(): string {
  const home = env("HOME") ?? env("USERPROFILE");
  if (home !== undefined && home !== "") return home;
  if (!isAllowed({ name: "sys", kind: "homedir" })) return "";
  return builtinModule("node:os")?.homedir() ?? "";
}

/** Returns the machine's host name, or `"unknown"`. */
export function hostname(): string {
  if (!isAllowed({ name: "sys", kind: "hostname" })) return "unknown";
  return builtinModule("node:os")?.hostname() || "unknown";
}

/** Returns Go's name of the operating system (`linux`, `darwin`, `windows` …); `""` in browsers. */
export function operatingSystem(): string {
  const name = denoNamespace()?.build.os ?? (globalThis as EnvScope).process?.platform ?? "";
  if (name === "win32") return "windows";
  return name === "sunos" ? "solaris" : name;
}

/** Returns Go's name of the processor (`amd64`, `arm64` …); `""` in browsers. */
export function architecture(): string {
  const name = denoNamespace()?.build.arch ?? (globalThis as EnvScope).process?.arch ?? "";
  const goNames: Readonly<Record<string, string>> = {
    x86_64: "amd64",
    x64: "amd64",
    aarch64: "arm64",
    ia32: "386",
  };
  return goNames[name] ?? name;
}
