import { homeDirectory, operatingSystem } from "./env.ts";
import { builtinModule, isAllowed } from "./platform.ts";

/** The result of `kite.systemInfo`, about the kite's machine (docs/protocol.md §6). */
export interface SystemInfo {
  readonly state: "RUNNING";
  /** Used space of the root file system, KiB. */
  readonly diskUsage: number;
  /** Size of the root file system, KiB. */
  readonly diskTotal: number;
  /** Used memory, bytes. */
  readonly memoryUsage: number;
  /** Total memory, bytes. */
  readonly totalMemoryLimit: number;
  /** The user's home directory, `""` if it is unknown. */
  readonly homeDir: string;
  /** Go's name of the operating system; `""` in browsers. */
  readonly uname: string;
}

/** Returns information about the machine. Values that are missing or not permitted are 0 or `""`. */
export async function systemInfo(): Promise<SystemInfo> {
  return {
    state: "RUNNING",
    ...await disk(),
    ...memory(),
    homeDir: homeDirectory(),
    uname: operatingSystem(),
  };
}

async function disk(): Promise<Pick<SystemInfo, "diskUsage" | "diskTotal">> {
  // On Windows, each drive has a root; this uses the drive of the working directory.
  const root = operatingSystem() === "windows" ? "." : "/";
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
