/**
 * Returns the part of a `host:port` that identifies a peer for limits: an IPv4 address, or the first
 * 64 bits of an IPv6 address, since one subscriber usually has a whole /64 network.
 *
 * @returns `""` if the address is unknown
 *
 * @example
 * ```ts
 * import { addressKey } from "./address.ts";
 *
 * console.assert(addressKey("192.0.2.7:5000") === "192.0.2.7");
 * console.assert(addressKey("[2001:db8::7]:5000") === "2001:db8:0:0");
 * ```
 */
export function addressKey(remoteAddress: string): string {
  const host = /^\[(.*)\](?::\d*)?$/.exec(remoteAddress)?.[1];
  if (host === undefined) return remoteAddress.replace(/:\d*$/, "");
  const mapped = /^::ffff:([\d.]+)$/i.exec(host)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = host.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  return groups.slice(0, 4).join(":");
}
