import { nearestName } from "./protocol/nearest.ts";

/** Variables that Docker and Kubernetes set for a service called `kite` or `kontrol`. */
const SERVICE_VARIABLE = /^(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)$/;
const SERVICE_URL = /^(tcp|udp|sctp):\/\//;

/**
 * True for a value that Kubernetes sets for a service, such as `KITE_PORT=tcp://10.0.0.1:80`. It is not
 * a setting.
 */
export function isServiceValue(text: string): boolean {
  return SERVICE_URL.test(text);
}

/**
 * Returns warnings about environment variables that are probably misspelt: they have the prefix, are
 * not known, and are similar to a known one.
 *
 * @param prefix such as `KITE_`
 * @param known the known variables
 * @param names the names of all variables that are set
 */
export function misspeltVariables(
  prefix: string,
  known: readonly string[],
  names: readonly string[],
): string[] {
  const rests = known.map((name) => name.slice(prefix.length));
  const warnings: string[] = [];
  for (const name of names) {
    if (!name.startsWith(prefix) || known.includes(name)) continue;
    const rest = name.slice(prefix.length);
    const near = SERVICE_VARIABLE.test(rest) ? undefined : nearestName(rest, rests);
    if (near === undefined) continue;
    warnings.push(`Ignoring the variable ${name}: did you mean ${prefix}${near}?`);
  }
  return warnings;
}
