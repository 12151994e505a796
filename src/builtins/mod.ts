import { KiteError } from "../protocol/errors.ts";
import type { Method } from "../rpc/method.ts";
import type { Handler } from "../rpc/method.ts";
import type { RemoteKite } from "../rpc/remote.ts";
import type { KiteRequest } from "../rpc/request.ts";
import { systemInfo } from "../runtime/system.ts";
import { getPass, notify, print, prompt } from "../runtime/terminal.ts";
import { Heartbeats } from "./heartbeat.ts";
import { WebRtcSignalling } from "./webrtc.ts";

/**
 * Who may call a built-in method that uses the terminal or the network: every authenticated caller
 * (`true`), nobody (`false`), or the callers for whom the function returns true.
 */
export type Permission = boolean | ((request: KiteRequest) => boolean | Promise<boolean>);

/**
 * Permissions of the built-in methods that use the terminal or the network. Nobody may call a
 * method without a permission.
 */
export interface BuiltinPermissions {
  /** Prints a line of text. */
  readonly "kite.print"?: Permission;
  /** Asks the user for a line of text. */
  readonly "kite.prompt"?: Permission;
  /** Asks the user for a password. */
  readonly "kite.getPass"?: Permission;
  /** Shows a notification on the desktop. */
  readonly "kite.notify"?: Permission;
  /** Connects to a tunnel. A tunnel proxy at which the kite registered needs no permission. */
  readonly "kite.tunnel"?: Permission;
}

/** The parts of a kite that the built-ins use. */
export interface BuiltinHost {
  handle(name: string, handler: Handler): Method;
  /** Describes the methods that are visible to a caller. */
  describe(request: KiteRequest): unknown;
  readonly permissions: BuiltinPermissions;
  /** True if the kite forwards WebRTC signalling messages. */
  readonly webrtc: boolean;
  /** Logs a message from a remote. */
  logRemote(name: string, message: string): void;
  /** Dials a tunnel and serves the session in it. */
  tunnel(url: string): Promise<void>;
  /** True for a proxy that the kite has dialled for tunnels, which needs no further permission. */
  mayTunnel(remote: RemoteKite): boolean;
}

/** The built-in methods of one kite (docs/protocol.md §6). */
export class Builtins {
  readonly #heartbeats = new Heartbeats();
  readonly #webrtc = new WebRtcSignalling();

  constructor(host: BuiltinHost) {
    host.handle("kite.ping", () => "pong").disableAuthentication();
    host.handle("kite.echo", ({ args }) => args.values[0] ?? null).disableAuthentication();
    host.handle("kite.heartbeat", this.#heartbeats.handle);
    host.handle("kite.describe", (request) => host.describe(request)).disableAuthentication();
    host.handle("kite.systemInfo", () => systemInfo());
    host.handle("kite.log", ({ args, kite }) => {
      host.logRemote(kite.name, args.one().string());
      return null;
    });
    guarded(host, "kite.print", ({ args }) => print(args.one().string()));
    guarded(host, "kite.prompt", ({ args, signal }) => prompt(args.one().string(), { signal }));
    guarded(host, "kite.getPass", ({ args, signal }) => getPass(args.one().string(), { signal }));
    guarded(host, "kite.notify", async ({ args }) => {
      const [subtitle, text, title] = args.sliceOfLength(3);
      await notify(subtitle.string(), text.string(), title.string());
      return null;
    });
    guarded(host, "kite.tunnel", async ({ args }) => {
      await host.tunnel(args.one().object().field("url").string());
      return null;
    }, ({ client }) => host.mayTunnel(client));
    if (host.webrtc) host.handle("kite.handleWebRTC", this.#webrtc.handle);
  }

  /** Stops every timer. */
  stop(): void {
    this.#heartbeats.stop();
    this.#webrtc.stop();
  }
}

/**
 * Adds a built-in that works only if the owner has enabled it for the caller.
 *
 * @param isExempt true for a request that needs no permission
 */
function guarded(
  host: BuiltinHost,
  name: keyof BuiltinPermissions,
  handler: Handler,
  isExempt: (request: KiteRequest) => boolean = () => false,
): void {
  host.handle(name, async (request) => {
    if (isExempt(request)) return await handler(request);
    const permission = host.permissions[name] ?? false;
    const isAllowed = typeof permission === "function" ? await permission(request) : permission;
    if (!isAllowed) {
      throw new KiteError("notAllowed", `Cannot call ${name}: not enabled for this caller`);
    }
    return await handler(request);
  });
}
