import { homeDirectory, platform } from "./env.ts";
import { builtinModule, isAllowed } from "./host.ts";

/** What a kite tells of its machine (`kite.systemInfo`, docs/protocol.md §6). */
export interface SystemInfo {
  readonly state: "RUNNING";
  /** KiB in use on the root's file system. */
  readonly diskUsage: number;
  /** KiB of the root's file system. */
  readonly diskTotal: number;
  /** Bytes of memory that are in use and cannot be had back. */
  readonly memoryUsage: number;
  /** Bytes of memory. */
  readonly totalMemoryLimit: number;
  /** The user's home directory, `""` where it is not known. */
  readonly homeDir: string;
  /** The operating system by Go's name for it; `""` in browsers. */
  readonly uname: string;
}

/** Looks at the machine. What this process may not see, or has not, is 0 or `""`. */
export async function systemInfo(): Promise<SystemInfo> {
  return {
    state: "RUNNING",
    ...await disk(),
    ...memory(),
    homeDir: homeDirectory(),
    uname: platform(),
  };
}

async function disk(): Promise<Pick<SystemInfo, "diskUsage" | "diskTotal">> {
  // On Windows each drive has a root of its own: the one that this process runs on, then.
  const root = platform() === "windows" ? "." : "/";
  const fs = isAllowed({ name: "read", path: root }) ? builtinModule("node:fs") : undefined;
  if (fs === undefined) return { diskUsage: 0, diskTotal: 0 };
  const { bsize, blocks, bfree } = await fs.promises.statfs(root);
  const kibibytes = (count: number) => Math.floor(count * bsize / 1024);
  return { diskUsage: kibibytes(blocks - bfree), diskTotal: kibibytes(blocks) };
}

function memory(): Pick<SystemInfo, "memoryUsage" | "totalMemoryLimit"> {
  const os = isAllowed({ name: "sys", kind: "systemMemoryInfo" })
    ? builtinModule("node:os")
    : undefined;
  if (os === undefined) return { memoryUsage: 0, totalMemoryLimit: 0 };
  const total = os.totalmem();
  return { memoryUsage: total - os.freemem(), totalMemoryLimit: total };
}
