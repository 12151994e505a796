import { lookup as lookupAll } from "node:dns";
import { BlockList, isIP, isIPv6, type LookupFunction } from "node:net";

/** Networks that are not reachable from the public internet (IANA special-purpose registries). */
const PRIVATE_NETWORKS: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
  ["::", 127],
  // Prefixes that carry IPv4 addresses, private ones included.
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["::ffff:0:0:0", 96],
  ["2001::", 32],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
];
const IPV4_IN_IPV6 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** True for an IP address that is private, local, or reserved; false for host names. */
export function isPrivateAddress(address: string): boolean {
  const plain = IPV4_IN_IPV6.exec(address)?.[1] ?? address;
  if (isIP(plain) === 0) return false;
  const family = isIPv6(plain) ? "ipv6" : "ipv4";
  // The list of IPv4 networks does not match IPv4 addresses in hexadecimal IPv6 form.
  if (family === "ipv6" && /^::(ffff:)?[\da-f]{1,4}:[\da-f]{1,4}$/i.test(plain)) return true;
  const networks = new BlockList();
  for (const [network, bits] of PRIVATE_NETWORKS) {
    const kind = network.includes(":") ? "ipv6" : "ipv4";
    if (kind === family) networks.addSubnet(network, bits, kind);
  }
  return networks.check(plain, family);
}

/**
 * Resolves the host name of a connection. Fails if any of its addresses is private. The connection
 * uses the checked addresses.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookupAll(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    if (addresses.length === 0 || addresses.some(({ address }) => isPrivateAddress(address))) {
      return callback(new Error("the address is private"), []);
    }
    if (options.all) return callback(null, addresses);
    callback(null, addresses[0]!.address, addresses[0]!.family);
  });
};
